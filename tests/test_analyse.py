import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import standins

from faceswapd.daemon import analyse, places
from faceswapd.daemon.cli import main
from faceswapd.faces.overlay import lines

PHOTO = Path(__file__).parent / "assets" / "astronaut.png"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "data_dir", lambda: tmp_path / "data")
    monkeypatch.setattr(places, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    standins.shelf(tmp_path / "data", "1k3d68", "genderage")
    shutil.copy(PHOTO, tmp_path / "photo.png")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["face", "analyse", *words]) == code
    out = capsys.readouterr()
    return out.out + out.err if code else out.out


def test_a_photo_is_described(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(capsys, str(home / "photo.png"), "--json"))

    (face,) = told["faces"]
    assert told["size"] == [512, 512]
    np.testing.assert_allclose(face["box"], [180, 70, 271, 179], atol=3)
    np.testing.assert_allclose(
        face["five"], [[203, 101], [247, 103], [223, 131], [203, 139], [244, 141]], atol=3
    )
    np.testing.assert_allclose([face["pitch"], face["yaw"], face["roll"]], [-10, -1, 4], atol=3)
    assert (face["sex"], face["age"], face["landmarks"]) == (None, None, [])
    assert "no model is chosen (--attributes)" in said(capsys, str(home / "photo.png"))


def test_models_say_more(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[str]] = []
    monkeypatch.setattr(analyse, "draw", lambda _, face: drawn.append(lines(face)))
    words = (str(home / "photo.png"), "--landmarks", "1k3d68", "--attributes", "genderage")
    (face,) = json.loads(said(capsys, *words, "--json"))["faces"]

    assert (face["sex"], face["age"]) == ("male", 51)
    assert np.array(face["landmarks"]).shape == (68, 3)
    np.testing.assert_allclose([face["pitch"], face["yaw"], face["roll"]], 0, atol=0.1)
    assert drawn[0][-1] == "pitch +0 yaw +0 roll +0", "the same is told and drawn"
    for columns in ("40", "80", "160"):
        monkeypatch.setenv("COLUMNS", columns)
        assert "male, 51" in said(capsys, *words)


def test_a_copy_shows_it_and_nothing_is_overwritten(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, str(home / "photo.png"), "--save", str(home / "seen.png"))
    photo, seen = cv2.imread(str(home / "photo.png")), cv2.imread(str(home / "seen.png"))

    assert photo is not None
    assert seen is not None
    changed = np.argwhere((photo != seen).any(axis=2))
    assert changed[:, 0].min() >= 65, "the box begins there"
    assert 500 < len(changed) < 20_000
    assert "seen.png exists" in said(
        capsys, str(home / "photo.png"), "--save", str(home / "seen.png"), code=64
    )


def test_nobody_and_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(home / "grey.png"), np.full((200, 200, 3), 120, np.uint8))

    assert "no face is found in" in said(capsys, str(home / "grey.png"))
    assert json.loads(said(capsys, str(home / "grey.png"), "--json"))["faces"] == []
    assert "nothing.png" in said(capsys, str(home / "nothing.png"), code=66)
    assert "models add genderage.onnx" not in said(
        capsys, str(home / "photo.png"), "--attributes", "x", code=64
    )


def test_options_that_mean_nothing_beside_the_others(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(home / "photo.png")
    assert "--detector MODEL" in said(capsys, photo, "--detector-side", "320", code=64)
    assert "--analysis insightface" in said(capsys, photo, "--analysis-pack", "buffalo_s", code=64)
    assert "no model is called 'nose'" in said(capsys, photo, "--detector", "nose", code=64)
