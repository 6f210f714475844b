"""Video devices that are not there: the kernel's answers and OpenCV's captures."""

import errno
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from faceswapd.capture.devices import Device
from faceswapd.core.settings import Size
from faceswapd.native import v4l2 as abi


class Stopwatch:
    """In the place of `time`: passes where somebody sleeps, and nowhere else."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


Formats = dict[bytes, dict[Size, tuple[tuple[int, int], ...]]]

FORMATS: Formats = {
    b"YUYV": {(640, 480): ((1, 30), (1, 15)), (1280, 720): ((1, 10),)},
    b"MJPG": {(640, 480): ((1, 30),), (1280, 720): ((1, 30),)},
}
"""A common webcam: 720p is fluent in Motion JPEG only. Rates as fractions of a second."""


class Node:
    """One video device; an `error` is raised when it is opened or asked."""

    def __init__(
        self,
        card: str,
        driver: str = "uvcvideo",
        caps: int = abi.CAP_CAPTURE,
        formats: Formats | None = None,
        *,
        error: int = 0,
        busy: bool = False,
        ranges: bool = False,
    ) -> None:
        self.card, self.driver, self.caps, self.error, self.busy = card, driver, caps, error, busy
        self.formats = FORMATS if formats is None else formats
        self.ranges = ranges


class FakeKernel(abi.Kernel):
    """A machine with the given devices; `opened` counts descriptors that were not closed."""

    def __init__(self, links: dict[str, str] | None = None, **nodes: Node) -> None:
        self.devices = {f"/dev/{name}": node for name, node in nodes.items()}
        self.links = links or {}
        self.opened = 0
        self._fds: dict[int, Node] = {}

    def nodes(self) -> Iterator[tuple[str, str]]:
        yield from ((path, node.card) for path, node in self.devices.items())

    def exists(self, path: str) -> bool:
        return path in self.devices

    def resolved(self, path: str) -> str:
        return self.links.get(path, path)

    def stable(self, path: str) -> str:
        return next((link for link, leads in self.links.items() if leads == path), "")

    def open(self, path: str) -> int:
        node = self.devices.get(self.resolved(path))
        if node is None:
            raise OSError(errno.ENOENT, "No such file or directory")
        if node.error:
            raise OSError(node.error, "refused")
        self.opened += 1
        fd = max(self._fds, default=0) + 1
        self._fds[fd] = node
        return fd

    def close(self, fd: int) -> None:
        self.opened -= 1

    def ioctl(self, fd: int, request: int, argument: abi.Argument) -> None:
        node = self._fds[fd]
        a: Any = argument
        if request == abi.QUERYCAP:
            a.driver, a.card = node.driver.encode(), node.card.encode()
            a.capabilities, a.device_caps = abi.CAP_DEVICE_CAPS | 0xFFFF, node.caps
        elif request == abi.REQBUFS:
            if node.busy:
                raise OSError(errno.EBUSY, "Device or resource busy")
        elif request == abi.ENUM_FMT:
            a.pixelformat = int.from_bytes(self._at(list(node.formats), a.index), "little")
        elif request == abi.ENUM_FRAMESIZES:
            sizes = node.formats[a.pixel_format.to_bytes(4, "little")]
            if node.ranges:
                self._at([0], a.index)
                a.type, (a.values[0], a.values[1], a.values[3], a.values[4]) = 3, (2, 8192, 1, 4096)
            else:
                a.type, (a.values[0], a.values[1]) = abi.DISCRETE, self._at(list(sizes), a.index)
        elif request == abi.ENUM_FRAMEINTERVALS:
            if node.ranges:
                a.type = 3
                return
            rates = node.formats[a.pixel_format.to_bytes(4, "little")][(a.width, a.height)]
            a.type, (a.values[0], a.values[1]) = abi.DISCRETE, self._at(list(rates), a.index)
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    @staticmethod
    def _at(values: list[Any], index: int) -> Any:
        if index >= len(values):
            raise OSError(errno.EINVAL, "Invalid argument")
        return values[index]


class FakeCapture:
    """OpenCV's capture of one device: gives what it was set to, then what `reads` says (False: no picture)."""

    def __init__(self, opened: bool = True, reads: tuple[bool, ...] = (), fps: float | None = None) -> None:
        self.opened, self.reads, self.told = opened, list(reads), fps
        self.props: dict[int, float] = {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}
        self.released = 0

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, prop: int, value: float, /) -> bool:
        self.props[prop] = value
        return True

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_FPS and self.told is not None:
            return self.told
        return self.props.get(prop, 0.0)

    def read(self) -> tuple[bool, Any]:
        if self.reads and not self.reads.pop(0):
            return False, None
        width, height = (int(self.props[p]) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        return True, np.zeros((height, width, 3), np.uint8)

    def release(self) -> None:
        self.released += 1


class FakeSystem:
    """Devices as they are listed."""

    def __init__(self, *devices: Device) -> None:
        self.devices = devices

    def scan(self) -> tuple[Device, ...]:
        return self.devices

    def resolved(self, path: str) -> str:
        return path
