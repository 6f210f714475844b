"""The last half minute, always at hand: encoded into memory, written to a film only when asked."""

from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

import av
import structlog
from av.video.stream import VideoStream

from ..core.errors import ConfigError, DeviceLostError, MissingInputError, UsageError
from ..core.frame import Frame
from ..core.settings import Size
from ..core.sound import Ear, Samples
from .encoders import CODECS, QUALITY, TIME_BASE, Encoder, choose
from .niceness import be_nice, kept_priority
from .planes import Planes
from .sink import WhenFull
from .soundtrack import LATE_S, Soundtrack
from .tape import Tape
from .video import CONTAINERS

log = structlog.get_logger(__name__)

SUFFIXES = (".mp4", ".mov", ".mkv")

Choose = Callable[[Set[str]], Encoder]
"""Encoders to leave out -> the first other one that works."""


class _Nowhere:
    """A file that keeps nothing: the streams of an encoder belong to one."""

    def write(self, data: Any) -> int:
        """Takes what libavformat writes."""
        return len(data)


class _Take:
    """Pictures and sound through one encoder onto one tape, without a gap longer than the tape. One thread."""

    def __init__(
        self, encoder: Encoder, size: Size, fps: float, keep_s: float, channels: int, first_ns: int
    ) -> None:
        """Raises OSError or av.FFmpegError when the encoder does not open."""
        self._first_ns = first_ns
        self._pix_fmt = encoder.pix_fmt
        self._planes = Planes()
        self._last = -1
        # Matroska wants heads apart from packets, as all films do that a tape is written to.
        self._streams = av.open(_Nowhere(), "w", format="matroska")
        video = self._streams.add_stream(encoder.name)
        assert isinstance(video, VideoStream)
        encoder.configure(video.codec_context, size, fps)
        video.time_base = TIME_BASE
        self._video = video
        self._sound = Soundtrack(self._streams, channels) if channels else None
        with kept_priority():
            self._streams.start_encoding()
        self.tape = Tape(keep_s, fps, video, self._sound.stream if self._sound else None)

    def put(self, frame: Frame) -> None:
        """Encodes one frame; one that is not later than the last is left out."""
        pts = round(self._at_s(frame.captured_ns) / TIME_BASE)
        if pts <= self._last:
            return
        self._last = pts
        picture = self._planes.of(frame.pixels, self._pix_fmt)
        picture.pts, picture.time_base = pts, TIME_BASE
        self.tape.put_pictures(self._video.encode(picture))
        if self._sound is not None:
            self.tape.put_sounds(self._sound.silence(float(pts * TIME_BASE) - LATE_S))

    def put_sound(self, samples: Samples, at_ns: int) -> None:
        """Encodes sound; what was heard before the first frame is left out."""
        assert self._sound is not None
        self.tape.put_sounds(self._sound.put(samples, self._at_s(at_ns)))

    def _at_s(self, at_ns: int) -> float:
        return (at_ns - self._first_ns) / 1e9


