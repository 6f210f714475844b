"""Counters and histograms: the only source of every number that is published."""

import math
import threading
from collections import Counter, defaultdict, deque

import msgspec

from .frame import Frame

_BASE = 1.02  # a bucket is 2 % wide: a percentile is right within 1 %
_LOG = math.log(_BASE)
RECENT_S = 10
"""The latest frames of a run, in seconds: what its latency is now."""


class Quantiles(msgspec.Struct, frozen=True):
    """Percentiles of a duration in milliseconds."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Histogram:
    """Durations in logarithmic buckets: constant memory for a daemon that runs for weeks."""

    def __init__(self) -> None:
        self.count = 0
        self.total_ns = 0
        self._buckets: Counter[int] = Counter()

    def add(self, duration_ns: int) -> None:
        """Counts one duration; anything under a microsecond is a microsecond."""
        self.count += 1
        self.total_ns += duration_ns
        self._buckets[round(math.log(max(duration_ns, 1000)) / _LOG)] += 1

    def include(self, other: "Histogram") -> None:
        """Counts what another one has counted."""
        self.count += other.count
        self.total_ns += other.total_ns
        self._buckets.update(other._buckets)

    def quantile_ms(self, q: float) -> float:
        """The duration in ms below which a share `q` of all lies; 0 if there is none."""
        rank, seen = q * self.count, 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return round(_BASE**bucket / 1e6, 3)
        return 0.0

    def quantiles(self) -> Quantiles:
        """p50, p95 and p99 in ms."""
        return Quantiles(*(self.quantile_ms(q) for q in (0.50, 0.95, 0.99)))


class Recent:
    """Durations of the last `RECENT_S` seconds, forgotten a second at a time."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, Histogram]] = deque(maxlen=RECENT_S + 1)

    def add(self, duration_ns: int, at_ns: int) -> None:
        """Counts one duration that ended now."""
        second = at_ns // 10**9
        if not self._seconds or second > self._seconds[-1][0]:
            self._seconds.append((second, Histogram()))
        self._seconds[-1][1].add(duration_ns)

    def quantiles(self, now_ns: int) -> Quantiles:
        """p50, p95 and p99 in ms; 0 if nothing was counted lately."""
        merged = Histogram()
        for second, histogram in self._seconds:
            if second > now_ns // 10**9 - RECENT_S:
                merged.include(histogram)
        return merged.quantiles()


class Meter:
    """What the pipeline counts and times. Any thread may report; a reader gets a consistent copy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._recent = Recent()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first_ns: int | None = None
        self._last_ns = 0
        self._frames = 0

    def observe(self, frame: Frame) -> None:
        """Times the stages of one published frame: each mark against the one before it.

        The last mark against `captured_ns` is the frame's latency.
        """
        if not frame.marks:
            return
        with self._lock:
            before = frame.captured_ns
            for stage, at_ns in frame.marks:
                self._stages[stage].add(at_ns - before)
                before = at_ns
            self._stages["latency"].add(before - frame.captured_ns)
            self._recent.add(before - frame.captured_ns, before)
            if self._first_ns is None:
                self._first_ns = before
            self._last_ns = before
            self._frames += 1

    def time(self, name: str, duration_ns: int) -> None:
        """Adds one duration to a histogram of its own (the loop's lag, a model's run)."""
        with self._lock:
            self._stages[name].add(duration_ns)

    def count(self, name: str, cause: str = "", by: int = 1) -> None:
        """Adds to a counter, for instance `count("dropped", "stale")`."""
        with self._lock:
            self._counts[name, cause] += by

    def counted(self, name: str) -> dict[str, int]:
        """{cause: n} of one counter."""
        with self._lock:
            return {cause: n for (what, cause), n in self._counts.items() if what == name}

    def total(self, name: str) -> int:
        """The sum of one counter over its causes."""
        return sum(self.counted(name).values())

    def quantiles(self) -> dict[str, Quantiles]:
        """{stage: percentiles}, "latency" (taken to handed over) among them."""
        with self._lock:
            return {name: h.quantiles() for name, h in self._stages.items()}

    def latency(self, now_ns: int) -> Quantiles:
        """What the latency is now: of the frames of the last `RECENT_S` seconds; 0 if there was none."""
        with self._lock:
            return self._recent.quantiles(now_ns)

    def mean_ms(self, name: str) -> float:
        """The mean of one histogram in ms."""
        with self._lock:
            h = self._stages[name]
            return h.total_ns / h.count / 1e6 if h.count else 0.0

    @property
    def frames(self) -> int:
        """Frames observed."""
        return self._frames

    @property
    def fps(self) -> float:
        """Frames per second between the first and the last observed frame."""
        with self._lock:
            if self._first_ns is None or self._last_ns <= self._first_ns:
                return 0.0
            return (self._frames - 1) * 1e9 / (self._last_ns - self._first_ns)
