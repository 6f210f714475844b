"""A virtual camera through pyvirtualcam: OBS or UnityCapture on Windows, OBS on macOS, a second choice on Linux.

What pyvirtualcam 0.15 does not give, and no wrapper can: errors of writing (they go to the C library's stderr),
other Python threads during `send`, and, on Linux, the frame rate for readers.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BusyError, ConfigError, FaceswapdError, NoDeviceError, UsageError
from ..core.frame import Frame
from ..core.pixels import bgr_to_i420
from ..core.settings import Size
from .sink import WhenFull

INSTALL = {
    "win32": "install OBS Studio, or UnityCapture",
    "darwin": "install OBS Studio 30 or newer, and start its virtual camera once",
    "linux": "load one: sudo modprobe v4l2loopback exclusive_caps=1 card_label=faceswapd",
}
# OBS on Windows, OBS on macOS, and on Linux: one process, EBUSY, exclusive_caps with a writer.
_BUSY = ("could not be started", "couldn't start", "in use", "busy", "not a video output device")
SYSFS = Path("/sys/class/video4linux")


class VirtualcamSink:
    """A virtual camera of the machine, by name or path; "" takes the first. Frames are BGR of exactly `size`.

    pyvirtualcam is not thread-safe: one thread opens, feeds and closes it. `name` is the device's own once
    it is open.
    """

    when_full = WhenFull.NEWEST
    steady = True

    def __init__(self, device: str, size: Size, fps: float, library: Any = None, sysfs: Path = SYSFS) -> None:
        """`size` is (width, height), both even; `library` and `sysfs` stand in for pyvirtualcam and Linux.

        Raises UsageError for an odd or empty size.
        """
        width, height = size
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise UsageError(f"output size {width}x{height}", "give an even width and an even height")
        self.name = device
        self._device = device or None
        self._size = size
        self._fps = fps
        self._library = library
        self._sysfs = sysfs
        self._planes = np.empty((height * 3 // 2, width), np.uint8)
        self._camera: Any = None

    def open(self) -> None:
        """Starts the camera.

        Raises NoDeviceError, BusyError, or ConfigError where pyvirtualcam itself cannot be loaded.
        """
        library = self._library or self._load()
        width, height = self._size
        try:
            self._camera = library.Camera(
                width, height, self._fps, fmt=library.PixelFormat.I420, device=self._device
            )
        except (RuntimeError, OSError) as error:
            raise self._refused(str(error)) from error
        self.name = str(self._camera.device)
        self._check_size()

    def put(self, frame: Frame) -> None:
        """Hands one frame over. A device that went away is not noticed here: the library does not tell."""
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} for an output of {self._size}")
        self._camera.send(bgr_to_i420(frame.pixels, out=self._planes))

    def close(self) -> None:
        """Stops the camera; nothing where `open` failed."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _check_size(self) -> None:
        """On Linux a device with a reader keeps its size, and pyvirtualcam does not look."""
        node = self._sysfs / Path(self.name).name / "format"  # FOURCC:WIDTHxHEIGHT@RATE
        answer = node.read_text().strip() if node.exists() else ""
        width, height = self._size
        if answer and f":{width}x{height}@" not in answer:
            self.close()
            raise NoDeviceError(
                f"{self.name} answers {answer} when asked for {width}x{height}",
                "close the programs that hold it open, or choose that size",
            )

    @staticmethod
    def _load() -> Any:
        try:
            import pyvirtualcam  # late: a native module that most Linux machines never need
        except ImportError as error:
            raise ConfigError("pyvirtualcam cannot be loaded", f"install it again ({error})") from error
        return pyvirtualcam

    def _refused(self, answer: str) -> FaceswapdError:
        """Its joined texts of several backends, as one typed line."""
        name = self.name or "the virtual camera"
        line = "; ".join(part.strip() for part in answer.splitlines() if part.strip())
        if any(word in line.lower() for word in _BUSY):
            return BusyError(f"{name} is in use ({line})", "stop the program that sends to it, OBS included")
        return NoDeviceError(f"{name} cannot be opened ({line})", INSTALL.get(sys.platform, INSTALL["linux"]))
