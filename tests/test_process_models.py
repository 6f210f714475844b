"""`process` with models of the user's: what it says of them."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import standins

from faceswapd.capture.portrait import Portrait
from faceswapd.core.settings import AnalysisSettings
from faceswapd.daemon.cli import main
from faceswapd.inference.openvino import OpenVino
from faceswapd.processors.analysis import Analysis
from faceswapd.processors.processor import Workshop
from faceswapd.sinks.picture import save


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    with closing(Portrait((640, 360), 30)) as portrait:
        portrait.open()
        save(tmp_path / "face.png", portrait.draw(0))
    return tmp_path / "face.png"


def test_a_precision_that_is_refused_is_said_without_being_asked(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenVino, "native", ("fp32", "int8"))
    (tmp_path / "home" / "faceswapd").mkdir(parents=True)
    standins.shelf(tmp_path / "home" / "faceswapd", "gfpgan_1.4")
    words = ["process", str(photo), "--processors", "enhance", "--set", "enhance.model=gfpgan_1.4"]
    words += ["--precision", "int8", "--execution-provider", "cpu", "--overwrite"]

    assert main([*words, "-o", str(tmp_path / "a.png")]) == 0
    said = capsys.readouterr().out
    assert main([*words, "-o", str(tmp_path / "b.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["problems"]

    assert "problem  model gfpgan_1.4 stays on" in said
    assert len(told) == 1
    assert "cpu int8 is refused" in told[0]


def test_it_is_said_which_detector_saw_no_face() -> None:
    nothing: Any = None
    assert Workshop(nothing, nothing, analysis=Analysis(nothing)).looked == ""
    own = Analysis(nothing, AnalysisSettings(detector="scrfd_10g"))
    assert Workshop(nothing, nothing, analysis=own).looked == " (looked for by scrfd_10g)"
    insight = Analysis(nothing, AnalysisSettings(backend="insightface"))
    assert Workshop(nothing, nothing, analysis=insight).looked == " (looked for by insightface buffalo_l)"
