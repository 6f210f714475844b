import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from capture_fakes import Stopwatch
from x11_desktop import Painter, missing, x_server

from faceswapd.capture.screen import Area, Screen, monitors
from faceswapd.capture.sources import make_source
from faceswapd.core.errors import DeviceLostError, NoDeviceError, UsageError


class FakeDisplay:
    """Two monitors side by side; every pixel says where it is."""

    def __init__(self) -> None:
        self.monitors = [
            {"left": -320, "top": 0, "width": 960, "height": 480},
            {"left": 0, "top": 0, "width": 640, "height": 480},
            {"left": -320, "top": 0, "width": 320, "height": 240},
        ]
        self.closed = self.broken = False

    def grab(self, monitor: Area, /) -> Any:
        if self.broken:
            raise OSError("the server has gone")
        height, width = monitor["height"], monitor["width"]
        pixels = np.zeros((height, width, 4), np.uint8)
        pixels[..., 0] = np.arange(width) % 256
        pixels[..., 1] = np.arange(height)[:, None] % 256
        pixels[..., 2] = (monitor["left"] + 512) // 4
        pixels[..., 3] = 77
        return SimpleNamespace(bgra=pixels.tobytes(), width=width, height=height)

    def close(self) -> None:
        self.closed = True


def opened(spec: str) -> tuple[Screen, FakeDisplay]:
    display = FakeDisplay()
    screen = Screen(spec, 100, display)
    screen.open()
    return screen, display


@pytest.mark.parametrize(
    ("spec", "size", "left"),
    [
        ("screen:", (640, 480), 0),
        ("screen:1", (640, 480), 0),
        ("screen:2", (320, 240), -320),
        ("screen:all", (960, 480), -320),
        ("screen:-20,100,300x200", (300, 200), -20),
    ],
)
def test_what_is_shown(spec: str, size: tuple[int, int], left: int) -> None:
    screen, display = opened(spec)
    assert screen.size == size
    pixels = screen.read().pixels
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.flags.c_contiguous
    assert pixels[3, 5].tolist() == [5, 3, (left + 512) // 4]
    screen.close()
    assert display.closed


def test_it_keeps_its_rate_and_makes_no_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Stopwatch()
    monkeypatch.setattr("faceswapd.capture.ticker.time", watch)
    screen, _ = opened("screen:2")
    begin_s = watch.now_s
    for _ in range(20):
        screen.read()
    assert watch.now_s - begin_s == pytest.approx(0.2)
    watch.sleep(0.2)
    screen.read()  # late: at once
    begin_s = watch.now_s
    for _ in range(5):
        screen.read()
    assert watch.now_s - begin_s == pytest.approx(0.05)
    screen.close()


@pytest.mark.parametrize("spec", ["screen:left", "screen:10,10", "screen:1,2,3", "screen:-1"])
def test_words_that_mean_nothing(spec: str) -> None:
    with pytest.raises(UsageError, match="say screen:"):
        Screen(spec, 30)


@pytest.mark.parametrize(
    ("spec", "says"),
    [("screen:3", "from 1 to 2"), ("screen:0", "from 1 to 2"), ("screen:600,0,100x100", "960x480")],
)
def test_what_is_not_there(spec: str, says: str) -> None:
    display = FakeDisplay()
    with pytest.raises(NoDeviceError, match=says):
        Screen(spec, 30, display).open()
    assert display.closed


def test_a_display_that_goes_away_is_lost() -> None:
    screen, display = opened("screen:")
    display.broken = True
    with pytest.raises(DeviceLostError, match="the server has gone"):
        screen.read()
    screen.close()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mss", None)
    monkeypatch.setitem(sys.modules, "mss.exception", None)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    source = make_source("screen:", (640, 480), 30)
    with pytest.raises(NoDeviceError, match=r"faceswapd\[screen\]"):
        source.open()


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real X server without a screen."""
    pytest.importorskip("mss", reason="the package mss is not installed")
    if why := missing():
        pytest.skip(why)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with x_server() as name:
        monkeypatch.setenv("DISPLAY", name)
        yield name


def test_its_monitors_are_listed(desktop: str) -> None:
    (area,) = monitors()
    assert (area["left"], area["top"], area["width"], area["height"]) == (0, 0, 800, 600)


def test_a_real_display_is_read(desktop: str) -> None:
    painter = Painter(desktop)
    painter.window("wall", (0, 0), (800, 600), 0x2040C0)
    screen = Screen("screen:100,100,320x240", 30)
    screen.open()
    try:
        assert screen.size == (320, 240)
        pixels = screen.read().pixels
        assert pixels[10, 10].tolist() == [0xC0, 0x40, 0x20]
    finally:
        screen.close()
        painter.close()
