"""A recording: what is shown, as films on a disk, beside the live picture and never in its way."""

import os
import shutil
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from ..core.clock import Clock
from ..core.errors import ConfigError, DeviceLostError, FaceswapdError, UsageError
from ..core.frame import Frame
from ..core.settings import Size
from .encoders import CODECS, QUALITY, EncoderLostError
from .orphans import Journal, Mark
from .sink import WhenFull
from .video import VideoSink

log = structlog.get_logger(__name__)

_LOOK_NS = 250_000_000  # between two looks at the free space: some 600 kB of film at 20 Mbit/s
_RESERVE = 256 << 20  # bytes that stay free on a usual disk, for the film's index and everybody else
_RESERVE_SHARE = 20  # or this part of a small disk
_NICE = 10
_END_GAP = 3  # periods without a frame at the end, from which on the last picture is written again


class Film(Protocol):
    """One file of a recording: `video.VideoSink`."""

    @property
    def name(self) -> str:
        """Its path."""

    @property
    def encoder(self) -> str:
        """The encoder at work."""

    @property
    def duration_s(self) -> float:
        """From its first frame to its last one so far."""

    @property
    def bytes_written(self) -> int:
        """Its size so far."""

    @property
    def unwritten(self) -> tuple[Frame, ...]:
        """What the encoder has taken and not given back."""

    def open(self) -> None:
        """Creates the file."""

    def put(self, frame: Frame) -> None:
        """Writes one frame; raises EncoderLostError or DeviceLostError."""

    def close(self) -> None:
        """Finishes it."""


MakeFilm = Callable[[Path, str, Set[str]], Film]
"""(path, encoder wanted, encoders to leave out) -> a film, not open yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a recording turns to its next film, and when it ends by itself."""

    segment_s: float | None = None
    """A new film begins after so long."""
    max_bytes: int | None = None
    """All films together become no larger than this, but for the last half second."""
    keep_free: int | None = None
    """Bytes of the disk that stay free; None: 256 MiB, or a twentieth of a small disk."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording is."""

    films: tuple[str, ...] = ()
    """Paths, the film that grows now last."""
    encoder: str = ""
    seconds: float = 0.0
    bytes_written: int = 0


