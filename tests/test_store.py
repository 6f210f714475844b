import shutil
from pathlib import Path

import pytest

from faceswapd.core.errors import ModelError
from faceswapd.inference.contracts import CONTRACTS
from faceswapd.inference.store import WEIGHTS, Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("manifest.toml", "blaze_short.onnx"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    return tmp_path


def test_every_bundled_model_is_whole_and_has_a_contract() -> None:
    store = Store()

    assert {e.model for e in store.entries} == set(CONTRACTS)
    assert all(len(store.read(e.model)) == e.size for e in store.entries)
    assert {e.licence for e in store.entries} == {"Apache-2.0"}


def test_every_bundled_file_is_in_the_manifest_and_the_notice() -> None:
    notice = (WEIGHTS / "NOTICE").read_text("utf-8")
    files = {p.name for p in WEIGHTS.glob("*.onnx")}

    assert files == {e.path.name for e in Store().entries}
    assert all(name in notice for name in files)


def test_a_changed_file_is_refused(folder: Path) -> None:
    path = folder / "blaze_short.onnx"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)

    with pytest.raises(ModelError, match="wrong SHA-256") as caught:
        Store(folder).read("blaze_short")

    assert caught.value.exit_code == 78
    assert str(path) in caught.value.what
    assert "reinstall" in caught.value.remedy


def test_a_truncated_file_is_refused(folder: Path) -> None:
    path = folder / "blaze_short.onnx"
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ModelError, match="216418 bytes instead of 216419"):
        Store(folder).read("blaze_short")


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"mesh478: cannot read .*mesh478\.onnx \(No such file"):
        Store(folder).read("mesh478")


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"'mesh468': known are blaze_short, blaze_full, mesh478"):
        Store().read("mesh468")


@pytest.mark.parametrize("text", ["[mesh478", "[mesh478]\nfile = 'mesh478.onnx'\n"])
def test_a_broken_manifest_is_a_model_error(folder: Path, text: str) -> None:
    (folder / "manifest.toml").write_text(text)

    with pytest.raises(ModelError, match="manifest"):
        Store(folder)
