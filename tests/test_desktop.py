import sys

import pytest

from faceswapd.capture import desktop, pipewire
from faceswapd.capture.desktop import Monitor, desktop_monitors, desktop_source, desktop_windows, shown
from faceswapd.capture.portal import Kind
from faceswapd.capture.screen import Screen
from faceswapd.capture.screencast import ScreenCast
from faceswapd.capture.window import Window, WindowInfo
from faceswapd.core.errors import NoDeviceError, UsageError
from faceswapd.native import pipewire as abi

X11 = {"DISPLAY": ":0", "XDG_SESSION_TYPE": "x11"}
WAYLAND = {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize(
    ("words", "environ", "kind"),
    [
        ("", X11, Screen),
        ("2", X11, Screen),
        ("all", X11, Screen),
        ("0,0,64x64", X11, Screen),
        ("portal", X11, ScreenCast),
        ("window=Film: the end", X11, Window),
        ("window", X11, ScreenCast),
        ("", WAYLAND, ScreenCast),
        ("", {"XDG_SESSION_TYPE": "wayland"}, ScreenCast),
        ("portal", WAYLAND, ScreenCast),
        ("portal,window", WAYLAND, ScreenCast),
        ("window=film", WAYLAND, Window),
    ],
)
def test_what_the_words_mean(words: str, environ: dict[str, str], kind: type) -> None:
    source = desktop_source(f"screen:{words}", 30, environ)
    assert type(source) is kind
    assert (source.name, source.fps) == (f"screen:{words}", 30)


@pytest.mark.parametrize("words", ["2", "all", "0,0,64x64"])
def test_wayland_cannot_be_read_by_its_coordinates(words: str) -> None:
    with pytest.raises(UsageError, match="has you choose: say screen: or screen:window"):
        desktop_source(f"screen:{words}", 30, WAYLAND)


@pytest.mark.parametrize(("words", "says"), [("window=x", "capture a region"), ("portal", "say screen:")])
def test_what_other_systems_cannot_do(monkeypatch: pytest.MonkeyPatch, words: str, says: str) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match=says):
        desktop_source(f"screen:{words}", 30, {})
    assert desktop_windows() == ()


def test_an_empty_title_means_nothing() -> None:
    with pytest.raises(UsageError, match="screen:window=TITLE"):
        desktop_source("screen:window=", 30, X11)


def test_monitors_are_listed_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def areas() -> list[dict[str, int]]:
        return [
            {"left": 0, "top": 0, "width": 640, "height": 480},
            {"left": -320, "top": 8, "width": 320, "height": 240},
        ]

    def none() -> list[dict[str, int]]:
        raise NoDeviceError("no display", "-")

    monkeypatch.setattr(desktop, "monitors", areas)
    assert desktop_monitors(X11) == (
        Monitor("screen:1", (640, 480), (0, 0)),
        Monitor("screen:2", (320, 240), (-320, 8)),
    )
    assert desktop_monitors(WAYLAND) == (Monitor("screen:", (0, 0)),)
    monkeypatch.setattr(desktop, "monitors", none)
    assert desktop_monitors(X11) == ()


def test_what_can_be_shown_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked:
        shares: tuple[Kind, ...] = (Kind.MONITOR, Kind.WINDOW)

        def __init__(self, name: str, _: Kind) -> None:
            assert name == "screen:"

        def kinds(self) -> tuple[Kind, ...]:
            return self.shares

    monkeypatch.setattr(desktop, "Portal", Asked)
    monkeypatch.setattr(desktop, "load", lambda _: None)
    areas = [{"width": 640, "height": 480}, {"width": 320, "height": 240}]
    monkeypatch.setattr(desktop, "monitors", lambda: areas)

    assert shown(X11) == "screen:1 640x480, screen:2 320x240"
    assert shown(WAYLAND) == "a monitor (screen:) or a window (screen:window), chosen in the desktop's dialog"
    Asked.shares = (Kind.MONITOR,)
    assert shown(WAYLAND) == "a monitor (screen:), chosen in the desktop's dialog"
    areas.clear()
    with pytest.raises(NoDeviceError, match="no monitor"):
        shown(X11)
    monkeypatch.setattr(abi, "LIBRARY", "libnone.so.9")
    monkeypatch.setattr(desktop, "load", pipewire.load)
    with pytest.raises(NoDeviceError, match=r"source screen: needs libnone\.so\.9: install PipeWire"):
        shown(WAYLAND)


def test_windows_are_those_of_x11(monkeypatch: pytest.MonkeyPatch) -> None:
    there = (WindowInfo("film", "0x1", (64, 48)),)
    monkeypatch.setattr(desktop, "x11_windows", lambda: there)
    assert desktop_windows() == there
