"""Which cameras and virtual cameras there are, and what they can do."""

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec
import structlog

from ..core.errors import UsageError
from ..core.settings import Size
from ..native import v4l2 as abi

log = structlog.get_logger(__name__)

LOOPBACK = "v4l2 loopback"
GREY = frozenset({"GREY", "Y10", "Y12", "Y16", "Y10B", "Y8I", "Z16"})
"""Formats without colour: the infrared and depth halves of cameras."""
MANY = 200
"""No device has more formats, sizes or rates than this; a broken driver may answer for ever."""


class Format(msgspec.Struct, frozen=True):
    """One size in one pixel format."""

    pixels: str
    """Four letters as Video4Linux has them: YUYV, MJPG, NV12, ..."""
    size: Size
    """(width, height); the largest one where a range is given."""
    fps: tuple[float, ...] = ()
    """Frame rates, fastest first; empty where the device does not tell or takes any."""
    smallest: Size | None = None
    """Set for a range of sizes."""

    def __str__(self) -> str:
        span = f"{self.smallest[0]}x{self.smallest[1]} to " if self.smallest else ""
        rates = f" at {', '.join(f'{rate:g}' for rate in self.fps)}" if self.fps else ""
        return f"{self.pixels} {span}{self.size[0]}x{self.size[1]}{rates}"

    def holds(self, size: Size) -> bool:
        """This very size can be asked for."""
        low = self.smallest or self.size
        return low[0] <= size[0] <= self.size[0] and low[1] <= size[1] <= self.size[1]


class Device(msgspec.Struct, frozen=True):
    """A camera or a virtual camera."""

    name: str
    path: str
    """/dev/videoN; elsewhere the device's number as text."""
    driver: str = ""
    captures: bool = True
    """Pictures can be read from it now."""
    outputs: bool = False
    """Pictures can be written to it now."""
    virtual: bool = False
    """Some program writes what others read from it."""
    stable: str = ""
    """A path that stays when devices are plugged in anew, if there is one."""
    formats: tuple[Format, ...] = ()


class System(Protocol):
    """Where devices are looked up."""

    def scan(self) -> Iterable[Device]:
        """Every video device, in the system's order."""

    def resolved(self, path: str) -> str:
        """The device that a link leads to."""


def cameras(system: System | None = None) -> tuple[Device, ...]:
    """Real cameras; never a virtual one, lest the daemon reads what it writes."""
    return tuple(d for d in _scan(system) if d.captures and not d.virtual)


def virtual_cameras(system: System | None = None) -> tuple[Device, ...]:
    """Virtual cameras, whether somebody writes to them or not."""
    return tuple(d for d in _scan(system) if d.virtual)


def first_camera(system: System | None = None) -> Device | None:
    """The first camera with colours (an infrared one comes last)."""
    found = cameras(system)
    coloured = [d for d in found if not d.formats or any(f.pixels not in GREY for f in d.formats)]
    return next(iter([*coloured, *found]), None)


def first_virtual_camera(system: System | None = None) -> Device | None:
    """The first virtual camera that takes pictures now, else the first one at all."""
    found = virtual_cameras(system)
    return next((d for d in found if d.outputs), found[0] if found else None)


def find_camera(name: str, system: System | None = None) -> Device | None:
    """What a user calls a camera: its path, its number, its name or a part of it.

    A virtual camera that another program feeds is a camera too when it is named. Raises UsageError when
    several devices are meant.
    """
    return _find(name, [d for d in _scan(system) if d.captures], system)


def find_virtual_camera(name: str, system: System | None = None) -> Device | None:
    """The same for virtual cameras."""
    return _find(name, list(virtual_cameras(system)), system)


def _find(name: str, devices: list[Device], system: System | None) -> Device | None:
    path = f"/dev/video{name}" if name.isdecimal() else name
    real = (system or _system()).resolved(path) if path.startswith("/") else path
    folded = name.casefold()
    for fits in (
        lambda d: d.path in (real, name),
        lambda d: d.name.casefold() == folded,
        lambda d: folded in d.name.casefold(),
    ):
        found = [d for d in devices if fits(d)]
        if len(found) > 1:
            paths = ", ".join(d.stable or d.path for d in found)
            raise UsageError(f"{len(found)} devices are called {name!r}", f"say which by its path: {paths}")
        if found:
            return found[0]
    return None


