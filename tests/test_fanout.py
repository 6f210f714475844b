import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from fakes import FakeSink, frame, picture

from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import BadInputError, BusyError, DeviceLostError, NoDeviceError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.sinks.fanout import Fanout
from faceswapd.sinks.placeholder import Reason, placeholder
from faceswapd.sinks.sink import Sink, WhenFull

SIZE = (64, 48)
FPS = 100.0


class Broken(FakeSink):
    """Cannot be opened, or is opened only at the nth try."""

    def __init__(self, error: Exception, fails: int = 1000, steady: bool = False) -> None:
        super().__init__(steady=steady)
        self.error, self.fails = error, fails

    def open(self) -> None:
        self.fails -= 1
        if self.fails >= 0:
            raise self.error
        super().open()


def fanout(*sinks: Sink, meter: Meter | None = None, **told: Callable[..., None]) -> Fanout:
    return Fanout(sinks, SIZE, FPS, SystemClock(), meter or Meter(), **told)


async def until(true: Callable[[], object], limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.002)


def until_set(go: threading.Event) -> Callable[[Frame], None]:
    """A device that blocks until then."""

    def block(_: Frame) -> None:
        go.wait(20)

    return block


def shown(sink: FakeSink) -> list[int]:
    return [int(f.pixels[0, 0, 0]) for f in sink.frames]


def numbered(n: int) -> Frame:
    return frame(n, picture(*SIZE, value=n), captured_ns=time.monotonic_ns())


def test_frames_reach_every_sink_in_its_own_thread() -> None:
    threads: set[str] = set()
    sinks = [
        FakeSink(WhenFull.DROP, on_put=lambda _: threads.add(threading.current_thread().name)) for _ in "ab"
    ]
    for sink, name in zip(sinks, "ab", strict=True):
        sink.name = name

    async def live() -> None:
        out = fanout(*sinks)
        await out.start()
        for n in range(20):
            out.publish(numbered(n))
        await out.close()

    asyncio.run(live())
    assert [shown(s) for s in sinks] == [list(range(20))] * 2
    assert threads == {"sink a", "sink b"}
    assert [s.log for s in sinks] == [["open", "close"]] * 2


def test_all_sinks_open_or_none_does() -> None:
    good, bad, worse = FakeSink(), Broken(BusyError("b is busy")), Broken(NoDeviceError("c is not there"))

    async def live() -> None:
        out = fanout(good, bad, worse)
        with pytest.raises(BusyError, match="b is busy"):
            await out.start()
        assert out.sinks == ()

    asyncio.run(live())
    assert good.log == ["open", "close"]
    assert bad.log == worse.log == []


def test_latency_ends_where_the_first_sink_takes_the_frame() -> None:
    meter, go = Meter(), threading.Event()
    first, second = (FakeSink(WhenFull.DROP, on_put=until_set(go)) for _ in range(2))
    second.name = "other"

    async def live() -> None:
        out = fanout(first, second, meter=meter)
        await out.start()
        out.publish(numbered(1).marked("render", time.monotonic_ns()))
        await until(lambda: meter.frames == 1)
        told = meter.quantiles()["latency"]
        await asyncio.sleep(0.05)
        go.set()  # only now does any of them come to its end
        out.publish(Frame(-1, time.monotonic_ns(), picture(*SIZE)))
        await out.close()
        assert meter.quantiles()["latency"] == told

    asyncio.run(live())
    assert meter.frames == 1
    assert set(meter.quantiles()) == {"render", "handed", "latency", "sink:fake", "sink:other"}
    assert meter.quantiles()["sink:fake"].p99 > 49


def test_that_frames_wait_for_a_film_is_no_latency() -> None:
    meter, go = Meter(), threading.Event()
    film = FakeSink(WhenFull.DROP, on_put=until_set(go))
    camera = FakeSink(WhenFull.NEWEST)
    camera.name = "camera"

    async def live() -> None:
        out = fanout(film, camera, meter=meter)
        await out.start()
        for n in range(8):
            out.publish(numbered(n).marked("render", time.monotonic_ns()))
            await until(lambda n=n: meter.frames == n + 1)  # type: ignore[misc]
        told = meter.quantiles()["latency"]  # all are counted while the film is at its first
        go.set()
        await out.close()
        assert meter.quantiles()["latency"] == told

    asyncio.run(live())
    assert len(film.frames) == 8
    assert meter.frames == 8


def test_a_slow_sink_keeps_the_newest_frame_and_the_others_do_not_notice() -> None:
    meter, go = Meter(), threading.Event()
    slow, quick = FakeSink(on_put=until_set(go)), FakeSink(WhenFull.DROP)

    async def live() -> None:
        out = fanout(slow, quick, meter=meter)
        await out.start()
        out.publish(numbered(0))
        await until(lambda: meter.frames == 1)
        for n in range(1, 10):
            out.publish(numbered(n))
        await until(lambda: len(quick.frames) == 10)
        go.set()
        await until(lambda: len(slow.frames) == 2)
        await out.close()

    asyncio.run(live())
    assert shown(slow) == [0, 9]
    assert meter.counted("dropped") == {"superseded": 8}