class Recorder:
    """Writes what it is given into films that play whatever happens to the process.

    The first film has the name that was asked for; those after it get a number: `talk.mp4`,
    `talk-2.mp4`. A next film begins after `Limits.segment_s`, and when an encoder fails: the frames that
    were inside it go to the next encoder, so that none is lost. When the disk is nearly full or the
    recording has its largest size, the film is finished and `put` raises.

    `open`, `put` and `close` belong to one thread, which becomes a nice one where the system has that: the
    live picture wins a core that both want. The rest is safe in any thread.
    """

    steady = False
    when_full = WhenFull.DROP

    def __init__(
        self,
        path: Path,
        size: Size,
        fps: float,
        clock: Clock,
        *,
        encoder: str = "auto",
        quality: int = QUALITY,
        limits: Limits = Limits(),
        constant: bool = False,
        journal: Journal | None = None,
        on_notice: Callable[[str], None] = lambda _: None,
        make_film: MakeFilm | None = None,
        free: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        """`constant`: one picture every 1 / `fps`, repeated or left out as need be; else each at its own time.

        `on_notice` is told, in the recorder's thread, what a user should know: a line, empty when all is
        well. `free` gives (free, all) bytes of a folder's disk. Raises UsageError for a suffix that is no
        film's.
        """
        self._path = path
        self._size, self._fps, self._clock = size, fps, clock
        self._wanted, self._quality = encoder, quality
        self._limits = limits
        self._constant = constant
        self._journal = journal
        self._notice = on_notice
        self._make = make_film or self._film
        self._free = free or _free
        self._period_ns = round(1e9 / fps)
        self._make(path, encoder, frozenset())  # a wrong name is said before anything is opened
        self._now: Film | None = None
        self._mark: Mark | None = None
        self._torn = False
        self._refused: set[str] = set()
        self._films: list[str] = []
        self._before = (0.0, 0)  # seconds and bytes of the films before this one
        self._progress = Progress()
        self._look_ns = 0
        self._film_first_ns: int | None = None
        self._pause = threading.Event()
        self._paused = False  # frames were left out since the last one
        self._skipped_ns = 0
        self._last: Frame | None = None
        self._tick = -1
        self._first_ns: int | None = None

    @property
    def name(self) -> str:
        """The first film's path."""
        return str(self._path)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def pause(self) -> None:
        """Leaves out what comes from now on; the film goes on without a gap after `resume`."""
        self._pause.set()

    def resume(self) -> None:
        """Ends a pause."""
        self._pause.clear()

    def open(self) -> None:
        """Begins the first film. Raises as `VideoSink.open`, DeviceLostError if the disk is nearly full."""
        _be_nice()
        self._check_space()
        self._begin(self._path, (self._wanted,))

    def put(self, frame: Frame) -> None:
        """Writes one frame.

        Raises DeviceLostError when the recording ends here: no space, its largest size, no encoder left.
        """
        if self._pause.is_set():
            self._paused = True
            return
        self._look()
        for due in self._timed(frame):
            if self._is_long(due):
                self._turn()
            self._write(due)
        self._note()

    def close(self) -> None:
        """Finishes the film. Raises DeviceLostError when its end cannot be written."""
        try:
            if self._last is not None and self._now is not None and not self._torn:
                self._fill_end(self._last)
        finally:
            self._end()
            self._note()

    def _timed(self, frame: Frame) -> Iterator[Frame]:
        """The frame at its time in the recording; with a constant rate also those that are missing before it."""
        last = self._last
        if self._paused and last is not None:
            self._skipped_ns = frame.captured_ns - last.captured_ns - self._period_ns
        self._paused = False
        frame = replace(frame, captured_ns=frame.captured_ns - self._skipped_ns)
        if not self._constant:
            self._last = frame
            yield frame
            return
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
        tick = round((frame.captured_ns - self._first_ns) / self._period_ns)
        if tick <= self._tick:
            return
        for missing in range(self._tick + 1, tick):
            assert last is not None
            yield replace(last, captured_ns=self._at(missing))
        self._tick = tick
        self._last = replace(frame, captured_ns=self._at(tick))
        yield self._last

    def _at(self, tick: int) -> int:
        assert self._first_ns is not None
        return self._first_ns + round(tick * 1e9 / self._fps)

    def _write(self, frame: Frame) -> None:
        waiting = deque([frame])
        while waiting:
            assert self._now is not None
            if self._film_first_ns is None:
                self._film_first_ns = waiting[0].captured_ns
            try:
                self._now.put(waiting[0])
            except EncoderLostError as error:
                waiting.popleft()
                waiting.extendleft(reversed(self._now.unwritten))
                self._replace_encoder(error)
            except FaceswapdError:
                self._torn = True
                raise
            else:
                waiting.popleft()

    def _replace_encoder(self, error: EncoderLostError) -> None:
        """The next film, by another encoder; the one that failed is not tried again in this recording."""
        assert self._now is not None
        self._refused.add(self._now.encoder)
        try:
            self._turn(("auto", *CODECS))
        except FaceswapdError as last:
            raise DeviceLostError(f"recording ended: {error.what}", last.what) from error
        self._notice(f"{error.what}: the recording goes on with {self._now.encoder} in {self._now.name}")

    def _turn(self, wanted: tuple[str, ...] | None = None) -> None:
        """Finishes this film and begins the next one."""
        try:
            self._end()
        except DeviceLostError as error:  # it plays up to its last fragment; what comes now matters more
            log.warning("film.unfinished", film=self._films[-1], error=str(error))
        self._begin(_next_name(self._path, len(self._films) + 1), wanted or (self._wanted, "auto", *CODECS))

    def _begin(self, path: Path, wanted: tuple[str, ...]) -> None:
        """Opens a film with the first encoder that works, by the words of `wanted` in their order."""
        self._mark = self._journal.mark(path) if self._journal else None
        try:
            film = self._opened(path, wanted)
        except FaceswapdError:
            if self._mark is not None:
                self._mark.clear()
            raise
        self._now, self._torn, self._film_first_ns = film, False, None
        self._films.append(film.name)
        self._note()

    def _opened(self, path: Path, wanted: tuple[str, ...]) -> Film:
        refusals: list[FaceswapdError] = []
        for word in wanted:
            film = self._make(path, word, self._refused)
            try:
                film.open()
            except (ConfigError, UsageError) as error:
                refusals.append(error)
            else:
                return film
        raise refusals[0]

    def _end(self) -> None:
        film, self._now = self._now, None
        if film is None:
            return
        path = Path(film.name)
        try:
            film.close()
        except DeviceLostError:
            self._torn = True
            raise
        finally:
            self._account(film, path)

    def _account(self, film: Film, path: Path) -> None:
        seconds, size = self._before
        if path.exists():
            seconds, size = seconds + film.duration_s + 1 / self._fps, size + path.stat().st_size
        else:  # without a frame there is no film
            self._films.remove(film.name)
        self._before = (seconds, size)
        if self._mark is not None:
            if self._torn:
                self._mark.leave()
            else:
                self._mark.clear()

    def _fill_end(self, last: Frame) -> None:
        """After a silence the film lasts as long as the recording did: its last picture stands till the end."""
        end_ns = self._clock.now_ns() - self._skipped_ns - self._period_ns
        if not self._pause.is_set() and end_ns - last.captured_ns > _END_GAP * self._period_ns:
            self._write(replace(last, captured_ns=end_ns))

    def _is_long(self, frame: Frame) -> bool:
        """Whether this frame is the first one after the length of a film."""
        if self._limits.segment_s is None or self._film_first_ns is None:
            return False
        return frame.captured_ns - self._film_first_ns >= self._limits.segment_s * 1e9 - self._period_ns // 2

    def _look(self) -> None:
        """Now and then: is there room for more?"""
        now_ns = self._clock.now_ns()
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + _LOOK_NS
        self._check_space()
        largest = self._limits.max_bytes
        if largest is not None and self._progress.bytes_written >= largest:
            raise DeviceLostError("the recording has its largest size", "it was ended and is whole")

    def _check_space(self) -> None:
        try:
            free, whole = self._free(self._path.parent)
        except OSError as error:
            log.debug("film.space_unknown", error=error.strerror)
            return
        reserve = self._limits.keep_free
        if reserve is None:
            reserve = min(_RESERVE, whole // _RESERVE_SHARE)
        if free < reserve:
            raise DeviceLostError(
                f"the disk of {self._path.parent} is nearly full ({free >> 20} MiB)", "make room to record"
            )

    def _note(self) -> None:
        seconds, size = self._before
        film = self._now
        if film is not None:
            seconds, size = seconds + film.duration_s, size + film.bytes_written
        encoder = film.encoder if film else self._progress.encoder
        self._progress = Progress(tuple(self._films), encoder, seconds, size)

    def _film(self, path: Path, encoder: str, without: Set[str]) -> Film:
        return VideoSink(
            path, self._size, self._fps,
            encoder=encoder, quality=self._quality, whole=False, without=without,
        )  # fmt: skip


def _next_name(first: Path, number: int) -> Path:
    """`talk.mp4` -> `talk-2.mp4`, or the next number that is free."""
    while (path := first.with_name(f"{first.stem}-{number}{first.suffix}")).exists():
        number += 1
    return path


def _free(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def _be_nice() -> None:
    """Lets the picture's threads go first. Linux has a niceness per thread, and an encoder's threads inherit it."""
    here = threading.current_thread()
    if sys.platform.startswith("linux") and here is not threading.main_thread():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
