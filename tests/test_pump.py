import threading
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from fakes import FakeSource, ManualClock, picture

from faceswapd.capture.pump import Pump
from faceswapd.capture.source import Shot
from faceswapd.core.errors import BadInputError, BusyError, DeviceLostError, MissingInputError, NoDeviceError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter


class Run:
    """A pump over a source, run to its end."""

    def __init__(self, source: FakeSource, **options: Any) -> None:
        self.clock, self.meter = ManualClock(), Meter()
        self.frames: list[Frame] = []
        self.ends: list[BaseException | None] = []
        self.over = threading.Event()
        self.events: list[str] = []
        self.source = source
        self.pump = Pump(
            source,
            options.pop("offer", self.frames.append),
            options.pop("clock", self.clock),
            self.meter,
            on_end=self._end,
            on_lost=lambda e: self.events.append(f"lost {e.what}"),
            on_found=lambda: self.events.append("found"),
            **options,
        )

    def _end(self, error: BaseException | None) -> None:
        self.ends.append(error)
        self.over.set()

    def to_the_end(self) -> "Run":
        self.pump.start()
        assert self.over.wait(10)
        return self

    def seconds(self) -> list[float]:
        return [(f.captured_ns - self.frames[0].captured_ns) / 1e9 for f in self.frames]


class SlowSource(FakeSource):
    """Takes time to read: seconds by frame number, on the test's clock."""

    def __init__(self, count: int, delays: dict[int, float], fps: float = 10.0, each: float = 0.0) -> None:
        super().__init__([picture()] * count, fps)
        self.delays, self.each = delays, each
        self.clock: ManualClock | None = None

    def read(self) -> Shot:
        assert self.clock is not None
        self.clock.advance(self.delays.get(self._n, 0.0) + self.each)
        return super().read()


def slow(count: int, delays: dict[int, float], each: float = 0.0) -> Run:
    source = SlowSource(count, delays, each=each)
    run = Run(source)
    source.clock = run.clock
    return run.to_the_end()


