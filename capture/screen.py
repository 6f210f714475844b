"""The screen as a source: all of it, one monitor, or a region."""

import re
from typing import Any, Protocol

import cv2
import numpy as np
import structlog

from ..core.errors import DeviceLostError, NoDeviceError, UsageError
from ..core.frame import Pixels
from ..core.settings import Size
from .source import Shot
from .ticker import Ticker

log = structlog.get_logger(__name__)

FORMS = "say screen:, screen:NUMBER of a monitor, screen:all, screen:X,Y,WIDTHxHEIGHT or screen:window=TITLE"
_REGION = re.compile(r"(-?\d+),(-?\d+),(\d+)x(\d+)")

Area = dict[str, int]
"""left, top, width, height in pixels of the desktop."""


class Display(Protocol):
    """The part of `mss.MSS` that is used. One thread."""

    @property
    def monitors(self) -> Any:
        """Areas: all monitors together first, then each."""

    def grab(self, monitor: Any, /) -> Any:
        """A picture of an area: `.bgra` are its bytes, `.width` and `.height` its pixels."""

    def close(self) -> None:
        """Gives the display back."""


class Screen:
    """Pictures of the screen, `fps` times a second, the mouse pointer included.

    On Linux this reads an X11 display; what Wayland shows is for `ScreenCast`.
    """

    paced = False

    def __init__(self, spec: str, fps: float, display: Display | None = None) -> None:
        """`spec` is one of `FORMS`; raises UsageError for another. `display` is opened if it is not given."""
        self.name = spec
        self.fps = fps
        self._words = spec.removeprefix("screen:")
        if not (self._words in ("", "all") or self._words.isdecimal() or _REGION.fullmatch(self._words)):
            raise UsageError(f"source {spec}", FORMS)
        self._given = display
        self._display: Display | None = None
        self._area: Area = {}
        self._size: Size = (0, 0)
        self._ticker = Ticker(fps)

    @property
    def size(self) -> Size:
        """(width, height) of the area; on a display of high density its true pixels."""
        return self._size

    def open(self) -> None:
        """Opens the display. Raises NoDeviceError without one, for a monitor or region that is not there."""
        display = self._given or _display(self.name)
        try:
            self._area = self._chosen(list(display.monitors))
            first = display.grab(self._area)
        except _refusals() as error:
            display.close()
            raise NoDeviceError(f"source {self.name} cannot be read ({error})", FORMS) from error
        except NoDeviceError:
            display.close()
            raise
        self._display, self._size = display, (first.width, first.height)
        self._ticker.start()

    def read(self) -> Shot:
        """Waits for the next tick, then takes a picture. Raises DeviceLostError when the display is gone."""
        assert self._display is not None, "not open"
        self._ticker.wait()
        try:
            taken = self._display.grab(self._area)
        except _refusals() as error:
            raise DeviceLostError(
                f"{self.name} went away ({error})", "is the desktop still there?"
            ) from error
        pixels = np.frombuffer(taken.bgra, np.uint8).reshape(taken.height, taken.width, 4)
        return Shot(_bgr(pixels))

    def close(self) -> None:
        """Gives the display back."""
        display, self._display = self._display, None
        if display is not None:
            display.close()

    def _chosen(self, monitors: list[Area]) -> Area:
        everything, each = monitors[0], monitors[1:]
        if self._words == "all":
            return everything
        if match := _REGION.fullmatch(self._words):
            left, top, width, height = map(int, match.groups())
            x, y = left - everything["left"], top - everything["top"]
            inside = (
                x >= 0 and y >= 0 and x + width <= everything["width"] and y + height <= everything["height"]
            )
            if not inside or width < 16 or height < 16:
                size = f"{everything['width']}x{everything['height']}"
                raise NoDeviceError(f"source {self.name}", f"the desktop is {size}, a region at least 16x16")
            return {"left": left, "top": top, "width": width, "height": height}
        number = int(self._words or 1)
        if not 0 < number <= len(each):
            raise NoDeviceError(f"source {self.name}", f"monitors are numbered from 1 to {len(each)}")
        return each[number - 1]


def monitors() -> list[Area]:
    """The area of each monitor, in the system's order. Raises NoDeviceError without a display or the package."""
    display = _display("screen:")
    try:
        return list(display.monitors)[1:]
    except _refusals() as error:
        raise NoDeviceError(f"monitors cannot be listed ({error})", FORMS) from error
    finally:
        display.close()


def _bgr(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)


def _display(name: str) -> Display:
    try:
        import mss
    except ImportError:
        raise NoDeviceError(
            f"source {name} needs the package mss", "pip install 'faceswapd[screen]'"
        ) from None
    try:
        display: Display = mss.MSS(with_cursor=True)
    except _refusals() as error:
        raise NoDeviceError(
            f"source {name} has no display ({error})", "run it within a desktop session"
        ) from error
    return display


def _refusals() -> tuple[type[Exception], ...]:
    """What the package raises, where it is installed."""
    try:
        from mss.exception import ScreenShotError
    except ImportError:
        return (OSError,)
    return (OSError, ScreenShotError)
