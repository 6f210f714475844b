"""An X server of our own, without a screen, and a program that has windows of one colour on it."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import faceswapd  # noqa: F401 - makes the folders importable under its name
from faceswapd.native.xcb import Server

BACK_PIXEL, OVERRIDE_REDIRECT = 1 << 1, 1 << 9  # xcb_cw_t
X, Y, WIDTH, HEIGHT, STACK = 1, 2, 4, 8, 64  # xcb_config_window_t
ABOVE = 0
STRING, WM_NAME = 31, 39  # atoms that every server has


@contextmanager
def x_server(size: str = "800x600") -> Iterator[str]:
    """Runs Xvfb; gives the name of its display."""
    reader, writer = os.pipe()
    words = ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(words, pass_fds=[writer], stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with os.fdopen(reader) as told:
            name = f":{told.readline().strip()}"
        try:
            yield name
        finally:
            server.terminate()


def missing() -> str:
    """What is lacking for it here; empty when it can run."""
    return "" if shutil.which("Xvfb") else "Xvfb is not installed"


class Painter:
    """A program with windows of one colour."""

    def __init__(self, display: str) -> None:
        self.server = Server(display)
        self.core = self.server._library.core
        self.connection = ctypes.c_void_p(self.server._connection)

    def window(self, title: str, place: tuple[int, int], size: tuple[int, int], colour: int) -> int:
        """A window that is shown, 0xRRGGBB all over."""
        number: int = self.core.xcb_generate_id(self.connection)
        values = (ctypes.c_uint32 * 2)(colour, 1)
        self._call(
            "xcb_create_window", ctypes.c_uint8(0), number, self.server.root,
            *map(ctypes.c_int16, place), *map(ctypes.c_uint16, size), ctypes.c_uint16(0), ctypes.c_uint16(1),
            0, BACK_PIXEL | OVERRIDE_REDIRECT, values,
        )  # fmt: skip
        self.name(number, title)
        self.show(number)
        return number

    def name(self, window: int, title: str) -> None:
        raw = title.encode()
        kind = self.server.atom("UTF8_STRING")
        self._property(window, self.server.atom("_NET_WM_NAME"), kind, raw)

    def name_in_latin(self, window: int, title: str) -> None:
        self._property(window, WM_NAME, STRING, title.encode("latin-1"))

    def paint(self, window: int, colour: int) -> None:
        self._call("xcb_change_window_attributes", window, BACK_PIXEL, (ctypes.c_uint32 * 1)(colour))
        nothing = [ctypes.c_int16(0)] * 2 + [ctypes.c_uint16(0)] * 2
        self._call("xcb_clear_area", ctypes.c_uint8(0), window, *nothing)

    def place(self, window: int, mask: int, *values: int) -> None:
        words = (ctypes.c_uint32 * len(values))(*values)
        self._call("xcb_configure_window", window, ctypes.c_uint16(mask), words)

    def show(self, window: int) -> None:
        self._call("xcb_map_window", window)

    def hide(self, window: int) -> None:
        self._call("xcb_unmap_window", window)

    def end(self, window: int) -> None:
        self._call("xcb_destroy_window", window)

    def close(self) -> None:
        self.server.close()

    def _property(self, window: int, name: int, kind: int, raw: bytes) -> None:
        self._call(
            "xcb_change_property", ctypes.c_uint8(0), window, name, kind, ctypes.c_uint8(8), len(raw), raw
        )

    def _call(self, name: str, *words: object) -> None:
        """Waits until it has been done."""
        getattr(self.core, name)(self.connection, *words)
        self.server.geometry(self.server.root)
