"""What the Linux kernel calls things in Video4Linux, as far as cameras are listed and diagnosed.

Layouts and numbers are those of linux/videodev2.h; they never change.
"""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

CAPTURE = 0x1
OUTPUT = 0x2
CAPTURE_PLANES = 0x1000
MEMORY_TO_MEMORY = 0x4000 | 0x8000
DEVICE_CAPS = 0x8000_0000

TYPE_CAPTURE = 1
TYPE_OUTPUT = 2
TYPE_CAPTURE_PLANES = 9
MEMORY_MMAP = 1
DISCRETE = 1


class Capability(ctypes.Structure):
    """struct v4l2_capability."""

    _fields_ = (
        ("driver", ctypes.c_char * 16),
        ("card", ctypes.c_char * 32),
        ("bus_info", ctypes.c_char * 32),
        ("version", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("device_caps", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_uint32),
        ("mbus_code", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


class FrameSizes(ctypes.Structure):
    """struct v4l2_frmsizeenum; `values` is width, height, or least, most, step of both."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("values", ctypes.c_uint32 * 6),
        ("reserved", ctypes.c_uint32 * 2),
    )


class FrameIntervals(ctypes.Structure):
    """struct v4l2_frmivalenum; `values` is one fraction of a second, or the least, the most and the step."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("values", ctypes.c_uint32 * 6),
        ("reserved", ctypes.c_uint32 * 2),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers."""

    _fields_ = (
        ("count", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("memory", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("flags", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 3),
    )


def _request(direction: int, number: int, kind: type[ctypes.Structure]) -> int:
    """The kernel's _IOC macro with type 'V'."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


QUERYCAP = _request(2, 0, Capability)
ENUM_FMT = _request(3, 2, FormatDescription)
REQBUFS = _request(3, 8, RequestBuffers)
ENUM_FRAMESIZES = _request(3, 74, FrameSizes)
ENUM_FRAMEINTERVALS = _request(3, 75, FrameIntervals)


def fourcc(code: int) -> str:
    """The four letters of a pixel format."""
    return code.to_bytes(4, "little").decode("ascii", "replace").rstrip(" \0")


class Kernel:
    """The operating system as this folder uses it; tests bring their own. Raises OSError."""

    def nodes(self) -> Iterator[tuple[str, str]]:
        """(path, name) of every video device, in the order of their numbers."""
        found = sorted(Path("/sys/class/video4linux").glob("video*"), key=lambda p: (len(p.name), p.name))
        for node in found:
            yield f"/dev/{node.name}", (node / "name").read_text(errors="replace").strip()

    def exists(self, path: str) -> bool:
        """The device is plugged in."""
        return Path(path).exists()

    def resolved(self, path: str) -> str:
        """The device that a link like /dev/v4l/by-id/... leads to."""
        return os.path.realpath(path)

    def stable(self, path: str) -> str:
        """The link that leads to this device also after it was plugged in elsewhere or later; "" if none."""
        links = sorted(Path("/dev/v4l/by-id").glob("*"))
        return next((str(link) for link in links if self.resolved(str(link)) == path), "")

    def open(self, path: str) -> int:
        """A descriptor for questions; it disturbs nobody who streams."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        """Gives the descriptor back."""
        os.close(fd)

    def ioctl(self, fd: int, request: int, argument: ctypes.Structure) -> None:
        """Asks or tells the device; the answer is in `argument`."""
        import fcntl  # only Unix has it: this module is imported everywhere

        fcntl.ioctl(fd, request, argument)