def test_a_film_is_played_at_its_own_rate() -> None:
    run = Run(FakeSource([picture()] * 5, fps=25)).to_the_end()

    assert run.seconds() == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert [f.seq for f in run.frames] == [0, 1, 2, 3, 4]
    assert [f.pts_s for f in run.frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert run.ends == [None]
    assert run.source.log == ["open", "close"]
    run.pump.stop()


def test_without_pacing_time_stands_still() -> None:
    run = Run(FakeSource([picture()] * 5), pace=False).to_the_end()

    assert run.seconds() == [0] * 5


def test_a_live_source_is_not_paced() -> None:
    run = Run(FakeSource([picture()] * 5, paced=False)).to_the_end()

    assert run.seconds() == [0] * 5


def test_after_a_hiccup_late_frames_are_skipped_and_never_burst() -> None:
    run = slow(20, {5: 0.55})

    seqs, gaps = [f.seq for f in run.frames], run.seconds()
    assert seqs == [0, 1, 2, 3, 4, *range(9, 20)]  # 5 to 8 were more than a frame late at 0.95 s
    assert run.meter.counted("dropped") == {"late": 4}
    assert min(b - a for a, b in pairwise(gaps[5:])) >= 0.05 - 1e-9
    assert gaps[-1] == pytest.approx(1.9)  # back on the film's own time


def test_after_a_long_stall_the_film_goes_on_where_it_was() -> None:
    run = slow(10, {5: 3.0})

    assert [f.seq for f in run.frames] == list(range(10))
    gaps = run.seconds()
    assert [b - a for a, b in pairwise(gaps[5:])] == pytest.approx([0.1] * 4)
    assert run.meter.total("dropped") == 0


def test_a_reader_slower_than_its_film_still_shows_most_of_it() -> None:
    run = slow(60, {}, each=0.125)

    assert len(run.frames) > 40
    assert len(run.frames) + run.meter.counted("dropped")["late"] == 60
    gaps = run.seconds()
    assert max(b - a for a, b in pairwise(gaps)) <= 0.26


def test_start_raises_what_open_raises() -> None:
    class Missing(FakeSource):
        def open(self) -> None:
            raise NoDeviceError("camera x", "plug it in")

    run = Run(Missing([]))

    with pytest.raises(NoDeviceError, match="camera x: plug it in"):
        run.pump.start()
    run.pump.stop()
    assert run.ends == []
    assert run.source.log == []


def test_an_error_in_the_middle_ends_it_and_stop_raises_it_once() -> None:
    run = Run(FakeSource([picture(), BadInputError("film x", "broken")])).to_the_end()

    assert [str(e) for e in run.ends] == ["film x: broken"]
    assert run.source.log == ["open", "close"]
    with pytest.raises(BadInputError):
        run.pump.stop()
    run.pump.stop()


def test_a_bug_in_the_consumer_is_raised_too() -> None:
    def broken(_: Frame) -> None:
        raise ZeroDivisionError

    run = Run(FakeSource([picture()]), offer=broken).to_the_end()

    with pytest.raises(ZeroDivisionError):
        run.pump.stop()


def test_stop_interrupts_the_wait_for_a_frames_time() -> None:
    clock = ManualClock(auto=False)
    waiting = threading.Event()

    def wait(stop: threading.Event, _until_ns: int) -> bool:
        waiting.set()
        return stop.wait(10)

    clock.wait = wait  # type: ignore[method-assign,assignment]
    run = Run(FakeSource([picture()] * 3, fps=0.01), clock=clock)
    run.pump.start()
    assert waiting.wait(10)

    run.pump.stop(5)

    assert run.frames == []
    assert run.ends == []  # the owner stopped it himself
    assert run.source.log == ["open", "close"]


def test_a_source_that_hangs_is_named_after_the_deadline() -> None:
    release = threading.Event()

    class Hanging(FakeSource):
        def read(self) -> Shot:
            release.wait(10)
            return super().read()

    run = Run(Hanging([]))
    run.pump.start()
    try:
        with pytest.raises(DeviceLostError, match="fake does not answer"):
            run.pump.stop(0.05)
    finally:
        release.set()
    run.pump.stop(5)


class Unplugged(FakeSource):
    """Is lost after one frame; the first `refusals` tries to open it again fail."""

    def __init__(self, refusals: int) -> None:
        super().__init__(
            [picture(value=1), DeviceLostError("camera x", "gone"), picture(value=2)], paced=False
        )
        self.refusals = refusals

    def open(self) -> None:
        if "close" in self.log and self.refusals:
            self.refusals -= 1
            raise (BusyError, NoDeviceError, MissingInputError)[self.refusals % 3]("camera x")
        super().open()


def test_a_lost_device_is_opened_again_until_it_is_back() -> None:
    run = Run(Unplugged(3), reopen=True).to_the_end()

    assert run.events == ["lost camera x", "found"]
    assert [int(f.pixels[0, 0, 0]) for f in run.frames] == [1, 2]
    assert [f.seq for f in run.frames] == [0, 1]
    assert run.source.log == ["open", "close", "open", "close"]
    # 0.25 + 0.5 + 1 + 2 s, each taken by 0.75 to 1.25 of itself
    assert 3.75 * 0.75 <= run.seconds()[1] <= 3.75 * 1.25
    run.pump.stop()


def test_without_reopening_a_lost_device_ends_it() -> None:
    run = Run(Unplugged(0)).to_the_end()

    assert run.events == []
    with pytest.raises(DeviceLostError):
        run.pump.stop()


def test_stop_ends_the_search_for_a_lost_device() -> None:
    clock = ManualClock(auto=False)
    clock.wait = lambda stop, _: stop.wait(10)  # type: ignore[method-assign,assignment]
    run = Run(Unplugged(10**6), reopen=True, clock=clock)
    run.pump.start()

    run.pump.stop(5)

    assert run.source.log == ["open", "close"]
    assert run.ends == []


def test_a_frame_was_taken_before_it_was_handed_over_where_the_source_tells() -> None:
    class Camera(FakeSource):
        def read(self) -> Shot:
            return replace(super().read(), pts_s=None, age_s=0.08 if self._n > 1 else None)

    run = Run(Camera([picture()] * 3, paced=False)).to_the_end()
    now_ns = run.clock.now_ns()

    assert [f.captured_ns for f in run.frames] == [now_ns, now_ns - 80_000_000, now_ns - 80_000_000]
    assert [f.marks for f in run.frames] == [(), (("source", now_ns),), (("source", now_ns),)]
