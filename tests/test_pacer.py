import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.sinks.pacer import Pacer

SECOND = 1_000_000_000


class Run:
    """An output over a source's arrivals, as the thread that owns a pacer would live it."""

    def __init__(self, fps: float, arrivals: list[int], until_s: float, settle_s: float = 3) -> None:
        pacer, waiting = Pacer(fps, 0), sorted(arrivals)
        self.writes: list[int] = []
        self.waited_ms: list[float] = []
        self.repeats = self.superseded = 0
        while (now := pacer.deadline_ns) < until_s * SECOND:
            if waiting and now < waiting[0] <= pacer.latest_ns:
                now = waiting[0]
            elif not waiting or waiting[0] > now:
                now = pacer.latest_ns
            arrived = None
            while waiting and waiting[0] <= now:
                self.superseded += arrived is not None and now > settle_s * SECOND
                arrived = waiting.pop(0)
            if now > settle_s * SECOND:
                self.repeats += arrived is None
                if arrived is not None:
                    self.waited_ms.append((now - arrived) / 1e6)
            self.writes.append(now)
            pacer.tick(now, arrived)
        self.fps = (len(self.writes) - 1) * SECOND / (self.writes[-1] - self.writes[0])
        self.gaps = [(b - a) * fps / SECOND for a, b in zip(self.writes, self.writes[1:], strict=False)]


def source(fps: float, seconds: float, offset_ms: float = 7, jitter_ms: float = 0) -> list[int]:
    late = random.Random(1)
    return [
        round((n / fps + (offset_ms + late.random() * jitter_ms) / 1e3) * SECOND)
        for n in range(round(fps * seconds))
    ]


def test_deadlines_lie_on_a_grid_that_late_writes_do_not_move() -> None:
    pacer = Pacer(50, 1000)
    seen = []
    for late in (0, 3_000_000, 9_000_000, 0):
        seen.append(pacer.deadline_ns)
        assert pacer.tick(pacer.deadline_ns + late) == 0

    assert seen == [1000, 20_001_000, 40_001_000, 60_001_000]


def test_a_stall_drops_ticks_and_is_followed_by_no_burst() -> None:
    pacer = Pacer(50, 0)
    pacer.tick(0)

    dropped = pacer.tick(507_000_000)

    assert dropped == 24
    assert pacer.deadline_ns == 520_000_000


@pytest.mark.parametrize(("fps", "jitter_ms"), [(30, 0), (30, 3), (60, 2), (29.97, 2), (59.94, 2)])
def test_ticks_fall_just_after_the_frames_of_a_source_of_the_same_rate(fps: float, jitter_ms: float) -> None:
    run = Run(round(fps), source(fps, 30, jitter_ms=jitter_ms), 30)

    assert statistics.mean(run.waited_ms) < 1.5 + jitter_ms
    assert max(run.waited_ms) < 2 + 2 * jitter_ms
    assert run.repeats <= 1
    assert run.superseded <= 1


@pytest.mark.parametrize("fps", [10, 15, 24, 25, 29, 31, 50, 60])
def test_another_rate_is_repeated_or_thinned_and_the_output_keeps_its_own(fps: float) -> None:
    run = Run(30, source(fps, 30, jitter_ms=1), 30)

    assert run.fps == pytest.approx(30, rel=0.007)
    assert min(run.gaps) > 0.7
    assert max(run.gaps) < 1.3


def test_without_frames_the_rate_is_exact() -> None:
    run = Run(30, [], 60)

    assert run.fps == pytest.approx(30, rel=1e-6)
    assert max(run.gaps) - min(run.gaps) < 1e-6


def test_no_tick_waits_for_a_source_that_has_gone() -> None:
    pacer = Pacer(30, 0)
    for _ in range(60):
        pacer.tick(pacer.deadline_ns, pacer.deadline_ns - 2_000_000)
    expecting = pacer.latest_ns - pacer.deadline_ns
    for _ in range(20):
        pacer.tick(pacer.deadline_ns)

    assert expecting == pytest.approx(SECOND / 30 / 4, rel=1e-6)
    assert pacer.latest_ns == pacer.deadline_ns


@given(
    fps=st.floats(1, 240),
    steps=st.lists(st.tuples(st.floats(0, 6), st.none() | st.floats(0, 1)), min_size=1, max_size=200),
)
def test_writes_are_never_closer_than_half_a_period_and_drift_is_bounded(
    fps: float, steps: list[tuple[float, float | None]]
) -> None:
    """`steps`: how late each write begins, and how long its frame had waited, both in periods."""
    period = SECOND / fps
    pacer = Pacer(fps, 0)
    ticks, last, now = 0, -period, 0.0
    for late, age in steps:
        now = max(now, pacer.deadline_ns) + late * period
        assert now - last >= period / 2 - 2
        last = now
        ticks += 1 + pacer.tick(round(now), None if age is None else round(now - age * period))
        assert abs(pacer.deadline_ns / period - ticks) <= 0.5 + 0.005 * len(steps) + 1e-6
        assert pacer.deadline_ns <= pacer.latest_ns <= pacer.deadline_ns + period / 4 + 1