def test_a_recorder_keeps_two_seconds_then_drops_new_frames_with_a_count() -> None:
    meter, go = Meter(), threading.Event()
    recorder = FakeSink(WhenFull.DROP, on_put=until_set(go))
    kept = round(2 * FPS)

    async def live() -> None:
        out = fanout(recorder, meter=meter)
        await out.start()
        out.publish(numbered(0))
        await until(lambda: meter.frames == 1)
        for n in range(1, kept + 11):
            out.publish(frame(n, picture(*SIZE)))
        go.set()
        await out.close()

    asyncio.run(live())
    assert [f.seq for f in recorder.frames] == list(range(kept + 1))
    assert meter.counted("dropped") == {"recorder_full": 10}


def test_a_file_made_from_a_file_is_waited_for_and_loses_nothing() -> None:
    slow = FakeSink(WhenFull.WAIT, on_put=lambda _: time.sleep(0.002))

    async def job() -> None:
        out = fanout(slow)
        await out.start()
        for n in range(60):
            await out.deliver(frame(n, picture(*SIZE)))
            assert n - len(slow.frames) <= 6
        with pytest.raises(ValueError, match="deliver"):
            out.publish(numbered(60))
        await out.close()

    asyncio.run(job())
    assert [f.seq for f in slow.frames] == list(range(60))


def test_a_failing_file_stops_the_job() -> None:
    def full(f: Frame) -> None:
        if f.seq == 3:
            raise DeviceLostError("the disk is full")

    sink = FakeSink(WhenFull.WAIT, on_put=full)

    async def job() -> None:
        out = fanout(sink)
        await out.start()

        async def write() -> None:
            for n in range(1000):
                await out.deliver(frame(n, picture(*SIZE)))

        with pytest.raises(DeviceLostError, match="full"):
            await write()
        await out.close()

    asyncio.run(job())
    assert sink.log == ["open", "close"]
    assert [f.seq for f in sink.frames] == [0, 1, 2]


def test_a_steady_sink_has_the_placeholder_first_then_repeats_at_its_own_rate() -> None:
    meter, camera = Meter(), FakeSink(steady=True)

    async def live() -> None:
        out = fanout(camera, meter=meter)
        await out.start()
        await until(lambda: len(camera.frames) >= 3)
        out.publish(numbered(7))
        shown_before, began_s = len(camera.frames), time.monotonic()
        await until(lambda: len(camera.frames) >= shown_before + 30)
        came = len(camera.frames) - shown_before
        assert came <= FPS * (time.monotonic() - began_s) + 2, "no more than its rate"
        await out.close()

    asyncio.run(live())
    assert (camera.frames[0].pixels == placeholder(SIZE, Reason.STARTING)).all()
    assert {f.seq for f in camera.frames} == {-1, 7}
    assert camera.frames[-1].seq == 7
    assert meter.frames == 1
    assert meter.counted("repeated")["fake"] == len(camera.frames) - 1


def test_override_is_shown_at_once_before_what_waits_and_no_older_picture_returns() -> None:
    go = threading.Event()
    camera, recorder = FakeSink(steady=True), FakeSink(WhenFull.DROP, on_put=until_set(go))
    blank = picture(*SIZE, value=255)

    async def live() -> None:
        out = fanout(camera, recorder)
        await out.start()
        for n in range(1, 6):
            out.publish(numbered(n))
        await until(lambda: 5 in shown(camera))
        out.override(blank)
        go.set()
        await until(lambda: 255 in shown(camera) and len(recorder.frames) == 6)
        out.publish(numbered(6))
        await asyncio.sleep(0.03)
        out.override(None)
        await asyncio.sleep(0.03)
        assert shown(camera)[-1] == 255
        out.publish(numbered(9))
        await until(lambda: shown(camera)[-1] == 9)
        await out.close()

    asyncio.run(live())
    after = shown(camera)[shown(camera).index(255) :]
    assert set(after) == {255, 9}
    assert shown(recorder) == [1, 255, 255, 255, 255, 255, 255, 9]


def test_a_lost_camera_is_reported_once_and_opened_again() -> None:
    told: list[str] = []

    def unplugged(f: Frame) -> None:
        if f.seq == 1:
            raise DeviceLostError("gone")

    camera = FakeSink(steady=True, on_put=unplugged)
    other = FakeSink(WhenFull.DROP)

    async def live() -> None:
        out = fanout(
            camera,
            other,
            on_failure=lambda sink, error: told.append(f"lost {sink.name}: {error}"),
            on_recovery=lambda sink: told.append(f"found {sink.name}"),
        )
        await out.start()
        out.publish(numbered(1))
        await until(lambda: len(told) == 2)
        assert out.sinks == (camera, other)
        out.publish(numbered(2))
        await until(lambda: 2 in shown(camera))
        await out.close()

    asyncio.run(live())
    assert told == ["lost fake: gone", "found fake"]
    assert camera.log == ["open", "close", "open", "close"]
    assert shown(other) == [1, 2]


