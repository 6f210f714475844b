"""A camera, through OpenCV: Video4Linux, DirectShow or AVFoundation."""

import errno
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import structlog

from ..core.errors import BusyError, DeviceLostError, NoDeviceError
from ..core.frame import Pixels
from ..core.settings import Size
from ..native import v4l2 as abi
from .devices import Device, Format, Linux, System
from .enumerated import backend
from .source import Shot

log = structlog.get_logger(__name__)

SILENCE_S = 3.0
"""A camera that gives nothing for so long is lost; slow ones take two seconds for their first picture."""
OLDEST_S = 1.0
"""A picture that is said to be older was stamped by another clock than ours."""
FASTEST = 480.0
"""A rate above it is a driver's way of saying that it does not know."""
RAW = ("YUYV", "NV12", "YU12", "UYVY", "NV21", "YV12", "BGR3", "RGB3")
"""Uncompressed formats that OpenCV reads, the common ones first."""
MOTION_JPEG = ("MJPG", "JPEG")


class Mode(NamedTuple):
    """What a camera is asked for."""

    pixels: str
    size: Size
    fps: float


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used."""

    def isOpened(self) -> bool: ...  # noqa: D102, N802
    def set(self, prop: int, value: float, /) -> bool: ...  # noqa: D102
    def get(self, prop: int, /) -> float: ...  # noqa: D102
    def read(self) -> tuple[bool, Any]: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


def best_mode(formats: tuple[Format, ...], size: Size, fps: float) -> Mode | None:
    """The mode nearest to what is wanted; None where the device does not tell its formats.

    First the size (the very one, else the smallest that is larger, else the largest), then the rate (at
    least the one wanted, else the fastest), then uncompressed before Motion JPEG, which costs a decoder.
    """
    known = [f for f in formats if f.pixels in RAW + MOTION_JPEG]
    if not known:
        return None

    def merit(f: Format) -> tuple[float, ...]:
        w, h = size if f.holds(size) else f.size
        covers = w >= size[0] and h >= size[1]
        rate = _rate(f, fps)
        return (w, h) == size, covers, -w * h if covers else w * h, min(rate, fps), f.pixels in RAW

    best = max(known, key=merit)
    return Mode(best.pixels, size if best.holds(size) else best.size, _rate(best, fps))


def _rate(f: Format, fps: float) -> float:
    """The slowest rate of a format that is fast enough, else its fastest."""
    enough = [rate for rate in f.fps if rate >= fps - 0.5]
    return min(enough) if enough else max(f.fps, default=fps)


class Camera:
    """Blocks in `read` until the camera has its next picture.

    The driver's queue is left as deep as it is: a reader on a thread of its own empties it at once, and
    with a single buffer some drivers have nowhere to put the picture that comes meanwhile.
    """

    paced = False

    def __init__(
        self,
        device: Device,
        size: Size,
        fps: float,
        *,
        capture: Callable[[Any, int], Capture] = cv2.VideoCapture,
        system: System | None = None,
        kernel: abi.Kernel | None = None,
    ) -> None:
        """`size` and `fps` are asked for; what the camera really gives is known once it is open."""
        self.name = device.name
        self.size = size
        self.fps = fps
        self._wanted = size, fps
        self._device = device
        self._capturing = capture
        self._linux = sys.platform.startswith("linux") or kernel is not None
        self._kernel = kernel or abi.Kernel()
        self._system = system or (Linux(self._kernel) if self._linux else None)
        self._capture: Capture | None = None
        self._first: Pixels | None = None
        self._was_open = False

    def open(self) -> None:
        """Opens it in its best mode and waits for its first picture: one to five seconds.

        Raises NoDeviceError, BusyError, or DeviceLostError for a camera that gives no picture.
        """
        if self._was_open:
            self._device = self._found_again()
        if self._linux:
            self._diagnose(self._device.path)
        capture = self._opened()
        try:
            self._negotiate(capture)
            self._capture = capture
            self._first = first = self._picture(capture)
        except BaseException:
            self._capture = None
            capture.release()
            raise
        self.size = first.shape[1], first.shape[0]
        told = capture.get(cv2.CAP_PROP_FPS)
        self.fps = told if 0 < told <= FASTEST else self._wanted[1]
        self._was_open = True
        log.info("source.opened", device=self._device.path, name=self.name, size=self.size, fps=self.fps)
        if self.fps < 0.9 * self._wanted[1]:
            log.warning("source.slower", device=self._device.path, asked=self._wanted[1], got=self.fps)

    def read(self) -> Shot:
        """The next picture. Raises DeviceLostError when the camera is gone or silent."""
        assert self._capture is not None, "not open"
        pixels, self._first = self._first, None
        if pixels is None:
            pixels = self._picture(self._capture)
        return Shot(pixels, age_s=self._age_s(self._capture))

    def close(self) -> None:
        """Gives the camera back; its light goes out."""
        capture, self._capture, self._first = self._capture, None, None
        if capture is not None:
            capture.release()

    def _age_s(self, capture: Capture) -> float | None:
        """Since the last picture was exposed: Video4Linux stamps it, for most drivers on the monotonic clock.

        OpenCV gives the stamp of the buffer in ms; other systems have none that could be compared.
        """
        if not self._linux:
            return None
        age_s = time.monotonic() - capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return age_s if 0 <= age_s <= OLDEST_S else None

    def _opened(self) -> Capture:
        # Without it a read from an unplugged camera blocks for 10 s; OpenCV reads it at its first capture.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", f"{SILENCE_S:.0f}")
        path = self._device.path
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            capture = (
                self._capturing(path, cv2.CAP_V4L2) if self._linux else self._capturing(int(path), backend())
            )
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not capture.isOpened():
            capture.release()
            if self._linux:
                raise NoDeviceError(f"{self._called()} cannot be opened", "`faceswapd devices` lists cameras")
            raise NoDeviceError(
                f"{self._called()} cannot be opened", "close programs that use it, allow access to it"
            )
        return capture

    def _negotiate(self, capture: Capture) -> None:
        size, fps = self._wanted
        mode = best_mode(self._device.formats, size, fps)
        if mode is None:  # over USB 2 anything above 640x480 is fluent in Motion JPEG only
            mode = Mode("MJPG" if size[0] * size[1] > 640 * 480 else "", size, fps)
        if mode.pixels:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*mode.pixels))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, mode.size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.size[1])
        capture.set(cv2.CAP_PROP_FPS, mode.fps)

    def _picture(self, capture: Capture) -> Pixels:
        """The next picture; single broken ones are passed over."""
        deadline = time.monotonic() + SILENCE_S
        while True:
            ok, pixels = capture.read()
            # A driver may repeat its last picture after the device was pulled out.
            if self._linux and not self._kernel.exists(self._device.path):
                raise DeviceLostError(f"{self._called()} was unplugged", "plug it in again")
            if ok and pixels is not None:
                return np.asarray(pixels, np.uint8)
            if time.monotonic() >= deadline:
                raise DeviceLostError(
                    f"{self._called()} gives no pictures", "plug it in anew, or look at its switch"
                )
            time.sleep(0.01)

    def _diagnose(self, path: str) -> None:
        """Says what OpenCV would not: why a device cannot be opened."""
        try:
            fd = self._kernel.open(path)
        except OSError as error:
            raise self._refusal(error) from None
        try:
            self._kernel.ioctl(fd, abi.REQBUFS, _buffers(1))
            self._kernel.ioctl(fd, abi.REQBUFS, _buffers(0))
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise self._refusal(error) from None
        finally:
            self._kernel.close(fd)

    def _refusal(self, error: OSError) -> NoDeviceError | BusyError:
        if error.errno == errno.EBUSY:
            return BusyError(f"{self._called()} is in use", "close the program that uses it")
        if error.errno in (errno.EACCES, errno.EPERM):
            return NoDeviceError(f"{self._called()}: permission denied", "add yourself to the group `video`")
        return NoDeviceError(
            f"{self._called()} is not there ({error.strerror})", "`faceswapd devices` lists cameras"
        )

    def _found_again(self) -> Device:
        """The same camera after it was plugged in anew, perhaps under another number."""
        old, devices = (
            self._device,
            [] if self._system is None else [d for d in self._system.scan() if d.captures],
        )
        for same in (
            lambda d: old.stable and d.stable == old.stable,
            lambda d: (d.name, d.path) == (old.name, old.path),
            lambda d: d.name == old.name,
        ):
            found = next((d for d in devices if same(d)), None)
            if found is not None:
                return found
        return old

    def _called(self) -> str:
        return f"camera {self.name} ({self._device.path})"


def _buffers(count: int) -> abi.RequestBuffers:
    return abi.RequestBuffers(count=count, type=abi.TYPE_CAPTURE, memory=abi.MEMORY_MMAP)
