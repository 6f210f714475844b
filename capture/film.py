"""Films frame by frame, for files made from files: every frame once, in order, at its own exact time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import av.error
import structlog
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import BadInputError, MissingInputError
from ..core.frame import Pixels
from ..core.settings import Size
from .stream import _COVER, BROKEN, _upright

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Colour:
    """How a film's numbers mean colours, as ITU-T H.273 numbers it; 2 is "nobody said"."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    rgb: bool = False
    bits: int = 8

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

    def __init__(self, path: Path, threads: int = 0) -> None:
        """`threads` of the decoder; 0 takes one for each core."""
        self.name = str(path)
        self._path = path
        self._threads = threads
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._aspect: Fraction | None = None
        self._sought: int | None = None
        self.mended = 0
        """Frames without a time, or with one that is not later than the one before."""
        self.damaged = 0
        """Packets that could not be decoded."""

    def open(self) -> Shape:
        """Opens it and decodes one frame to learn its shape.

        Raises MissingInputError (no such file) or BadInputError (no film, nothing decodable).
        """
        self._begin()
        assert self._stream is not None
        try:
            first = next(iter(self._decoded()), None)
            if first is None:
                raise BadInputError(f"{self.name} holds no picture", "name another film")
            stream, pixels = self._stream, _upright(first, self._aspect)
            shape = self._shape(stream, first, (pixels.shape[1], pixels.shape[0]))
            self.close()
            self._begin()
        except BaseException:
            self.close()
            raise
        self.damaged = 0
        return shape

    def seek(self, pts: int) -> None:
        """`pictures` will begin at the key frame of this very time, or at the beginning if it is not found."""
        assert self._container is not None
        assert self._stream is not None
        self._container.seek(pts, stream=self._stream)
        found = next((f.key_frame and f.pts == pts for f in self._decoded() if (f.pts or 0) >= pts), False)
        self.close()
        self._begin()
        if found:
            self._container.seek(pts, stream=self._stream)
        log.info("film.sought", film=self.name, pts=pts, exact=found)

    def seek_before(self, pts: int) -> None:
        """`pictures` will begin at a key frame at or before this time."""
        assert self._container is not None
        assert self._stream is not None
        self._container.seek(pts, stream=self._stream)

    def pictures(self) -> Iterator[Picture]:
        """All frames, each once, in the order they are shown.

        Packets that cannot be decoded are counted and skipped, as players do; raises BadInputError for a
        film that is mostly damage.
        """
        assert self._stream is not None
        rate = exact(self._stream.average_rate or self._stream.guessed_rate or 25)
        step = max(1, round(1 / rate / exact(self._stream.time_base or 1)))
        last: int | None = None
        for n, image in enumerate(self._decoded()):
            pts = image.pts
            if pts is None or (last is not None and pts <= last):
                self.mended += 1
                pts = 0 if last is None else last + (step if pts is None else 1)
            last = pts
            yield Picture(n, pts, image.key_frame, image)

    def pixels(self, image: VideoFrame) -> Pixels:
        """A frame as upright BGR with square pixels, by its own colour matrix and range. Any thread."""
        return _upright(image, self._aspect)

    def close(self) -> None:
        """Closes the file."""
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            container.close()

    def _begin(self) -> None:
        self._container = container = opened(self._path)
        try:
            stream = next((s for s in container.streams.video if not s.disposition & _COVER), None)
            if stream is None:
                raise BadInputError(f"{self.name} has no video", "name a film")
            if not stream.codec_context:
                raise BadInputError(f"{self.name} cannot be decoded", "its codec is not in this FFmpeg")
        except BaseException:
            self.close()
            raise
        stream.thread_type = "AUTO"
        stream.thread_count = self._threads
        self._stream, self._aspect = stream, stream.sample_aspect_ratio

    def _shape(self, stream: VideoStream, first: VideoFrame, size: Size) -> Shape:
        container = self._container
        assert container is not None
        assert stream.time_base is not None
        fps = exact(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
        time_base = exact(stream.time_base)
        duration_s = None
        if stream.duration:
            duration_s = float(stream.duration * time_base)
        elif container.duration:
            duration_s = container.duration / 1_000_000
        frames = stream.frames or (math.ceil(duration_s * fps) if duration_s else None)
        layout = first.format
        return Shape(
            size=size,
            fps=fps,
            time_base=time_base,
            frames=frames or None,
            duration_s=duration_s,
            start_pts=first.pts or 0,
            colour=Colour(
                int(first.colorspace),
                int(first.color_primaries),
                int(first.color_trc),
                layout.is_rgb,
                max(c.bits for c in layout.components),
            ),
            interlaced=first.interlaced_frame,
            plain=size == (first.width, first.height) and not round(first.rotation / 90) % 4,
        )

    def _decoded(self) -> Iterator[VideoFrame]:
        assert self._container is not None
        assert self._stream is not None
        broken = 0
        packets = self._container.demux(self._stream)
        while True:
            frames: list[Any] = []
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.InvalidDataError as error:
                broken += 1
                self.damaged += 1
                if broken == 1:
                    log.warning("film.damaged", film=self.name, error=error.strerror)
                if broken >= BROKEN:
                    raise BadInputError(f"{self.name} cannot be decoded", "it is damaged") from None
            except av.error.FFmpegError as error:
                raise BadInputError(
                    f"{self.name} cannot be decoded ({error.strerror})", "it is damaged"
                ) from None
            if frames:
                broken = 0
            yield from frames


def exact(number: Any) -> Fraction:
    """A number of PyAV's, whose own arithmetic rounds, as a fraction."""
    return Fraction(number.numerator, number.denominator)


def opened(path: Path) -> InputContainer:
    """The container of a file. Raises MissingInputError or BadInputError."""
    if path.is_dir():
        raise MissingInputError(f"film {path}", "that is a folder; name a file in it")
    if not path.exists():
        raise MissingInputError(f"film {path}", "there is no such file")
    try:
        return av.open(f"file:{path}", metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.DemuxerNotFoundError, av.error.EOFError):
        raise BadInputError(f"{path} is no film", "it is damaged, or in a format that FFmpeg lacks") from None
    except av.error.FFmpegError as error:
        raise MissingInputError(
            f"{path} cannot be opened ({error.strerror})", "is it readable for you?"
        ) from None
