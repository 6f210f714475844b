"""Films frame by frame, for files made from files: every frame once, in order, at its own exact time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import av
import av.error
import structlog
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import BadInputError, FaceswapdError
from ..core.frame import Pixels
from ..core.settings import Size
from . import hwaccel
from .breaks import Believed, Unbroken, breaks, jumps
from .decode import decoded, open_container, picture_stream
from .hwaccel import DeviceFailedError, Devices, FFmpegDevices, Planar
from .trail import Trail
from .upright import Upright

log = structlog.get_logger(__name__)


_BACK_S, _TRIES = 2, 8
"""A key frame before a time is looked for from there, from so much earlier, twice as much, and so on."""


@dataclass(frozen=True, slots=True)
class Colour:
    """How a film's numbers mean colours, as ITU-T H.273 numbers it; 2 is "nobody said"."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    rgb: bool = False
    bits: int = 8
    display: bytes = b""
    light: bytes = b""
    """The screen it was mastered on and how bright it gets, as FFmpeg's AVMasteringDisplayMetadata and
    AVContentLightMetadata; b"" where nobody said."""

    @property
    def hdr(self) -> bool:
        """Brighter than a screen's white: PQ (SMPTE ST 2084) or HLG (ARIB STD-B67)."""
        return self.transfer in (16, 18)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a film before its frames are read."""

    size: Size
    """(width, height) of a frame upright and with square pixels."""
    fps: Fraction
    """On average; frames have their own times."""
    time_base: Fraction
    """Seconds in a tick of `Still.pts`."""
    frames: int | None
    """As the file says or its length lets expect; only reading tells."""
    duration_s: float | None
    start_pts: int
    colour: Colour
    interlaced: bool
    plain: bool
    """Frames are shown as they are stored: not turned, with square pixels."""
    origin_s: Fraction = Fraction(0)
    """The time that is the film's beginning: 0, but where the clock means nothing or pictures come before 0."""
    transparent: bool = False
    """Its file has an alpha channel, which frames here have not."""
    breaks: tuple[Fraction, ...] = ()
    """Where that clock jumps; see `capture.breaks`. `Picture.pts` goes on."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame of a film."""

    n: int
    """Counts the film's frames from 0 (from the seek on, after one)."""
    pts: int
    """In ticks of the film's `time_base`; later than the frame before."""
    key: bool
    """Decoding can begin here."""
    image: VideoFrame


class Reader(Protocol):
    """What films are read with: `Film`, or `Animation` for a moving picture."""

    mended: int
    damaged: int
    decoder: str
    """What decodes it; known once it is open."""

    def open(self) -> Shape:
        """See `Film.open`."""

    def seek(self, pts: int) -> None:
        """See `Film.seek`."""

    def seek_before(self, pts: int) -> None:
        """See `Film.seek_before`."""

    def pictures(self) -> Iterator[Picture]:
        """See `Film.pictures`."""

    def pixels(self, image: VideoFrame) -> Pixels:
        """See `Film.pixels`."""

    def close(self) -> None:
        """See `Film.close`."""


