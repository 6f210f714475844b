import hashlib
import json
from pathlib import Path

import pytest
import standins

from faceswapd.daemon import places
from faceswapd.daemon.cli import main

INSWAPPER = standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "data_dir", lambda: tmp_path / "data")
    (tmp_path / "inswapper_128.onnx").write_bytes(INSWAPPER)
    return tmp_path


def spoken(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["models", *words]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.out + said.err


def test_what_is_here_and_what_is_known_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    added = json.loads(spoken(capsys, "add", str(home / "inswapper_128.onnx"), "--json"))
    rows = {r["model"]: r for r in json.loads(spoken(capsys, "list", "--json"))}

    assert added["sha256"] == hashlib.sha256(INSWAPPER).hexdigest()
    assert rows["inswapper_128"]["state"] == "here"
    assert rows["inswapper_128"]["size"] == len(INSWAPPER)
    assert rows["inswapper_128"]["needs"] == ["w600k_r50"]
    assert rows["w600k_r50"]["state"] == "pull"
    assert rows["ghost_1_256"]["state"] == "add"
    assert "InsightFace-NC" in spoken(capsys, "list")


def test_files_are_verified_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spoken(capsys, "verify") == "no models are here\n"
    said = spoken(capsys, "add", str(home / "inswapper_128.onnx"))
    assert "any number of faces in one run" in said
    assert "it needs more: model w600k_r50 is not here: faceswapd models pull w600k_r50" in said
    assert spoken(capsys, "verify") == "inswapper_128: ok\n"

    (home / "data/models/inswapper_128/model.onnx").write_bytes(b"x")
    assert "bytes instead of" in spoken(capsys, "verify", "inswapper_128", code=78)
    assert json.loads(spoken(capsys, "remove", "inswapper_128", "--json")) == {"removed": "inswapper_128"}
    assert "models pull" in spoken(capsys, "verify", "inswapper_128", code=78)


def test_a_licence_is_shown_and_has_to_be_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Non-commercial" in spoken(capsys, "licence", "w600k_r50")
    assert "is not accepted" in spoken(capsys, "pull", "w600k_r50", code=64)
    assert "not MIT" in spoken(capsys, "pull", "w600k_r50", "--accept-licence", "MIT", code=64)
    assert "models add inswapper_128.onnx" in spoken(capsys, "pull", "inswapper_128", code=78)
    assert "is not here" in spoken(capsys, "licence", "nose", code=78)
