"""How many frames are rendered together: what the film's own frames show to be fastest."""

import threading
from collections import defaultdict

import structlog

log = structlog.get_logger(__name__)

MOST = 32
"""Beyond it no known model gains, and whoever waits for the first frame of a batch waits long."""
TRIES = 3
"""Batches of a size that are timed, after one that is not: engines prepare themselves for a new size."""
GAIN = 0.97
"""A larger batch is taken if a face takes at most this share of the time: less is noise."""


def ceiling(total: int | None, workers: int) -> int:
    """The most frames at once for a film of so many: all workers should have some of it."""
    return MOST if total is None else max(1, min(MOST, total // max(1, workers)))


class Batch:
    """Tries 1, 2, 4, ... frames at once while the job goes on, and keeps the size with the least time a face.

    It stops at the first size that is not faster, or that fails. Any thread may call.
    """

    def __init__(self, most: int = 1, settled: int = 0) -> None:
        """`most`: the largest size that there is room for. `settled`: the size that an earlier run found, 0: none."""
        self._most = max(1, most)
        self._lock = threading.Lock()
        self._settled = min(settled, self._most) if settled else int(self._most == 1)
        self._trial, self._best = 1, max(1, self._settled)
        self._under_way = 0
        self._times: defaultdict[int, list[float]] = defaultdict(list)

    @property
    def settled(self) -> int:
        """The size that all further batches have; 0 while that is not known."""
        return self._settled

    def next(self) -> int:
        """The size of the next batch."""
        with self._lock:
            if self._settled:
                return self._settled
            if len(self._times[self._trial]) > TRIES:
                self._judge()
                if self._settled:
                    return self._settled
            if self._under_way + len(self._times[self._trial]) <= TRIES:
                self._under_way += 1
                return self._trial
            return self._best

    def took(self, size: int, faces: int, duration_ns: int) -> None:
        """A batch of this size is done; one without faces says nothing and is tried again."""
        with self._lock:
            if size != self._trial or self._settled:
                return
            self._under_way = max(0, self._under_way - 1)
            if faces:
                self._times[size].append(duration_ns / faces)

    def failed(self, size: int) -> None:
        """A batch of this size did not work (a device's memory is full): none is that large again."""
        with self._lock:
            if self._settled and self._settled < size:
                return
            self._settle(min(self._best, max(1, size // 2)))

    def part_ends(self) -> None:
        """The film's next part begins: what is known by now holds for the rest, so that a job which is resumed there
        goes on in the same way."""
        with self._lock:
            if not self._settled and any(len(times) > 1 for times in self._times.values()):
                self._settle(self._trial if self._gains() else self._best)

    def _gains(self) -> bool:
        """The size on trial is faster than the best before it, as far as it is timed."""
        now, before = (self._times[size][1:] for size in (self._trial, self._best))
        return bool(now) and (self._trial == self._best or min(now) <= GAIN * min(before))

    def _judge(self) -> None:
        if not self._gains():
            self._settle(self._best)
            return
        self._best, self._under_way = self._trial, 0
        if 2 * self._trial > self._most:
            self._settle(self._best)
        else:
            self._trial *= 2

    def _settle(self, size: int) -> None:
        self._settled = size
        log.info("batch.settled", frames=size, ms_a_face={
            n: round(min(times[1:]) / 1e6, 2) for n, times in self._times.items() if len(times) > 1
        })  # fmt: skip
