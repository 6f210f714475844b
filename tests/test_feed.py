import itertools
from collections.abc import MutableMapping
from typing import Any

import pytest
import structlog
from fakes import FakeSink, ManualClock, frame

from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import DeviceLostError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.sinks.feed import Feed, capacity
from faceswapd.sinks.sink import WhenFull


@pytest.mark.parametrize(
    ("when_full", "fps", "size", "frames"),
    [
        (WhenFull.NEWEST, 30, (1280, 720), 1),
        (WhenFull.DROP, 30, (1280, 720), 60),
        (WhenFull.DROP, 60, (3840, 2160), 16),
        (WhenFull.WAIT, 30, (1280, 720), 4),
    ],
)
def test_how_many_frames_wait(when_full: WhenFull, fps: float, size: tuple[int, int], frames: int) -> None:
    assert capacity(when_full, fps, size[0] * size[1] * 3) == frames


def test_a_virtual_hour_at_the_rate_asked_for_whatever_the_device_does() -> None:
    """A device that takes 1 to 9 ms, and hangs for two seconds every minute."""
    clock, sink = ManualClock(), FakeSink(steady=True)
    starts: list[int] = []

    def device(_: Frame) -> None:
        starts.append(clock.ns)
        n = len(starts)
        clock.advance(2 if n % 1800 == 0 else 0.001 * (1 + n % 9))
        sink.frames.clear()
        if clock.ns > 3600e9:
            feed.stop()

    sink.on_put = device
    meter = Meter()
    feed = Feed(sink, frame(-1), 30, clock, meter, failed=lambda _: None)
    feed.start()
    feed.closed.result(60)

    gaps = [b - a for a, b in itertools.pairwise(starts)]
    hangs = sum(g > 1e9 for g in gaps)
    assert hangs == pytest.approx(58, abs=2)
    assert min(gaps) >= 1e9 / 60
    assert len(starts) + meter.counted("late_ticks")["fake"] == pytest.approx(3599 * 30, abs=3)


def test_a_lost_device_is_tried_again_ever_more_rarely() -> None:
    clock = ManualClock()
    tries: list[float] = []

    class Gone(FakeSink):
        def open(self) -> None:
            if self.log:
                tries.append(clock.ns / 1e9)
                if len(tries) == 9:
                    feed.stop()
                raise DeviceLostError("gone")
            super().open()

    def lost(_: Frame) -> None:
        raise DeviceLostError("gone")

    reported: list[Exception] = []
    feed = Feed(Gone(steady=True, on_put=lost), frame(-1), 30, clock, Meter(), failed=reported.append)
    feed.start()
    feed.closed.result(10)

    waits = [b - a for a, b in itertools.pairwise(tries)]
    assert waits[0] < 1
    assert all(2.5 <= w <= 7.5 for w in waits[-3:])
    assert len(set(waits)) == len(waits)
    assert len(reported) == 1


def test_stop_ends_a_feed_that_has_nothing_to_do() -> None:
    sink = FakeSink()
    feed = Feed(sink, frame(-1), 30, ManualClock(), Meter(), failed=lambda _: None)
    feed.start()
    feed.opened.result(5)
    feed.stop()
    feed.closed.result(5)

    assert sink.log == ["open", "close"]


def test_the_last_act_of_a_feed_is_to_say_that_it_is_closed() -> None:
    """A line that its thread still writes while the process ends would abort the process."""
    feed = Feed(FakeSink(), frame(-1), 30, ManualClock(), Meter(), failed=lambda _: None)
    said: list[tuple[str, bool]] = []

    def note(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        said.append((entry["event"], feed.closed.done()))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[note])
    try:
        feed.start()
        feed.stop()
        feed.closed.result(5)
    finally:
        structlog.configure(**before)

    assert said == [("sink.opened", False), ("sink.closed", False)]


@pytest.mark.parametrize("at", ["open", "close"])
def test_a_feed_always_says_that_it_is_closed(at: str) -> None:
    """Whatever a sink does: whoever ends the run waits for that word."""
    failed: list[Exception] = []

    class Odd(FakeSink):
        def put(self, frame: Frame) -> None:
            raise DeviceLostError("gone")

        def open(self) -> None:
            if at == "open" and self.log:
                raise ZeroDivisionError
            super().open()

        def close(self) -> None:
            super().close()
            if at == "close":
                feed.stop()
                raise ZeroDivisionError

    feed = Feed(Odd(steady=True), frame(-1), 30, SystemClock(), Meter(), failed=failed.append)
    feed.start()
    feed.closed.result(20)

    assert [type(error) for error in failed] == [DeviceLostError, *[ZeroDivisionError] * (at == "open")]
