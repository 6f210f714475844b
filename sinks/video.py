"""A film that grows: frames into a file, at the times they were taken."""

import os
from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import structlog
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from ..core.errors import DeviceLostError, MissingInputError, UsageError
from ..core.frame import Frame, Pixels
from ..core.settings import Size
from ..core.sound import Samples
from .encoders import CODECS, QUALITY, TIME_BASE, Encoder, EncoderLostError, choose
from .niceness import encoded
from .planes import Planes
from .sink import WhenFull
from .soundtrack import LATE_S, Soundtrack

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file."""

    format: str
    codecs: tuple[str, ...]
    """What it can hold, the usual one first."""
    whole: dict[str, str]
    """For a film that is made from a finished one: the index goes to the front, players start at once."""
    growing: dict[str, str]
    """For a film that is there from its first byte: it plays up to the last half second at any moment."""


# A hybrid file is fragmented while it grows, and an ordinary one once it is closed.
_MP4 = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "500000", "flush_packets": "1"}
_MKV = {"cluster_time_limit": "500", "flush_packets": "1"}
CONTAINERS = {
    ".mp4": Container("mp4", CODECS, {"movflags": "+faststart"}, _MP4),
    ".mov": Container("mov", ("h264", "hevc"), {"movflags": "+faststart"}, _MP4),
    ".mkv": Container("matroska", CODECS, {}, _MKV),
    ".webm": Container("webm", ("vp9", "av1"), {}, _MKV),
}


class VideoSink:
    """Writes a film; the kind of file follows from its suffix (`CONTAINERS`).

    It has its name from the first byte, and plays even after a kill; without a frame there is none.

    A frame's time in the film is its `captured_ns` counted from the first frame's, in 1/90000 s: a frame
    that is missing is a gap, and nothing drifts. A frame that is not later than the one before it is left
    out.

    The picture is tagged with its colour matrix (BT.709 from 720 lines on, else SMPTE 170M), limited
    range. An odd width or height loses its last column or row, since 4:2:0 has none.
    """

    when_full = WhenFull.DROP
    steady = False

    def __init__(
        self,
        path: Path,
        size: Size,
        fps: float,
        *,
        overwrite: bool = False,
        encoder: str = "auto",
        quality: int = QUALITY,
        without: Set[str] = frozenset(),
        sound: int = 0,
    ) -> None:
        """Encoders named in `without` are not tried. `sound` is how many channels of it `put_sound` brings.

        Raises UsageError for a suffix that is no film's.
        """
        if path.suffix.lower() not in CONTAINERS:
            raise UsageError(f"{path} is no kind of film", f"its name ends with {', '.join(CONTAINERS)}")
        self._path = path
        self._kind = CONTAINERS[path.suffix.lower()]
        self._size = (size[0] & ~1, size[1] & ~1)
        self._cut = self._size != size
        self._fps = fps
        self._overwrite = overwrite
        self._wanted, self._quality = encoder, quality
        self._without = without
        self._channels = sound
        self._soundtrack: Soundtrack | None = None
        self._planes = Planes()
        self._disk: FileIO | None = None
        self._file: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._encoder: Encoder | None = None
        self._failed = self._broken = self._written = False
        self._inside: deque[tuple[int, Frame]] = deque()
        self._first_ns: int | None = None
        self._last = -1
        self._unordered = 0

    @property
    def name(self) -> str:
        """The film's path."""
        return str(self._path)

    @property
    def encoder(self) -> str:
        """The encoder at work; empty before `open`."""
        return self._encoder.name if self._encoder else ""

    @property
    def bytes_written(self) -> int:
        """The size of the file so far."""
        return os.fstat(self._disk.fileno()).st_size if self._disk and not self._disk.closed else 0

    @property
    def duration_s(self) -> float:
        """From the first frame to the last one so far."""
        return float(max(0, self._last) * TIME_BASE)

    @property
    def unwritten(self) -> tuple[Frame, ...]:
        """The frames that the encoder took and has not given back, oldest first: lost if it fails."""
        return tuple(frame for _, frame in self._inside)

    def open(self) -> None:
        """Chooses an encoder and creates the file.

        Raises UsageError if the film exists and may not be overwritten, MissingInputError if nothing can be
        written there, UsageError or ConfigError if there is no such encoder.
        """
        self._check_place()
        encoder = choose(
            self._wanted,
            self._size,
            self._fps,
            live=True,
            quality=self._quality,
            codecs=self._kind.codecs,
            without=self._without,
        )
        self._disk = None
        try:
            # Nobody else's file is touched, not even one that was made a moment ago.
            self._disk = _Disk(self._path, "w+" if self._overwrite else "x+")
            file = av.open(self._disk, "w", format=self._kind.format, options=self._kind.growing)
            stream = file.add_stream(encoder.name)
            assert isinstance(stream, VideoStream)
            encoder.configure(stream.codec_context, self._size, self._fps)
            stream.time_base = TIME_BASE
            self._soundtrack = Soundtrack(file, self._channels) if self._channels else None
        except (OSError, av.FFmpegError) as error:
            if self._disk is not None:  # it is ours, and nothing is in it
                self._disk.close()
                self._path.unlink(missing_ok=True)
            raise MissingInputError(
                f"cannot write {self._path}: {_reason(error)}", "save elsewhere"
            ) from error
        self._file, self._stream, self._encoder = file, stream, encoder
        self._failed = self._broken = self._written = False
        self._first_ns, self._last = None, -1
        self._inside.clear()
        if self._cut:
            log.warning("film.cut", film=self.name, size=self._size, why="4:2:0 takes even sizes only")

    def put(self, frame: Frame) -> None:
        """Encodes one frame.

        Raises DeviceLostError when it cannot be written (a full disk), EncoderLostError when the encoder
        fails: what it gave before can still be closed as a film.
        """
        assert self._file is not None
        assert self._stream is not None
        pts = self._time(frame)
        if pts <= self._last:
            self._unordered += 1
            return
        self._last = pts
        picture = self._convert(frame.pixels)
        picture.pts, picture.time_base = pts, TIME_BASE
        picture.duration = round(1 / self._fps / TIME_BASE)
        self._inside.append((pts, frame))
        self._mux(self._encode(picture))
        if self._soundtrack is not None:
            # The file waits for both: without sound, silence, or pictures would wait in memory.
            self._write(self._soundtrack.silence(float(pts * TIME_BASE) - LATE_S))

    def put_sound(self, samples: Samples, at_ns: int) -> None:
        """Encodes sound whose first sample was heard at `at_ns`, on the clock of the frames' `captured_ns`.

        What was heard before the first frame is left out. Raises DeviceLostError when it cannot be written.
        """
        if self._soundtrack is not None and self._first_ns is not None:
            self._write(self._soundtrack.put(samples, (at_ns - self._first_ns) / 1e9))

    def close(self) -> None:
        """Finishes the film.

        Raises DeviceLostError when the end cannot be written.
        """
        assert self._file is not None
        assert self._stream is not None
        assert self._disk is not None
        empty = self._last < 0 or (self._broken and not self._written)
        if self._unordered:
            log.warning("film.unordered", film=self.name, frames=self._unordered)
        whole = not (empty or self._failed)
        try:
            if empty or self._failed:  # libavformat 62 crashes in the trailer of a file without frames
                self._disk.close()
            else:
                if not self._broken:
                    self._file.mux(self._stream.encode(None))
                if self._soundtrack is not None:
                    self._file.mux(self._soundtrack.flush())
            self._file.close()
            self._disk.close()
        except (OSError, av.FFmpegError) as error:
            whole = False
            raise self._lost(error) from error
        finally:
            self._file = None
            self._inside.clear()
            if empty:
                self._disk.close()
                self._path.unlink(missing_ok=True)
        log.info("film.finished", film=self.name, whole=whole, empty=empty)

    def _check_place(self) -> None:
        if self._path.exists() and (not self._overwrite or not self._path.is_file()):
            raise UsageError(f"{self._path} exists", "give another name")
        if not self._path.parent.is_dir():
            raise MissingInputError(f"there is no folder {self._path.parent}", "create it or save elsewhere")

    def _time(self, frame: Frame) -> int:
        """The frame's time in the film, in ticks."""
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
        return round(Fraction(frame.captured_ns - self._first_ns, 10**9) / TIME_BASE)

    def _convert(self, pixels: Pixels) -> av.VideoFrame:
        assert self._encoder is not None
        width, height = self._size
        if self._cut:
            pixels = np.ascontiguousarray(pixels[:height, :width])
        return self._planes.of(pixels, self._encoder.pix_fmt)

    def _encode(self, picture: av.VideoFrame) -> "list[Packet[Any]]":
        assert self._stream is not None
        try:
            return encoded(self._stream, picture)
        except (OSError, av.FFmpegError) as error:
            self._broken = True
            raise EncoderLostError(
                f"encoder {self.encoder} failed: {_reason(error)}", "take encoder auto"
            ) from error

    def _mux(self, packets: "Sequence[Packet[Any]]") -> None:
        assert self._file is not None
        # Muxing turns the times into the file's. What is not later than a packet's decoding time is out,
        # also where B-frames come in another order.
        out = [packet.dts for packet in packets if packet.dts is not None]
        self._write(packets)
        self._written |= bool(packets)
        while out and self._inside and self._inside[0][0] <= out[-1]:
            self._inside.popleft()

    def _write(self, packets: "Sequence[Packet[Any]]") -> None:
        assert self._file is not None
        whole_bytes = self.bytes_written
        try:
            self._file.mux(packets)
        except (OSError, av.FFmpegError) as error:
            if self._disk is not None:  # half a fragment shows half pictures
                self._disk.truncate(whole_bytes)
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> DeviceLostError:
        self._failed = True
        return DeviceLostError(
            f"{self._path} could not be written: {_reason(error)}", "free some space there"
        )


class _Disk(FileIO):
    """A file that is there at once, and whose writes are whole or raise: libavformat takes a short one for done."""

    def write(self, data: Any, /) -> int:
        """Writes all of `data` (bytes-like); returns its length."""
        rest = memoryview(data)
        size = rest.nbytes
        while rest.nbytes:
            rest = rest[super().write(rest) :]
        return size


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
