from pathlib import Path

import pytest
import standins

from faceswapd.capture import desktop
from faceswapd.capture.window import WindowInfo
from faceswapd.core.errors import NoDeviceError
from faceswapd.daemon import doctor, places
from faceswapd.inference.choices import Choice, Choices, Timed
from faceswapd.inference.shelf import Shelf

pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    path = tmp_path / "mine.onnx"
    path.write_bytes(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True))
    shelf = Shelf(places.data_dir() / "models")
    shelf.add(path, "mine")
    return shelf


def said(name: str = "model mine") -> doctor.Finding:
    return next(f for f in doctor.examine() if f.name == name)


@pytest.mark.usefixtures("shelf")
def test_a_model_that_never_ran_long_enough_is_said_to_be_unknown() -> None:
    found = said()

    assert (found.level, found.text) == (
        "ok",
        "inswapper_128; not run for long enough yet to know its engine",
    )


@pytest.mark.usefixtures("shelf")
def test_what_serves_a_model_and_what_was_refused_is_said() -> None:
    eighth = Choice("openvino", "cpu", "int8")
    timed = Timed(
        "mine",
        eighth,
        {str(eighth): 12.5},
        {},
        {"openvino cpu bf16": "output is within 20.1 dB"},
        confirmed=False,
    )
    Choices(places.cache_dir() / "engines.json").remember("key", timed)

    assert said().text == (
        "inswapper_128; openvino cpu int8, 12.5 ms a run; openvino cpu bf16 refused: output is within 20.1 dB; "
        "chosen on the bundled portrait, to be confirmed by the next run"
    )


def test_a_file_that_was_cut_off_is_an_error_with_the_command(shelf: Shelf) -> None:
    file = next(shelf.folder.glob("mine/*.onnx"))
    file.write_bytes(file.read_bytes()[:-1])
    found = said()

    assert found.level == "error"
    assert "faceswapd models remove mine" in found.remedy


def test_a_card_that_cannot_be_read_is_an_error_too(shelf: Shelf) -> None:
    (shelf.folder / "mine" / "card.json").write_text("{")
    found = said()

    assert (found.level, found.text.partition(" (")[0]) == ("error", "its card cannot be read")
    assert "faceswapd models remove mine" in found.remedy


def test_what_serves_in_anothers_place_is_known_by_the_others_name(shelf: Shelf, tmp_path: Path) -> None:
    for name, content in (
        ("gfpgan_1.4", standins.enhancer(512)),
        ("w600k_r50", standins.recogniser()),
    ):
        (tmp_path / "x.onnx").write_bytes(content)
        shelf.add(tmp_path / "x.onnx", serves=name)
    fast = Choice("openvino", "cpu", "bf16")
    timed = Timed("gfpgan_1.4", fast, {str(fast): 12.5}, {}, {}, confirmed=True)
    Choices(places.cache_dir() / "engines.json").remember("key", timed)

    assert said("model gfpgan_1.4.own").text == "enhancer_512; openvino cpu bf16, 12.5 ms a run"
    assert said("model w600k_r50.own").text == "arcface_112; served by the first engine that is ready"


@pytest.mark.usefixtures("shelf")
def test_what_of_the_desktop_can_be_shown_is_said_or_why_nothing_can(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[WindowInfo] = []
    monkeypatch.setattr(desktop, "desktop_windows", lambda: there)
    monkeypatch.setattr(desktop, "shown", lambda: "screen:1 640x480")
    assert (said("screen").level, said("screen").text) == ("ok", "screen:1 640x480")
    there.append(WindowInfo("film", "0x1", (64, 48)))
    assert said("screen").text == "screen:1 640x480; 1 window of X11 (screen:window=TITLE)"

    def none() -> str:
        raise NoDeviceError("source screen: finds no desktop portal", "install one")

    monkeypatch.setattr(desktop, "shown", none)
    found = said("screen")
    assert (found.level, found.remedy) == ("warning", "install one")
    assert found.text == "source screen: finds no desktop portal; 1 window of X11 (screen:window=TITLE)"
