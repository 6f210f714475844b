"""When a steady output is written: a grid of absolute deadlines that follows its source's phase."""

import cmath
import math

_DRIFT = 0.02  # of a period a tick: a change of rate this small is no visible judder
_RATE = 0.005  # of a period a tick on average: the output's rate stays within 0.5 % of what was asked
_CREDIT = 0.5  # of a period: no tick is further than that from a frame's arrival
_GAIN = 0.1  # share of the phase error that one tick corrects
_MEMORY = 16  # arrivals that make the mean phase: half a second at 30 fps
_COHERENT = 0.5  # length of the mean phasor under which arrivals have no phase worth following
_GUARD_NS = 500_000  # what a hand-over between threads may take, beside the spread of the arrivals
_GRACE = 0.25  # of a period: how long a tick waits for a frame that is expected but late
_EXPECTED = 0.75  # share of the recent ticks that had a new frame, over which the next one is expected


class Pacer:
    """The ticks of one output, pure arithmetic.

    Whoever owns it waits until `deadline_ns`, then for a new frame until `latest_ns`, then calls `tick`.

    Deadlines are `1 / fps` apart. A late tick does not move those after it; ticks that are later than half
    a period are dropped, so that two writes are never closer than half a period and a stall is not
    followed by a burst.

    A phase-locked loop moves the grid so that ticks fall just after the frames arrive: without it a frame
    waits for half a period on average. It takes the circular mean and spread of the arrivals' phases
    (Mardia and Jupp, Directional Statistics, 2.3), and puts the tick a spread after the mean; for the few
    frames that are later than that it waits up to a quarter of a period before it repeats the last one. A
    source with quite another rate has no mean phase, and is left to repeat and drop regularly. The moves
    of `n` ticks add up to at most half a period + 0.5 % of `n` periods, so the rate in the long run is
    the output's own.

    Not safe for several threads.
    """

    def __init__(self, fps: float, start_ns: int) -> None:
        self._period = 1e9 / fps
        self._start_ns = start_ns
        self._next = 0.0  # the deadline, in ns after the start: a float keeps fractions of a ns for months
        self._mean = 0j
        self._arrivals = 0
        self._fresh = 0.0
        self._credit = _CREDIT

    @property
    def deadline_ns(self) -> int:
        """When the next write is due."""
        return self._start_ns + round(self._next)

    @property
    def latest_ns(self) -> int:
        """Until when a write may wait for a new frame: `deadline_ns`, or later when one is expected."""
        expected = self._locked and self._fresh > _EXPECTED
        return self.deadline_ns + (round(_GRACE * self._period) if expected else 0)

    def tick(self, now_ns: int, arrived_ns: int | None = None) -> int:
        """Notes a write that begins now and sets the next deadline. Returns how many ticks were dropped.

        `arrived_ns` is when the frame that is written arrived; None repeats the one before.
        """
        self._fresh += ((arrived_ns is not None) - self._fresh) / _MEMORY
        if arrived_ns is not None:
            self._note((arrived_ns - self._start_ns - self._next) / self._period)
        self._next += self._period * (1 + self._drift())
        behind = now_ns - self._start_ns + self._period / 2 - self._next
        dropped = max(0, math.ceil(behind / self._period))
        self._next += dropped * self._period
        return dropped

    @property
    def _locked(self) -> bool:
        return self._arrivals >= _MEMORY // 2 and abs(self._mean) > _COHERENT

    def _note(self, phase: float) -> None:
        self._arrivals += 1
        share = 1 / min(self._arrivals, _MEMORY)
        self._mean += share * (cmath.rect(1, math.tau * phase) - self._mean)

    def _drift(self) -> float:
        """How far the grid moves now, as a share of a period; positive is later."""
        self._credit = min(_CREDIT, self._credit + _RATE)
        if not self._locked:
            return 0.0
        spread = math.sqrt(-2 * math.log(min(abs(self._mean), 1.0))) / math.tau
        wanted = cmath.phase(self._mean) / math.tau + spread + _GUARD_NS / self._period
        error = (wanted + 0.5) % 1 - 0.5
        limit = min(_DRIFT, self._credit)
        step = max(-limit, min(limit, _GAIN * error))
        self._credit -= abs(step)
        self._mean *= cmath.rect(1, -math.tau * step)  # phases are counted from the grid, which moves
        return step
