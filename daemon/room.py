"""How much of a film is under way at once."""

import threading
from collections.abc import Callable


class Room:
    """How many frames, and how many bytes of them, are under way at once. Any thread."""

    def __init__(
        self, frames: int, limit_bytes: int | None = None, tight: Callable[[], bool] = lambda: False
    ) -> None:
        """While `tight` says True, a frame comes in only when there is no other: slower, but no more memory."""
        self._tight = tight
        self._least = self._frames = self._free = frames
        self._taken = 0
        self.changed = threading.Condition()
        """Notified when there is room again; may be held while any method is called."""
        self.limit_bytes = limit_bytes
        self.peak = 0
        """The most bytes that were ever taken."""

    @property
    def tight(self) -> bool:
        """Frames pass one by one."""
        return self._tight()

    def reserve(self, bytes_: int) -> None:
        """So many bytes are for something else from now on."""
        with self.changed:
            if self.limit_bytes is not None:
                self.limit_bytes = max(0, self.limit_bytes - bytes_)

    def hold(self, frames: int) -> None:
        """Room for so many frames from now on, if they are more than at first."""
        with self.changed:
            frames = max(self._least, frames)
            self._free += frames - self._frames
            self._frames = frames
            self.changed.notify_all()

    def take(self, cost: int) -> None:
        """Waits for room. One frame always fits."""
        with self.changed:
            self.changed.wait_for(lambda: self._fits(cost))
            self._enter(cost)

    def offer(self, cost: int) -> bool:
        """Whether there was room; it is taken then."""
        with self.changed:
            fits = self._fits(cost)
            if fits:
                self._enter(cost)
            return fits

    def give(self, cost: int) -> None:
        """A frame is done with."""
        with self.changed:
            self._free += 1
            self._taken -= cost
            self.changed.notify_all()

    def _fits(self, cost: int) -> bool:
        if self._taken == 0:
            return True
        fits = self._free > 0 and (self.limit_bytes is None or self._taken + cost <= self.limit_bytes)
        return fits and not self._tight()

    def _enter(self, cost: int) -> None:
        self._free -= 1
        self._taken += cost
        self.peak = max(self.peak, self._taken)
