"""The last half minute, always at hand: encoded into memory, written to a film only when asked."""

import threading
from collections import deque
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import structlog
from av.container import OutputContainer
from av.video.stream import VideoStream

from ..core.errors import DeviceLostError, MissingInputError, UsageError
from ..core.frame import Frame
from ..core.settings import Size
from .encoders import QUALITY, TIME_BASE, Encoder, choose
from .planes import Planes
from .sink import WhenFull
from .video import CONTAINERS

log = structlog.get_logger(__name__)

_STREAM = {"mpegts_flags": "+pat_pmt_at_frames", "flush_packets": "1"}
"""A transport stream can be cut before any key frame: each has all headers that a reader needs."""
SUFFIXES = (".mp4", ".mov", ".mkv")


class _Ring:
    """The bytes of a stream from a key frame on, in pieces that begin with one. Safe in any thread."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._pieces: deque[tuple[float, bytearray]] = deque()

    def begin(self, at_s: float) -> None:
        """What is written from now on begins with the key frame of this time; too old pieces are dropped."""
        with self._lock:
            self._pieces.append((at_s, bytearray()))
            while len(self._pieces) > 1 and self._pieces[1][0] <= at_s - self._keep_s:
                self._pieces.popleft()

    def write(self, data: Any) -> int:
        """Takes what libavformat writes."""
        with self._lock:
            if self._pieces:
                self._pieces[-1][1].extend(data)
        return len(data)

    def bytes(self, end_s: float) -> bytes:
        """The pieces that hold the last seconds before `end_s`."""
        with self._lock:
            times = [at_s for at_s, _ in self._pieces]
            old = sum(at_s <= end_s - self._keep_s for at_s in times[1:])
            return b"".join(piece for _, piece in list(self._pieces)[old:])


class ReplayBuffer:
    """Keeps the last `keep_s` seconds of pictures, and up to one key frame's distance (2 s) more.

    `open`, `put` and `close` belong to one thread, `save` to any. Without sound.
    """

    name = "replay"
    when_full = WhenFull.DROP
    steady = False

    def __init__(
        self, keep_s: float, size: Size, fps: float, *, encoder: str = "auto", quality: int = QUALITY
    ) -> None:
        """Raises UsageError for an odd size or no time at all."""
        if keep_s <= 0:
            raise UsageError(f"a replay of {keep_s:g} s", "give seconds above 0")
        if size[0] % 2 or size[1] % 2:
            raise UsageError(f"output size {size[0]}x{size[1]}", "give an even width and an even height")
        self._size, self._fps = size, fps
        self._wanted, self._quality = encoder, quality
        self._ring = _Ring(keep_s)
        self._planes = Planes()
        self._encoder: Encoder | None = None
        self._out: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._first_ns: int | None = None
        self._last = -1

    def open(self) -> None:
        """Begins to keep. Raises as `encoders.choose`."""
        codecs = ("h264", "hevc")
        encoder = choose(self._wanted, self._size, self._fps, live=True, quality=self._quality, codecs=codecs)
        self._out = av.open(self._ring, "w", format="mpegts", options=_STREAM)
        stream = self._out.add_stream(encoder.name)
        assert isinstance(stream, VideoStream)
        encoder.configure(stream.codec_context, self._size, self._fps)
        stream.time_base = TIME_BASE
        self._encoder, self._stream = encoder, stream

    def put(self, frame: Frame) -> None:
        """Encodes one frame. Raises DeviceLostError when the encoder fails."""
        assert self._out is not None
        assert self._stream is not None
        assert self._encoder is not None
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
        pts = round((frame.captured_ns - self._first_ns) / 1e9 / TIME_BASE)
        if pts <= self._last:
            return
        self._last = pts
        picture = self._planes.of(frame.pixels, self._encoder.pix_fmt)
        picture.pts, picture.time_base = pts, TIME_BASE
        try:
            for packet in self._stream.encode(picture):
                if packet.is_keyframe and packet.pts is not None:
                    self._ring.begin(float(packet.pts * TIME_BASE))
                self._out.mux(packet)
        except (OSError, av.FFmpegError) as error:
            raise DeviceLostError(
                f"encoder {self._encoder.name} failed: {error}", "take another one"
            ) from error

    def save(self, path: Path) -> float:
        """Writes what is kept as a film and goes on keeping; returns its seconds. Blocks for a moment.

        Raises UsageError for a name that is taken or no film's, MissingInputError when nothing is kept yet
        or nothing can be written there.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"{path} is no kind of film for a replay", f"its name ends with {', '.join(SUFFIXES)}"
            )
        if path.exists():
            raise UsageError(f"{path} exists", "give another name")
        kept = self._ring.bytes(float(self._last * TIME_BASE))
        if not kept:
            raise MissingInputError("nothing is kept yet", "wait for a picture")
        part = path.with_name(f".{path.stem}.part{path.suffix}")
        try:
            seconds = _write(kept, part, CONTAINERS[path.suffix.lower()].whole, self._fps)
            part.rename(path)
        except (OSError, av.FFmpegError) as error:
            raise MissingInputError(f"cannot write {path}: {error}", "save elsewhere") from error
        finally:
            part.unlink(missing_ok=True)
        log.info("replay.saved", film=str(path), seconds=round(seconds, 2))
        return seconds

    def close(self) -> None:
        """Forgets everything."""
        out, self._out, self._stream = self._out, None, None
        if out is not None:
            try:
                out.close()
            except av.FFmpegError as error:  # what it would have written is forgotten anyway
                log.debug("replay.unclosed", error=str(error))
        self._ring = _Ring(0)


def _write(kept: bytes, path: Path, options: dict[str, str], fps: float) -> float:
    """Copies the packets of a transport stream into a film that begins at 0; returns its seconds."""
    first, last = None, 0.0
    with (
        av.open(BytesIO(kept), "r", format="mpegts") as stream,
        av.open(str(path), "w", options=options) as film,
    ):
        video = film.add_stream_from_template(stream.streams.video[0])
        for packet in stream.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            first = packet.pts if first is None else first
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            assert packet.time_base is not None
            last = max(last, float(packet.pts * packet.time_base))
            packet.stream = video
            film.mux(packet)
    return last + 1 / fps