class ReplayBuffer:
    """Keeps the last `keep_s` seconds of pictures and sound, and up to one key frame's distance (2 s) more.

    They are kept encoded. An encoder that fails is replaced by the next one, and after a source was silent
    for longer than `keep_s` nothing is left that is worth keeping: in both cases it begins anew.

    `open`, `put` and `close` belong to one thread, `save` to any.
    """

    name = "replay"
    when_full = WhenFull.DROP
    steady = False

    def __init__(
        self,
        keep_s: float,
        size: Size,
        fps: float,
        *,
        encoder: str = "auto",
        quality: int = QUALITY,
        ear: Ear | None = None,
        choose: Choose | None = None,
    ) -> None:
        """`ear` is where sound comes from. Raises UsageError for an odd size or no time at all."""
        if keep_s <= 0:
            raise UsageError(f"a replay of {keep_s:g} s", "give seconds above 0")
        if size[0] % 2 or size[1] % 2:
            raise UsageError(f"output size {size[0]}x{size[1]}", "give an even width and an even height")
        self._keep_s, self._size, self._fps = keep_s, size, fps
        self._wanted, self._quality = encoder, quality
        self._choose = choose or self._chosen
        self._ear = ear
        self._refused: set[str] = set()
        self._encoder: Encoder | None = None
        self._take: _Take | None = None
        self._last_ns = 0

    @property
    def kept_bytes(self) -> int:
        """How much memory what is kept takes. Any thread."""
        take = self._take
        return take.tape.size if take else 0

    def open(self) -> None:
        """Begins to keep. Raises as `encoders.choose` and `Ear.open`."""
        be_nice()
        self._encoder = self._choose(self._refused)
        if self._ear is not None:
            self._ear.open()

    def put(self, frame: Frame) -> None:
        """Encodes one frame. Raises DeviceLostError when no encoder is left."""
        if self._take is not None and frame.captured_ns - self._last_ns > self._keep_s * 1e9:
            self._take = None
        self._last_ns = frame.captured_ns
        while not self._kept(frame):
            self._take = None
        while self._ear is not None and (block := self._ear.take(frame.captured_ns)):
            assert self._take is not None
            self._take.put_sound(block.samples, block.captured_ns)

    def save(self, path: Path) -> float:
        """Writes what is kept as a film and goes on keeping; returns its seconds. Blocks for a moment.

        Raises UsageError for a name that is taken or no film's, MissingInputError when nothing is kept yet
        or nothing can be written there.
        """
        suffix, take, encoder = path.suffix.lower(), self._take, self._encoder
        if suffix not in SUFFIXES:
            raise UsageError(
                f"{path} is no kind of film for a replay", f"its name ends with {', '.join(SUFFIXES)}"
            )
        if path.exists():
            raise UsageError(f"{path} exists", "give another name")
        if take is None or encoder is None or not take.tape.filled:
            raise MissingInputError("nothing is kept yet", "wait for a picture")
        if encoder.codec not in CONTAINERS[suffix].codecs:
            raise UsageError(f"{path} cannot hold {encoder.codec}", "let its name end with .mkv")
        part = path.with_name(f".{path.stem}.part{suffix}")
        try:
            seconds = take.tape.write(part, CONTAINERS[suffix].whole)
            part.rename(path)
        except (OSError, av.FFmpegError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MissingInputError(f"cannot write {path}: {reason}", "save elsewhere") from error
        finally:
            part.unlink(missing_ok=True)
        log.info("replay.saved", film=str(path), seconds=round(seconds, 2))
        return seconds

    def close(self) -> None:
        """Forgets everything."""
        self._take = None
        if self._ear is not None:
            self._ear.close()

    def _kept(self, frame: Frame) -> bool:
        """Encodes a frame; False if the encoder failed at it, and another one was chosen."""
        assert self._encoder is not None
        try:
            if self._take is None:
                channels = self._ear.channels if self._ear else 0
                self._take = _Take(
                    self._encoder, self._size, self._fps, self._keep_s, channels, frame.captured_ns
                )
            self._take.put(frame)
        except (OSError, av.FFmpegError) as error:
            self._replace_encoder(error)
            return False
        return True

    def _replace_encoder(self, error: Exception) -> None:
        """What the one that failed has given cannot be joined to another's: it is forgotten."""
        assert self._encoder is not None
        log.warning("replay.encoder_lost", encoder=self._encoder.name, error=str(error))
        self._refused.add(self._encoder.name)
        try:
            self._encoder = self._choose(self._refused)
        except (ConfigError, UsageError) as last:
            raise DeviceLostError(f"encoder {self._encoder.name} failed: {error}", last.what) from error

    def _chosen(self, without: Set[str]) -> Encoder:
        refusals: list[ConfigError] = []
        for wanted in (self._wanted, *(CODECS if without else ())):
            try:
                return choose(
                    wanted, self._size, self._fps, live=True, quality=self._quality, without=without
                )
            except ConfigError as error:
                refusals.append(error)
        raise refusals[0]
