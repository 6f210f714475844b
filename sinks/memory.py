"""A sink that keeps its frames, or only counts them: for `memory:`, measurements and tests."""

from collections import deque

from ..core.frame import Frame
from .sink import WhenFull


class MemorySink:
    """Keeps the last `keep` frames (none of them: it only counts), and refuses nothing."""

    steady = False

    def __init__(self, name: str = "memory:", keep: int = 0, when_full: WhenFull = WhenFull.NEWEST) -> None:
        self._name = name
        self._when_full = when_full
        self._frames: deque[Frame] = deque(maxlen=keep)
        self._count = 0

    @property
    def name(self) -> str:
        """What it was called, `memory:` or `none`."""
        return self._name

    @property
    def when_full(self) -> WhenFull:
        """As it was made: `NEWEST` beside live work, `WAIT` where every frame counts."""
        return self._when_full

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames kept, oldest first; a copy, for any thread."""
        return tuple(self._frames.copy())

    @property
    def count(self) -> int:
        """How many frames came, kept or not."""
        return self._count

    def open(self) -> None:
        """Nothing to acquire."""

    def put(self, frame: Frame) -> None:
        """Keeps the frame itself, not a copy of its pixels."""
        self._frames.append(frame)
        self._count += 1

    def close(self) -> None:
        """What was kept stays readable."""
