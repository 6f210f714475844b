"""What finds and knows faces, from the words of the command line to the frames."""

import argparse
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import detector_standins as standins
import numpy as np
import pytest

from faceswapd.core.frame import Pixels
from faceswapd.core.settings import AnalysisSettings, InferenceSettings
from faceswapd.daemon.cli import main
from faceswapd.daemon.options import add_analysis_options, add_run_options, analysis_options, run_settings
from faceswapd.daemon.process_options import add_process_options
from faceswapd.daemon.process_settings import process_settings
from faceswapd.inference.detectors import BlazePair
from faceswapd.inference.engines import Engines
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.analysis import Analysis
from faceswapd.processors.library import Library

ASSETS = Path(__file__).parent / "assets"
NOSE = (223, 131)
"""Of the astronaut."""
WORDS = [
    "--analysis", "insightface", "--analysis-pack", "raccoon_s", "--detector", "scrfd_10g",
    "--detector-side", "320", "--landmarks", "2dfan4", "--attributes", "genderage",
]  # fmt: skip
MEANT = AnalysisSettings("insightface", "raccoon_s", "scrfd_10g", 320, "2dfan4", "genderage")


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def parsed(add: Callable[[argparse.ArgumentParser], None], words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add(parser)
    return parser.parse_args(words)


def test_every_command_takes_the_same_words(tmp_path: Path) -> None:
    library = Library(tmp_path)

    assert run_settings(parsed(add_run_options, WORDS)).analysis == MEANT
    assert process_settings(parsed(add_process_options, WORDS), library).analysis == MEANT
    assert AnalysisSettings(**(analysis_options(parsed(add_analysis_options, WORDS)) or {})) == MEANT
    assert run_settings(parsed(add_run_options, [])).analysis == AnalysisSettings()


def test_the_bundled_pair_finds_faces_unless_told_otherwise(tmp_path: Path) -> None:
    engines = Engines(InferenceSettings(), cache=tmp_path / "e.json", shelf=Shelf(tmp_path / "models"))
    try:
        analysis = Analysis(engines)

        assert isinstance(analysis.detector(), BlazePair)
        assert analysis.recogniser() is None
        assert analysis.serving() == {}
    finally:
        engines.close()


def test_a_picture_is_worked_on_by_the_detector_that_was_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in that takes a red dot for a face leads to the face around it; without the dot it sees none."""
    (tmp_path / "reds.onnx").write_bytes(standins.scrfd(alive=(0, 1, 0)))
    face = np.asarray(cv2.imread(str(ASSETS / "astronaut.png")), np.uint8)[:256]
    dotted = np.asarray(cv2.circle(face.copy(), NOSE, 5, (0, 0, 255), -1), np.uint8)
    assert main(["models", "add", str(tmp_path / "reds.onnx"), "--family", "scrfd"]) == 0

    def changed(pixels: Pixels, *words: str) -> float:
        """Of the face, how far it is from the picture that came in."""
        cv2.imwrite(str(tmp_path / "in.png"), pixels)
        out = tmp_path / "out.png"
        capsys.readouterr()
        mask = ["--processors", "mesh_swap", "--set", "mesh_swap.face=mask"]
        assert (
            main(
                ["process", str(tmp_path / "in.png"), "-o", str(out), *mask, *words, "--overwrite", "--json"]
            )
            == 0
        )
        told = json.loads(capsys.readouterr().out)
        assert ("reds" in told["engine"]) == ("--detector" in words)
        made = np.asarray(cv2.imread(str(out)), np.uint8)
        window = np.s_[90:150, 190:260]
        return float(np.abs(made[window].astype(int) - pixels[window]).mean())

    assert changed(dotted, "--detector", "reds") > 20
    assert changed(face, "--detector", "reds") == 0
    assert changed(face) > 20


def test_what_is_missing_is_said_with_the_command_that_brings_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["process", str(ASSETS / "astronaut.png"), "-o", str(tmp_path / "out.png")]

    assert main([*words, "--detector", "yunet"]) == 78
    assert "faceswapd models pull yunet" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_face_is_kept_where_the_detector_of_the_configuration_finds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "reds.onnx").write_bytes(standins.scrfd(alive=(0, 1, 0)))
    assert main(["models", "add", str(tmp_path / "reds.onnx"), "--family", "scrfd"]) == 0
    face = np.asarray(cv2.imread(str(ASSETS / "astronaut.png")), np.uint8)[:256]
    cv2.imwrite(str(tmp_path / "plain.png"), face)
    cv2.imwrite(str(tmp_path / "dotted.png"), cv2.circle(face, NOSE, 5, (0, 0, 255), -1))
    file = tmp_path / "config.toml"

    def added(photo: str, name: str, *words: str) -> tuple[int, str]:
        capsys.readouterr()
        photo = str(tmp_path / photo)
        code = main(["face", "add", photo, "--name", name, "--consent", "public-domain", *words])
        return code, capsys.readouterr().err

    file.write_text('[analysis]\ndetector = "reds"\n')
    assert added("dotted.png", "dotted", "--config", str(file))[0] == 0
    code, said = added("plain.png", "plain", "--config", str(file))
    assert (code, "face" in said) == (65, True)
    assert added("plain.png", "plain")[0] == 0
    file.write_text('[analysis]\ndetector = "nix"\n')
    code, said = added("plain.png", "again", "--config", str(file))
    assert (code, said.startswith("faceswapd: configuration: no model is called 'nix'")) == (78, True)
