"""The times of a recording: pauses left out, and a constant rate where it is wanted."""

from collections.abc import Iterator
from dataclasses import replace

from ..core.frame import Frame


class Retimer:
    """Puts frames at their times in a recording. Not safe for several threads."""

    def __init__(self, fps: float, *, constant: bool = False) -> None:
        """`constant`: one frame every 1 / `fps`, repeated or left out as need be; else each at its own time."""
        self._fps, self._constant = fps, constant
        self.period_ns = round(1e9 / fps)
        self.last: Frame | None = None
        """The last frame, at its time in the recording."""
        self.skipped_ns = 0
        """What all pauses took: the time of the recording is that much before the clock's."""
        self._paused = False
        self._first_ns: int | None = None
        self._tick = -1

    def skip(self) -> None:
        """A frame is left out by the user's wish: the next one follows the last without a gap."""
        self._paused = True

    def place(self, frame: Frame) -> Iterator[Frame]:
        """The frame at its time; with a constant rate first those that are missing, and perhaps not itself."""
        last = self.last
        if self._paused and last is not None:
            self.skipped_ns = frame.captured_ns - last.captured_ns - self.period_ns
        self._paused = False
        frame = replace(frame, captured_ns=frame.captured_ns - self.skipped_ns)
        if not self._constant:
            self.last = frame
            yield frame
            return
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
        tick = round((frame.captured_ns - self._first_ns) / self.period_ns)
        if tick <= self._tick:
            return
        for missing in range(self._tick + 1, tick):
            assert last is not None
            yield replace(last, captured_ns=self._at(self._first_ns, missing))
        self._tick = tick
        self.last = replace(frame, captured_ns=self._at(self._first_ns, tick))
        yield self.last

    def _at(self, first_ns: int, tick: int) -> int:
        return first_ns + round(tick * 1e9 / self._fps)
