"""A recording: what is shown, as films on a disk, beside the live picture and never in its way."""

import threading
from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.clock import Clock
from ..core.errors import DeviceLostError, FaceswapdError
from ..core.frame import Frame
from ..core.settings import Size
from ..core.sound import Ear
from .disk_space import DiskSpace, Free, free
from .encoders import QUALITY
from .niceness import be_nice
from .orphans import Journal
from .reel import Film, MakeFilm, Progress, Reel
from .retimer import Retimer
from .sink import WhenFull
from .video import VideoSink

_LOOK_NS = 250_000_000  # between two looks at the free space: some 600 kB of film at 20 Mbit/s
_END_GAP = 3  # periods without a frame at the end, from which on the last picture is written again


@dataclass(frozen=True, slots=True)
class Limits:
    """When a recording turns to its next film, and when it ends by itself."""

    segment_s: float | None = None
    """A new film begins after so long."""
    max_bytes: int | None = None
    """All films together become no larger than this, but for the last half second."""
    keep_free: int | None = None
    """Bytes of the disk that stay free; None: 256 MiB, or a twentieth of a small disk."""


class Recorder:
    """Writes what it is given into films that play whatever happens to the process (`reel.Reel`).

    A next film begins after `Limits.segment_s`, and when an encoder fails; no frame is lost either way.
    When the disk is nearly full or the recording has its largest size, the film is finished and `put`
    raises.

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
        overwrite: bool = False,
        constant: bool = False,
        ear: Ear | None = None,
        journal: Journal | None = None,
        on_notice: Callable[[str], None] = lambda _: None,
        make_film: MakeFilm | None = None,
        free: Free = free,
    ) -> None:
        """`overwrite`: a film of the first one's name makes room; else it is refused.

        `constant`: one picture every 1 / `fps`, repeated or left out as need be; else each at its own time.

        `ear` is where sound comes from. `on_notice` is told, in the recorder's thread, what a user should
        know: a line. Raises UsageError for a suffix that is no film's.
        """
        self._path = path
        self._size, self._fps, self._clock = size, fps, clock
        self._quality = quality
        self._limits, self._overwrite = limits, overwrite
        self._ear = ear
        self._space = DiskSpace(path.parent, limits.keep_free, free)
        self._look_ns = self._late_ns = 0
        self._times = Retimer(fps, constant=constant)
        make = make_film or self._film
        make(path, encoder, frozenset())  # a wrong name is said before anything is opened
        self.on_notice = on_notice
        self._reel = Reel(path, fps, make, encoder, journal, lambda text: self.on_notice(text))
        self._progress = self._reel.progress
        self._pause = threading.Event()

    @property
    def name(self) -> str:
        """The first film's path."""
        return str(self._path)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    @property
    def paused(self) -> bool:
        """Whether a pause lasts."""
        return self._pause.is_set()

    def pause(self) -> None:
        """Leaves out what comes from now on; the film goes on without a gap after `resume`."""
        self._pause.set()

    def resume(self) -> None:
        """Ends a pause."""
        self._pause.clear()

    def open(self) -> None:
        """Begins the first film. Raises as `VideoSink.open`, DeviceLostError if the disk is nearly full."""
        be_nice()
        self._space.check()
        if self._ear is not None:
            self._ear.open()
        try:
            self._reel.begin()
        except FaceswapdError:
            if self._ear is not None:
                self._ear.close()
            raise
        self._progress = self._reel.progress

    def put(self, frame: Frame) -> None:
        """Writes one frame.

        Raises DeviceLostError when the recording ends here: no space, its largest size, no encoder left.
        """
        if self._pause.is_set():
            self._times.skip()
            while self._ear is not None and self._ear.take(frame.captured_ns):
                continue  # it is forgotten
            return
        self._look()
        self._late_ns = max(0, self._clock.now_ns() - frame.captured_ns)
        for due in self._times.place(frame):
            self._hear(due.captured_ns)
            if self._is_long(due):
                self._reel.turn()
            self._reel.write(due)
        self._progress = self._reel.progress

    def close(self) -> None:
        """Finishes the film. Raises DeviceLostError when its end cannot be written."""
        last = self._times.last
        try:
            if last is not None and self._reel.running:
                self._hear(self._fill_end(last) + self._times.period_ns)
        finally:
            if self._ear is not None:
                self._ear.close()
            self._reel.end()
            self._progress = self._reel.progress

    def _hear(self, until_ns: int) -> None:
        """Sound up to this time of the recording."""
        skipped_ns = self._times.skipped_ns
        while self._ear is not None and (block := self._ear.take(until_ns + skipped_ns)):
            self._reel.put_sound(block.samples, block.captured_ns - skipped_ns)

    def _fill_end(self, last: Frame) -> int:
        """After a silence the film lasts as long as the recording did: its last picture stands till the end.

        That a frame comes later than it was taken is no silence.
        Returns the time of its last frame.
        """
        period_ns = self._times.period_ns
        end_ns = self._clock.now_ns() - self._late_ns - self._times.skipped_ns - period_ns
        if self._pause.is_set() or end_ns - last.captured_ns <= _END_GAP * period_ns:
            return last.captured_ns
        self._reel.write(replace(last, captured_ns=end_ns))
        return end_ns

    def _is_long(self, frame: Frame) -> bool:
        """Whether this frame is the first one after the length of a film."""
        segment_s, begin_ns = self._limits.segment_s, self._reel.begin_ns
        if segment_s is None or begin_ns is None:
            return False
        return frame.captured_ns - begin_ns >= segment_s * 1e9 - self._times.period_ns // 2

    def _look(self) -> None:
        """Now and then: is there room for more?"""
        now_ns = self._clock.now_ns()
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + _LOOK_NS
        self._space.check()
        largest = self._limits.max_bytes
        if largest is not None and self._progress.bytes_written >= largest:
            raise DeviceLostError("the recording has its largest size", "it was ended and is whole")

    def _film(self, path: Path, encoder: str, without: Set[str]) -> Film:
        return VideoSink(
            path, self._size, self._fps,
            encoder=encoder, quality=self._quality, without=without,
            overwrite=self._overwrite and path == self._path,
            sound=self._ear.channels if self._ear else 0,
        )  # fmt: skip
