"""What `screen:` means on this desktop, and what there is on it to capture."""

import os
import re
import sys
from collections.abc import Mapping

import msgspec
import structlog

from ..core.errors import NoDeviceError, UsageError
from ..core.settings import Size
from .pipewire import load
from .portal import Kind, Portal
from .screen import Screen, monitors
from .screencast import ScreenCast
from .source import Source
from .window import Window, WindowInfo, x11_windows

log = structlog.get_logger(__name__)

_PORTAL = {
    "portal": Kind.MONITOR,
    "portal,monitor": Kind.MONITOR,
    "portal,window": Kind.WINDOW,
    "window": Kind.WINDOW,
}
_TITLE = re.compile(r"window=(.+)", re.DOTALL)


class Monitor(msgspec.Struct, frozen=True):
    """A monitor as it can be asked for."""

    name: str
    """The source's words."""
    size: Size
    """(width, height) in pixels; (0, 0) where the desktop tells only when it is shared."""
    place: tuple[int, int] = (0, 0)
    """Its left upper corner on the desktop."""


def desktop_source(spec: str, fps: float, environ: Mapping[str, str] = os.environ) -> Source:
    """The source for a word that begins with `screen:`, not open yet.

    On Wayland the user chooses in the desktop's dialog what is shared; elsewhere a monitor, a region or a
    window is named. Raises UsageError for what this desktop cannot do.
    """
    words, linux = spec.removeprefix("screen:"), sys.platform.startswith("linux")
    if title := _TITLE.fullmatch(words):
        if not linux:
            raise UsageError(
                f"source {spec}", "windows are captured on Linux; here capture a region of the screen"
            )
        return Window(spec, title[1], fps)
    if words in _PORTAL:
        if not linux:
            raise UsageError(f"source {spec}", "only Linux has a desktop portal; say screen:")
        return ScreenCast(spec, fps, _PORTAL[words])
    if linux and is_wayland(environ):
        if not words:
            return ScreenCast(spec, fps)
        raise UsageError(
            f"source {spec} on Wayland",
            "its desktop has you choose: say screen: or screen:window (screen:window=TITLE reads X11 windows)",
        )
    return Screen(spec, fps)


def is_wayland(environ: Mapping[str, str] = os.environ) -> bool:
    """The session is Wayland's: its screen cannot be read, only be shared."""
    return bool(environ.get("WAYLAND_DISPLAY")) or environ.get("XDG_SESSION_TYPE") == "wayland"


def desktop_monitors(environ: Mapping[str, str] = os.environ) -> tuple[Monitor, ...]:
    """What `screen:` can show; empty without a desktop."""
    if sys.platform.startswith("linux") and is_wayland(environ):
        return (Monitor("screen:", (0, 0)),)
    try:
        areas = monitors()
    except NoDeviceError as error:
        log.debug("monitors.none", error=str(error))
        return ()
    return tuple(
        Monitor(f"screen:{number}", (area["width"], area["height"]), (area["left"], area["top"]))
        for number, area in enumerate(areas, 1)
    )


def shown(environ: Mapping[str, str] = os.environ) -> str:
    """What of this desktop `screen:` can show, in words; nobody is asked for it. Blocks.

    Raises NoDeviceError, with the remedy, where it can show nothing.
    """
    if sys.platform.startswith("linux") and is_wayland(environ):
        load("screen:")
        kinds = Portal("screen:", Kind.MONITOR).kinds()
        words = {Kind.MONITOR: "a monitor (screen:)", Kind.WINDOW: "a window (screen:window)"}
        return f"{' or '.join(words[kind] for kind in kinds)}, chosen in the desktop's dialog"
    areas = monitors()
    if not areas:
        raise NoDeviceError("this desktop has no monitor", "connect one")
    return ", ".join(f"screen:{n} {area['width']}x{area['height']}" for n, area in enumerate(areas, 1))


def desktop_windows() -> tuple[WindowInfo, ...]:
    """What `screen:window=` can show; empty where windows have no titles for us (Wayland's own, other systems)."""
    return x11_windows() if sys.platform.startswith("linux") else ()