class Film:
    """A film in a file. One thread opens, reads and closes it; `pixels` may be called by any."""

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        device: str = hwaccel.NONE,
        devices: Devices | None = None,
    ) -> None:
        """`threads` of the decoder; 0 takes one for each core. `device` that decodes: `none`, `auto` or a name of
        `hwaccel.NAMES`."""
        self.name = str(path)
        self._path = path
        self._threads = threads
        self._wanted, self._devices = device, devices or FFmpegDevices()
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._aspect: Fraction | None = None
        self._upright = Upright()
        self._device: str | None = None
        self._ahead: Iterator[VideoFrame] | None = None
        self._breaks: tuple[Fraction, ...] = ()
        self._from: int | None = None
        self.decoder = ""
        """FFmpeg's name of it, and the device in brackets: `h264`, `h264 (cuda)`."""
        self.mended = 0
        """Frames without a time, or with one that is not later than the one before."""
        self.damaged = 0
        """Packets that could not be decoded."""

    def open(self) -> Shape:
        """Opens it and decodes one frame to learn its shape.

        Raises MissingInputError (no such file), BadInputError (no film, nothing decodable), or NoDeviceError where a
        device that was asked for by name cannot decode it.
        """
        self.damaged = self.mended = 0
        self._begin()
        assert self._container is not None
        assert self._stream is not None
        try:
            if jumps(self._container):
                self._breaks = self._found_breaks()
            frames = self._decoded()
            first = next(frames, None)
            if first is None:
                raise BadInputError(f"{self.name} holds no picture", "name another film")
            stream, pixels = self._stream, self.pixels(first)
            shape = self._shape(stream, first, (pixels.shape[1], pixels.shape[0]))
            self._ahead = chain((first,), frames)
            area = shape.frames * first.width * first.height if shape.frames else None
            software = stream.codec_context.codec.name
            found = hwaccel.choose(self._path, self._wanted, self._devices, software, area)
            if found is not None:
                self.close()
                self.damaged = 0
                self._begin(found)
        except BaseException:
            self.close()
            raise
        return shape

    def seek(self, pts: int) -> None:
        """`pictures` will begin at the key frame of this very time, or at the beginning if it is not found."""
        device = self._device
        if self._breaks:  # a time of this clock says nothing of the place in the file
            self._anew(None, device)
            return
        self._anew(pts)
        found = next((f.key_frame and f.pts == pts for f in self._decoded() if (f.pts or 0) >= pts), False)
        self._anew(pts if found else None, device)
        log.info("film.sought", film=self.name, pts=pts, exact=found)

    def seek_before(self, pts: int) -> None:
        """`pictures` will begin at a key frame at or before this time."""
        device, back = self._device, 0
        for _ in range(0 if self._breaks else _TRIES):
            # Some kinds of film (transport streams) are found at places where decoding cannot begin: the next key
            # frame may be too late.
            self._anew(pts - back)
            assert self._stream is not None
            first = next(self._decoded(), None)
            if first is not None and first.key_frame and first.pts is not None and first.pts <= pts:
                self._anew(pts - back, device)
                return
            back = 2 * back or round(_BACK_S / exact(self._stream.time_base or 1))
        self._anew(None, device)

    def pictures(self) -> Iterator[Picture]:
        """All frames, each once, in the order they are shown.

        Packets that cannot be decoded are counted and skipped, as players do; raises BadInputError for a
        film that is mostly damage. What a device fails at is decoded by the processor's cores, from that frame on.
        """
        assert self._stream is not None
        rate = exact(self._stream.average_rate or self._stream.guessed_rate or 25)
        step = max(1, round(1 / rate / exact(self._stream.time_base or 1)))
        last: int | None = None
        ahead, self._ahead = self._ahead, None
        believed, unbroken = Believed(), Unbroken(self._breaks, exact(self._stream.time_base or 1))
        for n, image in enumerate(ahead or self._decoded()):
            pts = believed.of(image.pts, image.dts)
            if pts is not None:
                pts = unbroken.at(pts)
            if pts is None or (last is not None and pts <= last):
                self.mended += 1
                pts = 0 if last is None else last + (step if pts is None else 1)
            last = pts
            yield Picture(n, pts, image.key_frame, image)

    def pixels(self, image: VideoFrame) -> Pixels:
        """A frame as upright BGR with square pixels, by its own colour matrix and range. Any thread."""
        return self._upright(image, self._aspect)

    def close(self) -> None:
        """Closes the file."""
        container, self._container, self._stream, self._ahead = self._container, None, None, None
        if container is not None:
            container.close()

    def _begin(self, device: str | None = None) -> None:
        if device is not None:
            try:
                container = self._devices.open(self._path, device)
            except (av.error.FFmpegError, RuntimeError) as error:  # it could a moment ago
                log.warning("decoder.lost", film=self.name, device=device, error=str(error))
                device = None
        if device is None:
            container = open_container(self._path, self.name)
        self._container = container
        try:
            stream = picture_stream(container, self.name)
        except BaseException:
            self.close()
            raise
        stream.thread_type = "AUTO"
        # A device's frames wait for each other anyway, and each thread would hold some of its memory.
        stream.thread_count = self._threads if device is None else 1
        self._stream, self._aspect, self._device = stream, stream.sample_aspect_ratio, device
        self._from = None
        name = stream.codec_context.codec.name
        self.decoder = f"{name} ({device})" if device else name

    def _found_breaks(self) -> tuple[Fraction, ...]:
        with open_container(self._path, self.name) as container:
            try:
                return breaks(container, picture_stream(container, self.name))
            except av.error.FFmpegError:  # decoding it says what is wrong
                return ()

    def _anew(self, pts: int | None, device: str | None = None) -> None:
        """From the beginning, or from a key frame at or before `pts`."""
        self.close()
        self._begin(device)
        assert self._container is not None
        if pts is not None:
            self._container.seek(pts, stream=self._stream)
            self._from = pts

    def _shape(self, stream: VideoStream, first: VideoFrame, size: Size) -> Shape:
        container = self._container
        assert container is not None
        assert stream.time_base is not None
        fps = exact(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
        time_base = exact(stream.time_base)
        duration_s = None
        if self._breaks:
            pass  # what the file says is the distance of two clocks
        elif stream.duration:
            duration_s = float(stream.duration * time_base)
        elif container.duration:
            duration_s = container.duration / 1_000_000
        frames = stream.frames or (math.ceil(duration_s * fps) if duration_s else None)
        layout = first.format
        start_pts = first.pts or 0
        origin_s = Fraction(0)
        if start_pts < 0 or jumps(container):
            begin_s = Fraction(container.start_time or 0, av.time_base)
            origin_s = min(start_pts, round(begin_s / time_base)) * time_base
        return Shape(
            size=size,
            fps=fps,
            time_base=time_base,
            frames=frames or None,
            duration_s=duration_s,
            start_pts=start_pts,
            colour=Colour(
                int(first.colorspace),
                int(first.color_primaries),
                int(first.color_trc),
                layout.is_rgb,
                max(c.bits for c in layout.components),
                _beside(first, "MASTERING_DISPLAY_METADATA"),
                _beside(first, "CONTENT_LIGHT_LEVEL"),
            ),
            interlaced=first.interlaced_frame,
            plain=size == (first.width, first.height) and not round(first.rotation / 90) % 4,
            origin_s=origin_s,
            transparent=_transparent(stream, first),
            breaks=self._breaks,
        )

    def _decoded(self) -> Iterator[VideoFrame]:
        assert self._container is not None
        assert self._stream is not None
        if self._device is None:
            yield from decoded(self._container, self._stream, damaged=self._skipped, failed=self._undecodable)
            return
        trail, planar = Trail(self._from), Planar()
        try:
            for frame in decoded(self._container, self._stream, damaged=hwaccel.damaged, failed=hwaccel.lost):
                if frame.is_corrupt:
                    raise DeviceFailedError("it gave a damaged picture")
                trail.add(frame)
                yield planar.of(frame)
        except DeviceFailedError as error:
            device = self._device
            log.warning("decoder.lost", film=self.name, device=device, frames=trail.frames, error=str(error))
            yield from self._after(trail)
            self.decoder = f"{self.decoder} after {device}"

    def _after(self, trail: Trail) -> Iterator[VideoFrame]:
        """What comes after the frames that were given out, decoded in software."""
        for begin in trail.ways():
            self._anew(begin)
            frames = self._decoded()
            if trail.passed(frames, begin):
                yield from frames
                return
        raise BadInputError(
            f"{self.name}: a device failed after {trail.frames} frames, and software finds others",
            f"read it with --hwaccel {hwaccel.NONE}",
        )

    def _skipped(self, error: av.error.FFmpegError, in_a_row: int) -> None:
        self.damaged += 1
        if in_a_row == 1:
            log.warning("film.damaged", film=self.name, error=error.strerror)

    def _undecodable(self, reason: str) -> FaceswapdError:
        why = f" ({reason})" if reason else ""
        return BadInputError(f"{self.name} cannot be decoded{why}", "it is damaged")


def _transparent(stream: VideoStream, first: VideoFrame) -> bool:
    """As the file says (VP8 and VP9 keep it beside the pictures); GIF's pictures have room for it anyway."""
    said = stream.metadata.get("alpha_mode") == "1"
    room = any(part.is_alpha for part in first.format.components)
    return said or (room and stream.codec_context.name != "gif")


def _beside(frame: VideoFrame, kind: str) -> bytes:
    beside: Any = frame.side_data  # PyAV's types have it as the mapping that it is too
    return next((bytes(data) for data in beside if data.type.name == kind), b"")


def exact(number: Any) -> Fraction:
    """A number of PyAV's, whose own arithmetic rounds, as a fraction."""
    return Fraction(number.numerator, number.denominator)
