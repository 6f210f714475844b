"""A window of an X11 desktop as a source: its own picture, wherever it is and whatever covers it."""

from collections.abc import Iterator
from contextlib import suppress

import cv2
import msgspec
import numpy as np
import structlog

from ..core.errors import DeviceLostError, NoDeviceError, UsageError
from ..core.frame import Pixels
from ..core.settings import Size
from ..native.xcb import Memory, Server, XError
from .source import Shot
from .ticker import Ticker

log = structlog.get_logger(__name__)

LISTED = "`faceswapd devices` lists windows"
LEAST = 16
"""Windows that are smaller, in either direction, only carry messages."""


class WindowInfo(msgspec.Struct, frozen=True):
    """A window that can be captured."""

    title: str
    number: str
    """0x and its number in the display, for one whose title is no other than another's."""
    size: Size
    """(width, height) in pixels."""


def windows(server: Server) -> Iterator[WindowInfo]:
    """Every window with a title: those that the window manager lists, or where none runs, the display's own."""
    listed = np.frombuffer(server.property(server.root, "_NET_CLIENT_LIST"), np.uint32).tolist()
    for window in listed or server.children(server.root):
        with suppress(XError):  # it was closed meanwhile
            title, geometry = _title(server, window), server.geometry(window)
            if title and min(geometry.width, geometry.height) >= LEAST:
                yield WindowInfo(title, f"{window:#x}", (geometry.width, geometry.height))


def find_window(called: str, server: Server) -> WindowInfo:
    """The window with this number, this title, or this part of its title, in any case.

    Raises NoDeviceError when there is none, UsageError when several are meant.
    """
    folded, there = called.casefold(), list(windows(server))
    same = [w for w in there if folded in (w.number, w.title.casefold())]
    for found in (same, [w for w in there if folded in w.title.casefold()]):
        if len(found) > 1:
            named = ", ".join(f"{w.title} ({w.number})" for w in found)
            raise UsageError(
                f"{len(found)} windows are called {called!r}", f"say which by its number: {named}"
            )
        if found:
            return found[0]
    raise NoDeviceError(f"no window is called {called!r}", LISTED)


class Window:
    """Pictures of one window, `fps` times a second, without the mouse pointer.

    It is followed by its number, so that it may be moved, covered, resized and renamed. While it is not shown
    at all (iconified, on another desktop) its last picture stands. Closed, it is lost like a camera, and found
    again when a window is called so.
    """

    paced = False

    def __init__(self, spec: str, called: str, fps: float, display: str | None = None) -> None:
        """`spec` is what the user wrote, `called` what the window is called in it; `display` as X11 names it."""
        self.name = spec
        self.fps = fps
        self.size: Size = (0, 0)
        self._called = called
        self._display = display
        self._server: Server | None = None
        self._window = 0
        self._memory: Memory | None = None
        self._shares = True
        self._last: Pixels | None = None
        self._ticker = Ticker(fps)

    def open(self) -> None:
        """Finds the window. Raises NoDeviceError where it is not, or is not shown; UsageError for several."""
        self._server = server = _connected(self.name, self._display)
        try:
            if not server.has_composite():
                raise NoDeviceError(
                    f"source {self.name}: the display has no Composite",
                    "capture a region of it: screen:X,Y,WxH",
                )
            info = find_window(self._called, server)
            self._window = int(info.number, 16)
            server.redirect(self._window)
            if not self._look(server):
                raise NoDeviceError(f"the window {info.title} is not shown", "bring it up, then start again")
        except XError as error:
            self.close()
            raise NoDeviceError(f"source {self.name} cannot be read ({error})", LISTED) from error
        except BaseException:
            self.close()
            raise
        self._ticker.start()
        log.info("source.opened", source=self.name, window=info.title, number=info.number, size=self.size)

    def read(self) -> Shot:
        """Waits for the next tick, then takes a picture. Raises DeviceLostError when the window was closed."""
        assert self._server is not None, "not open"
        self._ticker.wait()
        try:
            self._look(self._server)
        except XError:
            self._tell_whether_closed(self._server)
        assert self._last is not None
        return Shot(self._last)

    def close(self) -> None:
        """Lets go of the window."""
        server, self._server, memory, self._memory = self._server, None, self._memory, None
        self._last = None
        if server is not None:
            server.close()
        if memory is not None:
            memory.bytes.close()

    def _look(self, server: Server) -> bool:
        """Takes a picture if the window is shown.

        The window gets another pixmap whenever it changes its size or is shown anew, so it is named each time.
        """
        if not server.is_viewable(self._window):
            return False
        pixmap = server.pixmap(self._window)
        try:
            width, height, depth = server.geometry(pixmap)
            if depth not in (24, 32):
                raise NoDeviceError(f"source {self.name} has {depth} bits a pixel", "24 and 32 can be read")
            raw = self._raw(server, pixmap, (width, height))
            pixels = np.frombuffer(raw, np.uint8, 4 * width * height).reshape(height, width, 4)
            self._last = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)
            self.size = width, height
        finally:
            server.free(pixmap)
        return True

    def _raw(self, server: Server, pixmap: int, size: Size) -> "bytes | memoryview":
        """Through shared memory; through the connection, which takes longer, where the display shares none."""
        needed = 4 * size[0] * size[1]
        if self._shares and (self._memory is None or len(self._memory.bytes) < needed):
            old, self._memory = self._memory, None
            if old is not None:
                server.detach(old)
                old.bytes.close()
            try:
                self._memory = server.attach(needed)
            except XError as error:
                self._shares = False
                log.info("window.no_shared_memory", source=self.name, error=str(error))
        if self._memory is None:
            return server.image(pixmap, *size)
        server.image_into(self._memory, pixmap, *size)
        return memoryview(self._memory.bytes)

    def _tell_whether_closed(self, server: Server) -> None:
        """A window that vanished between two questions may also just have been iconified."""
        try:
            server.geometry(self._window)
        except XError as error:
            raise DeviceLostError(f"{self.name} was closed", "open the window again") from error


def x11_windows(display: str | None = None) -> tuple[WindowInfo, ...]:
    """Every window of the X11 desktop; none where there is no such desktop."""
    try:
        server = Server(display)
    except OSError as error:
        log.debug("windows.none", error=str(error))
        return ()
    try:
        return tuple(windows(server))
    except XError as error:
        log.debug("windows.none", error=str(error))
        return ()
    finally:
        server.close()


def _connected(name: str, display: str | None) -> Server:
    try:
        return Server(display)
    except XError as error:
        raise NoDeviceError(
            f"source {name}: {error}", "it reads windows of X11; on Wayland say screen:window"
        ) from error
    except OSError as error:
        raise NoDeviceError(
            f"source {name} needs libxcb ({error})", "install libxcb1, libxcb-composite0 and libxcb-shm0"
        ) from error


def _title(server: Server, window: int) -> str:
    raw = server.property(window, "_NET_WM_NAME")
    return raw.decode(errors="replace") if raw else server.property(window, "WM_NAME").decode("latin-1")
