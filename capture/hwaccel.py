"""Which device decodes a film: what could, what really does here, and whether it pays."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

import av.error
import structlog
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ..core.errors import FaceswapdError, NoDeviceError, UsageError
from .decode import decoded, open_container, picture_stream

log = structlog.get_logger(__name__)

NONE, AUTO = "none", "auto"
NAMES = ("cuda", "d3d11va", "videotoolbox", "vaapi", "qsv")
"""As FFmpeg's `-hwaccel` calls them, in the order in which `auto` tries them: a graphics card of its own before the
processor's, what the system offers to all before what one maker does."""
EXACT = frozenset({"h264", "hevc", "vp9", "av1", "libdav1d"})
"""Decoders of standards that fix every bit of a picture. `auto` keeps to them: a film is the same whatever read it."""
WORTH = 1_000_000_000
"""Pixels of a film from which on `auto` looks for a device: some 500 frames of 1920x1080, which cost one core little
more than a second (2.3 ms a frame of H.264). Opening and trying a device takes time too."""
PROBED = 16
"""Frames that are decoded both ways before a device is trusted."""


class Devices(Protocol):
    """The decoding devices of a machine."""

    def names(self) -> Sequence[str]:
        """Those that FFmpeg was built for, best first; whether they are there shows when they are used."""

    def open(self, path: Path, device: str) -> InputContainer:
        """A film whose frames `device` decodes, brought to the machine's memory.

        Raises FFmpegError, RuntimeError or NotImplementedError where it cannot.
        """


class FFmpegDevices:
    """Those that FFmpeg knows."""

    def names(self) -> Sequence[str]:
        """See `Devices.names`."""
        built = hwdevices_available()
        return tuple(name for name in NAMES if name in built)

    def open(self, path: Path, device: str) -> InputContainer:
        """See `Devices.open`."""
        # A decoder that goes over to software by itself would be reported as the device that it is not.
        return open_container(
            path, str(path), hwaccel=HWAccel(device_type=device, allow_software_fallback=False)
        )


class DeviceFailedError(Exception):
    """A device did not decode what it should have: the processor takes over, so nobody else sees this."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """The beginning of a film as one decoder gives it."""

    frames: tuple[tuple[int | None, int, int], ...]
    """(pts, width, height) of each."""
    wall_s: float
    """Of a frame after the first, for which a device gets ready."""
    cpu_s: float
    """Of a frame, by all threads."""


def check(wanted: str) -> None:
    """Raises UsageError for a name that nobody knows."""
    if wanted not in (AUTO, NONE, *NAMES):
        raise UsageError(f"unknown decoding device {wanted!r}", f"say {AUTO}, {NONE} or {', '.join(NAMES)}")


def choose(path: Path, wanted: str, devices: Devices, decoder: str, pixels: int | None) -> str | None:
    """The device that will decode this film; None: the processor's cores do.

    `decoder` is the software's name, `pixels` what the whole film has, where that is known. Each device is tried on
    the film's first frames: they must be as many, at the same times and of the same size as the software's. `auto`
    takes it only if it pays: for a long film, and if a frame does not take it longer than it costs a core.

    Raises UsageError for an unknown name, NoDeviceError where a device that was asked for by name cannot decode this.
    """
    check(wanted)
    if wanted == NONE or (wanted == AUTO and (decoder not in EXACT or (pixels or 0) < WORTH)):
        return None
    names = [n for n in devices.names() if wanted in (AUTO, n)]
    if not names and wanted != AUTO:
        raise NoDeviceError(f"decoding device {wanted}", f"this FFmpeg has none; say {AUTO} or {NONE}")
    if not names:
        return None
    software = _tried(lambda: open_container(path, str(path)), lambda _error, _in_a_row: None)
    for name in names:
        refusal = ""
        try:
            trial = _tried(partial(devices.open, path, name), damaged)
        except (DeviceFailedError, FaceswapdError, av.error.FFmpegError, RuntimeError) as error:
            refusal = getattr(error, "strerror", None) or str(error)
        else:
            if trial.frames != software.frames:
                refusal = "its frames are not those of the film"
            elif wanted == AUTO and trial.wall_s > software.cpu_s:
                refusal = f"{trial.wall_s * 1e3:.1f} ms a frame, {software.cpu_s * 1e3:.1f} of a core"
        log.info("decoder.tried", film=str(path), device=name, refusal=refusal)
        if not refusal:
            return name
        if wanted != AUTO:
            raise NoDeviceError(
                f"decoding device {name} cannot decode {path} ({refusal})", f"say {AUTO} or {NONE}"
            )
    return None


def lost(reason: str) -> DeviceFailedError:
    """For `decode.decoded`."""
    return DeviceFailedError(reason or "undecodable")


def damaged(error: av.error.FFmpegError, _in_a_row: int) -> None:
    """For `decode.decoded`: whether the film is at fault or the device is for the software to find out."""
    raise DeviceFailedError(error.strerror or str(error))


class Planar:
    """Frames as software decoders give them: a device's have both colours in one plane. The values are the same."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def of(self, frame: VideoFrame) -> VideoFrame:
        """The same frame; for one thread."""
        to = {"nv12": "yuv420p", "p010le": "yuv420p10le"}.get(frame.format.name)
        if to is None:
            return frame
        return self._scaler.reformat(frame, format=to, threads=1)


def _tried(
    open_: Callable[[], InputContainer], damaged: Callable[[av.error.FFmpegError, int], None]
) -> _Trial:
    """Raises DeviceFailedError, or what opening raises."""
    cpu_s = time.process_time()
    with open_() as container:
        stream = picture_stream(container, "")
        frames = decoded(container, stream, damaged=damaged, failed=lost)
        found: list[tuple[int | None, int, int]] = []
        began_s = time.monotonic()
        for frame in islice(frames, PROBED):
            if not found:
                began_s = time.monotonic()
            found.append((frame.pts, frame.width, frame.height))
        wall_s = (time.monotonic() - began_s) / max(1, len(found) - 1)
    return _Trial(tuple(found), wall_s, (time.process_time() - cpu_s) / max(1, len(found)))