def _scan(system: System | None) -> Iterable[Device]:
    return (system or _system()).scan()


def _system() -> System:
    if sys.platform.startswith("linux"):
        return Linux()
    from .enumerated import Enumerated

    return Enumerated()


class Linux:
    """Devices of Video4Linux."""

    def __init__(self, kernel: abi.Kernel | None = None) -> None:
        self._kernel = kernel or abi.Kernel()

    def scan(self) -> Iterator[Device]:
        """Asks each device; one that cannot be asked is left out, with a line in the log."""
        for path, name in self._kernel.nodes():
            try:
                fd = self._kernel.open(path)
            except OSError as error:
                log.warning("device.unreadable", device=path, name=name, error=error.strerror)
                continue
            try:
                device = self._device(fd, path)
            except OSError as error:
                log.warning("device.unreadable", device=path, name=name, error=error.strerror)
            else:
                if device is not None:
                    yield device
            finally:
                self._kernel.close(fd)

    def resolved(self, path: str) -> str:
        """The device that a link leads to."""
        return self._kernel.resolved(path)

    def _device(self, fd: int, path: str) -> Device | None:
        caps = abi.Capability()
        self._kernel.ioctl(fd, abi.QUERYCAP, caps)
        can = caps.device_caps if caps.capabilities & abi.CAP_DEVICE_CAPS else caps.capabilities
        driver = caps.driver.decode(errors="replace")
        virtual = driver == LOOPBACK
        captures = (
            bool(can & (abi.CAP_CAPTURE | abi.CAP_CAPTURE_PLANES)) and not can & abi.CAP_MEMORY_TO_MEMORY
        )
        if not captures and not virtual:
            return None  # metadata, tuners, codecs, outputs of cards
        planes = can & abi.CAP_CAPTURE_PLANES
        kind = abi.TYPE_CAPTURE_PLANES if planes else abi.TYPE_CAPTURE if captures else abi.TYPE_OUTPUT
        return Device(
            name=caps.card.decode(errors="replace"),
            path=path,
            driver=driver,
            captures=captures,
            outputs=bool(can & abi.CAP_OUTPUT),
            virtual=virtual,
            stable=self._kernel.stable(path),
            formats=tuple(self._formats(fd, kind)),
        )

    def _formats(self, fd: int, kind: int) -> Iterator[Format]:
        for index in range(MANY):
            entry = abi.FormatDescription(index=index, type=kind)
            if not self._asked(fd, abi.ENUM_FMT, entry):
                return
            yield from self._sizes(fd, entry.pixelformat)

    def _sizes(self, fd: int, code: int) -> Iterator[Format]:
        for index in range(MANY):
            entry = abi.FrameSizes(index=index, pixel_format=code)
            if not self._asked(fd, abi.ENUM_FRAMESIZES, entry):
                return
            v = entry.values
            if entry.type == abi.DISCRETE:
                size, smallest = (v[0], v[1]), None
            else:
                size, smallest = (v[1], v[4]), (v[0], v[3])
            yield Format(abi.fourcc(code), size, tuple(self._rates(fd, code, size)), smallest)
            if smallest:
                return

    def _rates(self, fd: int, code: int, size: Size) -> list[float]:
        rates = set()
        for index in range(MANY):
            entry = abi.FrameIntervals(index=index, pixel_format=code, width=size[0], height=size[1])
            if not self._asked(fd, abi.ENUM_FRAMEINTERVALS, entry):
                break
            if entry.type != abi.DISCRETE:
                return []  # any rate within a range
            above, below = entry.values[0], entry.values[1]
            if above:
                rates.add(round(below / above, 2))
        return sorted(rates, reverse=True)

    def _asked(
        self, fd: int, request: int, entry: "abi.FormatDescription | abi.FrameSizes | abi.FrameIntervals"
    ) -> bool:
        """False at the end of an enumeration, or where a driver has none."""
        try:
            self._kernel.ioctl(fd, request, entry)
        except OSError:
            return False
        return True