@pytest.mark.parametrize("error", [BadInputError("no"), ZeroDivisionError("a bug")])
def test_any_other_sink_that_fails_is_out_and_the_next_becomes_the_primary(error: Exception) -> None:
    told: list[tuple[Sink, Exception]] = []
    meter = Meter()

    def fail(_: Frame) -> None:
        raise error

    bad, good = FakeSink(on_put=fail, steady=isinstance(error, ZeroDivisionError)), FakeSink(WhenFull.DROP)

    async def live() -> None:
        out = fanout(bad, good, meter=meter, on_failure=lambda *what: told.append(what))
        await out.start()
        out.publish(numbered(1))
        await until(lambda: out.sinks == (good,) and shown(good) == [1])
        before = meter.frames
        out.publish(numbered(2))
        await out.close()
        assert meter.frames == before + 1

    asyncio.run(live())
    assert told == [(bad, error)]
    assert bad.log == ["open", "close"]
    assert shown(good) == [1, 2]


def test_sinks_come_and_go_while_others_run() -> None:
    first, recorder = FakeSink(WhenFull.DROP), FakeSink(WhenFull.DROP)

    async def live() -> None:
        out = fanout(first)
        await out.start()
        out.publish(numbered(1))
        with pytest.raises(BusyError):
            await out.add(Broken(BusyError("taken")))
        await out.add(recorder)
        out.publish(numbered(2))
        await out.remove(recorder)
        await out.remove(recorder)
        out.publish(numbered(3))
        await out.close()

    asyncio.run(live())
    assert shown(first) == [1, 2, 3]
    assert shown(recorder) == [2]
    assert recorder.log == ["open", "close"]


def test_close_raises_what_could_not_be_finished_and_leaves_a_hanging_driver() -> None:
    go = threading.Event()

    class Unfinished(FakeSink):
        def close(self) -> None:
            raise DeviceLostError("the disk is full")

    hanging, meter = FakeSink(on_put=until_set(go)), Meter()

    async def live() -> None:
        out = fanout(hanging, Unfinished(), meter=meter)
        await out.start()
        out.publish(numbered(1))
        await until(lambda: meter.frames == 1)
        began = time.monotonic()
        with pytest.raises(DeviceLostError, match="full"):
            await out.close(deadline_s=0.1)
        assert time.monotonic() - began < 10, "it hangs for twice as long"

    asyncio.run(live())
    assert hanging.log == ["open"]
    go.set()


def test_a_cancelled_start_leaves_nothing_open() -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(FakeSink):
        def open(self) -> None:
            begun.set()
            go.wait(20)
            super().open()

    sinks = [Slow(), FakeSink()]

    async def live() -> None:
        task = asyncio.create_task(fanout(*sinks).start())
        await until(lambda: begun.is_set() and sinks[1].log)
        task.cancel()
        await asyncio.sleep(0.02)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(live())
    assert [s.log for s in sinks] == [["open", "close"]] * 2


def test_a_frame_of_another_size_is_refused() -> None:
    async def live() -> None:
        out = fanout(FakeSink())
        await out.start()
        with pytest.raises(ValueError, match="32"):
            out.publish(frame(0, picture(32, 24)))
        await out.close()

    asyncio.run(live())


def test_a_film_is_waited_for_at_the_end_though_whoever_ended_it_has_gone() -> None:
    """A client that goes away while it stops a recording takes its command with it."""
    going, whole = threading.Event(), threading.Event()

    class Slow(FakeSink):
        def close(self) -> None:
            going.set()
            assert whole.wait(20)
            super().close()

    film = Slow(WhenFull.DROP)

    async def live() -> None:
        out = fanout(film)
        await out.start()
        removing = asyncio.create_task(out.remove(film))
        await asyncio.to_thread(going.wait, 20)
        removing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await removing
        closing = asyncio.create_task(out.close())
        await asyncio.sleep(0)
        assert not closing.done()
        whole.set()
        await closing
        assert film.log == ["open", "close"]

    asyncio.run(live())


def test_a_film_whose_opening_nobody_waits_for_any_more_is_closed_at_the_end() -> None:
    asked, opens = threading.Event(), threading.Event()

    class Slow(FakeSink):
        def open(self) -> None:
            asked.set()
            assert opens.wait(20)
            super().open()

    film = Slow(WhenFull.DROP)

    async def live() -> None:
        out = fanout()
        await out.start()
        adding = asyncio.create_task(out.add(film))
        await asyncio.to_thread(asked.wait, 20)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        opens.set()
        await out.close()
        assert film.log == ["open", "close"]

    asyncio.run(live())


def test_a_sink_that_hangs_does_not_keep_the_error_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fanout.close, "__defaults__", (0.01, 0.01))
    answers = threading.Event()

    class Hanging(FakeSink):
        def close(self) -> None:
            answers.wait(20)

    async def live() -> None:
        with pytest.raises(BusyError):
            await fanout(Hanging(), Broken(BusyError("taken"))).start()

    asyncio.run(live())
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "sink fake":
            thread.join(20)
