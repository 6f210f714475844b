"""insightface's packs, with a stand-in of insightface itself: its own one is in test_insightface_detectors."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from faceswapd.core.errors import ConfigError, MissingInputError, ModelError, UsageError
from faceswapd.daemon import places
from faceswapd.daemon.cli import main
from faceswapd.inference import packs

Download = Callable[[str, str, str], str]


def nested(sub: str, name: str, root: str) -> str:
    """What antelopev2's archive makes."""
    return whole(sub, f"{name}/{name}", root).removesuffix(f"/{name}")


def whole(sub: str, name: str, root: str) -> str:
    made = Path(root) / sub / name
    made.mkdir(parents=True)
    (made / "det.onnx").write_bytes(b"model")
    print("download_path:", made)  # noqa: T201 - as insightface does
    return str(made)


def truncated(sub: str, name: str, root: str) -> str:
    made = Path(root) / sub
    made.mkdir(parents=True)
    (made / f"{name}.zip").write_bytes(b"PK")
    raise RuntimeError("File is not a zip file")


@pytest.fixture
def insightface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """insightface as far as packs need it; `download` and `state` say what it does."""
    fake = SimpleNamespace(
        download=whole, state=SimpleNamespace(status="default_non_commercial", error=None, message="")
    )
    modules: dict[str, dict[str, object]] = {
        "insightface": {},
        "insightface.utils": {},
        "insightface.utils.storage": {"download": lambda sub, name, root: fake.download(sub, name, root)},
        "insightface.model_zoo": {},
        "insightface.model_zoo.model_license": {
            "STATUS_DEPENDENCY_MISSING": "dependency_missing",
            "inspect_model_package_license": lambda _: fake.state,
        },
    }
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(packs, "root", lambda: tmp_path / "insightface")
    monkeypatch.setattr(places, "data_dir", lambda: tmp_path / "data")
    return fake


@pytest.mark.parametrize("download", [whole, nested])
def test_a_pack_is_pulled_to_where_insightface_keeps_it(
    insightface: SimpleNamespace, tmp_path: Path, download: Download, capsys: pytest.CaptureFixture[str]
) -> None:
    insightface.download = download

    assert packs.pull("antelopev2") == tmp_path / "insightface/models/antelopev2"

    assert (tmp_path / "insightface/models/antelopev2/det.onnx").read_bytes() == b"model"
    assert packs.here() == ("antelopev2",)
    assert packs.found("antelopev2") == packs.folder("antelopev2")
    assert [p.name for p in (tmp_path / "insightface").iterdir()] == ["models"]
    said = capsys.readouterr()
    assert "download_path" in said.err
    assert "download_path" not in said.out


def test_a_download_that_fails_leaves_nothing(insightface: SimpleNamespace, tmp_path: Path) -> None:
    insightface.download = truncated

    with pytest.raises(MissingInputError, match="not a zip file"):
        packs.pull("buffalo_l")

    assert packs.here() == ()
    assert list((tmp_path / "insightface").rglob("*.*")) == []


def test_a_licence_that_insightface_refuses_is_refused(insightface: SimpleNamespace) -> None:
    packs.pull("raccoon_s")
    insightface.state = SimpleNamespace(status="expired", error="the licence ended on 2026-01-01", message="")

    with pytest.raises(ModelError, match="ended on 2026-01-01"):
        packs.found("raccoon_s")
    with pytest.raises(ModelError, match="ended on 2026-01-01"):
        packs.pull("raccoon_l")
    assert packs.here() == ("raccoon_s",)


@pytest.mark.usefixtures("insightface")
def test_packs_are_known_by_name_or_lie_in_a_folder_of_the_users_own(tmp_path: Path) -> None:
    own = Path(whole("mine", "own", str(tmp_path)))

    assert packs.found(str(own)) == own
    with pytest.raises(UsageError, match="known are buffalo_l"):
        packs.found("bufallo_l")
    with pytest.raises(UsageError, match="known are buffalo_l"):
        packs.pull("bufallo_l")
    with pytest.raises(ModelError, match="models pull buffalo_l"):
        packs.found("buffalo_l")
    with pytest.raises(ModelError, match="holds no models"):
        packs.found(str(tmp_path / "mine"))


def test_without_insightface_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in sys.modules if n == "insightface" or n.startswith("insightface.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "insightface", None)

    with pytest.raises(ConfigError, match="uv sync --group insightface"):
        packs.pull("buffalo_l", tmp_path)


@pytest.mark.usefixtures("insightface")
def test_the_command_asks_for_the_licence_and_lists_what_is_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "buffalo_s"]) == 64
    assert "--accept-licence InsightFace-NC" in capsys.readouterr().err
    assert main(["models", "licence", "buffalo_s"]) == 0
    assert "Non-commercial" in capsys.readouterr().out
    assert main(["models", "pull", "buffalo_s", "--accept-licence", "InsightFace-NC", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["folder"] == str(tmp_path / "insightface/models/buffalo_s")
    assert main(["models", "list", "--json"]) == 0
    rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["buffalo_s"]["state"], rows["buffalo_s"]["size"]) == ("here", 5)
    assert rows["buffalo_l"]["state"] == "pull"
    assert main(["models", "pull", "buffalo_s", "--accept-licence", "InsightFace-NC"]) == 64
    assert "is here already" in capsys.readouterr().err
    assert main(["models", "remove", "buffalo_s"]) == 64
    assert "remove that folder yourself" in capsys.readouterr().err
    assert packs.here() == ("buffalo_s",)
