"""The part of the Linux video interface (V4L2) that is used: layouts, request numbers, system calls.

Layouts and numbers are those of <linux/videodev2.h> and never change; ctypes gives them the alignment of the
machine.
"""

import ctypes
import os
import select
from collections.abc import Iterator
from ctypes import c_int, c_long, c_uint8, c_uint32, c_void_p
from pathlib import Path

CAP_CAPTURE = 0x1
CAP_OUTPUT = 0x2
CAP_CAPTURE_PLANES = 0x1000
CAP_MEMORY_TO_MEMORY = 0x4000 | 0x8000
CAP_DEVICE_CAPS = 0x8000_0000

TYPE_CAPTURE = 1
TYPE_OUTPUT = 2
TYPE_CAPTURE_PLANES = 9
MEMORY_MMAP = 1
FIELD_NONE = 1
DISCRETE = 1
I420 = int.from_bytes(b"YU12", "little")
"""The kernel's own name for planar 4:2:0 is YU12; everybody else says I420."""
EVENT_CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1
"""v4l2loopback's private event (0.13 and later): how many programs read the device, since 0.14 just 0 or 1."""
EVENT_SEND_INITIAL = 1


class Capability(ctypes.Structure):
    """struct v4l2_capability."""

    _fields_ = (
        ("driver", ctypes.c_char * 16),
        ("card", ctypes.c_char * 32),
        ("bus_info", ctypes.c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", ctypes.c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FrameSizes(ctypes.Structure):
    """struct v4l2_frmsizeenum; `values` is width, height, or least, most, step of both."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("values", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class FrameIntervals(ctypes.Structure):
    """struct v4l2_frmivalenum; `values` is one fraction of a second, or the least, the most and the step."""

    _fields_ = (
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("values", c_uint32 * 6),
        ("reserved", c_uint32 * 2),
    )


class RequestBuffers(ctypes.Structure):
    """struct v4l2_requestbuffers."""

    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class PixFormat(ctypes.Structure):
    """struct v4l2_pix_format."""

    _fields_ = tuple(
        (name, c_uint32)
        for name in (
            "width", "height", "pixelformat", "field", "bytesperline", "sizeimage",
            "colorspace", "priv", "flags", "ycbcr_enc", "quantization", "xfer_func",
        )
    )  # fmt: skip


class _FormatUnion(ctypes.Union):
    _fields_ = (("pix", PixFormat), ("raw", c_uint8 * 200), ("aligned_as", c_void_p))


class Format(ctypes.Structure):
    """struct v4l2_format."""

    _anonymous_ = ("fmt",)
    _fields_ = (("type", c_uint32), ("fmt", _FormatUnion))


class OutputParm(ctypes.Structure):
    """struct v4l2_outputparm; the time per frame is a fraction of a second."""

    _fields_ = (
        ("capability", c_uint32),
        ("outputmode", c_uint32),
        ("numerator", c_uint32),
        ("denominator", c_uint32),
        ("extendedmode", c_uint32),
        ("writebuffers", c_uint32),
    )


class _ParmUnion(ctypes.Union):
    _fields_ = (("output", OutputParm), ("raw", c_uint8 * 200))


class StreamParm(ctypes.Structure):
    """struct v4l2_streamparm."""

    _anonymous_ = ("parm",)
    _fields_ = (("type", c_uint32), ("parm", _ParmUnion))


class EventSubscription(ctypes.Structure):
    """struct v4l2_event_subscription."""

    _fields_ = (("type", c_uint32), ("id", c_uint32), ("flags", c_uint32), ("reserved", c_uint32 * 5))


class _EventUnion(ctypes.Union):
    _fields_ = (("count", c_uint32), ("raw", c_uint8 * 64), ("aligned_as", ctypes.c_int64))


class Event(ctypes.Structure):
    """struct v4l2_event; `count` is the payload of EVENT_CLIENT_USAGE."""

    _anonymous_ = ("u",)
    _fields_ = (
        ("type", c_uint32),
        ("u", _EventUnion),
        ("pending", c_uint32),
        ("sequence", c_uint32),
        ("timestamp", c_long * 2),
        ("id", c_uint32),
        ("reserved", c_uint32 * 8),
    )


Argument = ctypes.Structure | c_int
_WRITE, _READ = 1, 2


def _request(direction: int, number: int, kind: type[ctypes.Structure] | type[c_int]) -> int:
    """_IOC() of <asm-generic/ioctl.h> for the letter 'V': the numbers of x86, ARM and RISC-V."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


QUERYCAP = _request(_READ, 0, Capability)
ENUM_FMT = _request(_READ | _WRITE, 2, FormatDescription)
G_FMT = _request(_READ | _WRITE, 4, Format)
S_FMT = _request(_READ | _WRITE, 5, Format)
REQBUFS = _request(_READ | _WRITE, 8, RequestBuffers)
STREAMON = _request(_WRITE, 18, c_int)
STREAMOFF = _request(_WRITE, 19, c_int)
S_PARM = _request(_READ | _WRITE, 22, StreamParm)
ENUM_FRAMESIZES = _request(_READ | _WRITE, 74, FrameSizes)
ENUM_FRAMEINTERVALS = _request(_READ | _WRITE, 75, FrameIntervals)
DQEVENT = _request(_READ, 89, Event)
SUBSCRIBE_EVENT = _request(_WRITE, 90, EventSubscription)


def fourcc(code: int) -> str:
    """The four letters of a pixel format."""
    return code.to_bytes(4, "little").decode("ascii", "replace").rstrip(" \0")


class Kernel:
    """The system calls on video devices; tests bring their own. Every method raises OSError as the kernel answers."""

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
        """A descriptor for reading and writing; `write` on it may block."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def lock(self, fd: int) -> None:
        """Takes the device node's own advisory lock, which ends with the descriptor; BlockingIOError if held."""
        import fcntl  # late: this module is imported on Windows too

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def ioctl(self, fd: int, request: int, argument: Argument) -> None:
        """One request; the answer is in `argument`."""
        import fcntl

        fcntl.ioctl(fd, request, argument)

    def write(self, fd: int, data: memoryview) -> int:
        """Bytes taken; releases the interpreter lock while it blocks."""
        return os.write(fd, data)

    def event_waits(self, fd: int) -> bool:
        """A subscribed event can be dequeued without blocking."""
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        return any(events & select.POLLPRI for _, events in poll.poll(0))

    def close(self, fd: int) -> None:
        """Gives the descriptor back."""
        os.close(fd)
