"""Films made from films, encoded in segments: what is on the disk survives a crash."""

import errno
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import structlog
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import DeviceLostError, MissingInputError
from ..core.settings import Size
from .encoders import Encoder, EncoderLostError
from .niceness import encoded

log = structlog.get_logger(__name__)

_FASTEST, _SLOWEST = Fraction(240), Fraction(1, 10)
"""A rate beyond is no rate: films whose frames come when they come say 1000, 90000 or one in hours."""
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS})
FORMAT = "mp4"
"""It keeps every time base exactly, unlike Matroska's milliseconds; a segment's times begin at 0, else its
edit list would round the first one."""


@dataclass(frozen=True, slots=True)
class Print:
    """How the pictures of a film are written."""

    encoder: Encoder
    size: Size
    """(width, height), even."""
    fps: Fraction
    time_base: Fraction
    matrix: int
    primaries: int
    transfer: int
    """As ITU-T H.273 numbers them; 2 is "nobody said"."""

    def configure(self, context: VideoCodecContext) -> None:
        """Sets up a codec context that is not open yet: times and colours are the original's."""
        self.encoder.configure(context, self.size, usual_rate(self.fps))
        context.time_base = self.time_base
        context.colorspace, context.color_primaries = self.matrix, self.primaries
        context.color_trc = self.transfer
        context.flags |= Flags.global_header  # the index of the whole film holds it, not its packets


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a film, whole and on the disk."""

    path: Path
    first_pts: int
    """In the film; within the segment times begin at 0."""
    frames: int


class SegmentWriter:
    """Encodes one segment. It has its name when it is complete and on the disk, not before."""

    def __init__(self, path: Path, print_: Print) -> None:
        """Raises MissingInputError when nothing can be written there."""
        self._path, self._print = path, print_
        self._part = path.with_suffix(".part")
        self._first: int | None = None
        self._frames = self._packets = 0
        try:
            self._file: OutputContainer = av.open(f"file:{self._part}", "w", format=FORMAT)
            self._stream = video_stream(self._file, print_)
        except (OSError, av.FFmpegError) as error:
            raise MissingInputError(f"cannot write {path}: {_reason(error)}", "save elsewhere") from error

    def put(self, picture: VideoFrame, pts: int, duration: int) -> None:
        """Encodes one picture of the print's format.

        Raises DeviceLostError when it cannot be written, EncoderLostError when the encoder gives up.
        """
        if self._first is None:
            self._first = pts
        picture.pts, picture.time_base = pts - self._first, self._print.time_base
        picture.duration = duration
        picture.pict_type = 0  # the encoder chooses, not the original's encoder
        self._mux(picture)
        self._frames += 1

    def finish(self) -> Segment:
        """Writes what is left, and returns when it is on the disk.

        Raises DeviceLostError, and EncoderLostError for an encoder that has lost a picture.
        """
        self._mux(None)
        if self._packets != self._frames:
            name = self._print.encoder.name
            raise EncoderLostError(
                f"encoder {name} gave {self._packets} of {self._frames} pictures", "take another"
            )
        try:
            self._file.close()
            with self._part.open("rb+") as disk:
                os.fsync(disk.fileno())
            self._part.replace(self._path)
        except (OSError, av.FFmpegError) as error:
            raise full(self._path, error) from error
        assert self._first is not None, "a segment has a frame"
        return Segment(self._path, self._first, self._frames)

    def abandon(self) -> None:
        """Gives it up; nothing is left. Also safe after a failed `put` or `finish`."""
        try:
            if self._frames:
                self._file.close()
        except (OSError, av.FFmpegError) as error:
            log.debug("segment.abandoned", segment=str(self._path), error=str(error))
        self._part.unlink(missing_ok=True)

    def _mux(self, picture: VideoFrame | None) -> None:
        try:
            packets = encoded(self._stream, picture)
            self._file.mux(packets)
        except (OSError, av.FFmpegError) as error:
            if getattr(error, "errno", None) in _OF_THE_DISK:
                raise full(self._path, error) from error
            name = self._print.encoder.name
            raise EncoderLostError(f"encoder {name} failed ({_reason(error)})", "take another one") from error
        self._packets += sum(packet.size > 0 for packet in packets)


def video_stream(file: OutputContainer, print_: Print) -> VideoStream:
    """The stream of the pictures in a file that is not begun."""
    rate = max(_SLOWEST, print_.fps).limit_denominator(1001)
    stream = file.add_stream(print_.encoder.name, rate=rate)
    assert isinstance(stream, VideoStream)
    print_.configure(stream.codec_context)
    stream.time_base = print_.time_base
    return stream


def usual_rate(fps: Fraction) -> float:
    """Frames a second as encoders are told them: where there are hours between frames, none would be left."""
    return float(min(_FASTEST, max(_SLOWEST, fps)))


def even(size: Size) -> Size:
    """4:2:0 takes even sizes only: an odd one loses its last column or row."""
    return size[0] & ~1, size[1] & ~1


def full(path: Path, error: Exception) -> DeviceLostError:
    """The error of a film that cannot be written."""
    of_the_disk = getattr(error, "errno", None) in _OF_THE_DISK
    remedy = "free some space there" if of_the_disk else "save elsewhere, or as another kind of film (.mkv)"
    return DeviceLostError(f"{path} could not be written: {_reason(error)}", remedy)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
