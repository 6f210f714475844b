import asyncio
import gc
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fakes import FakeSink, FakeSource, picture
from pipewire_session import wait_until

from faceswapd.capture.source import Source
from faceswapd.core.errors import BadInputError, DeviceLostError, NoDeviceError, UsageError
from faceswapd.core.events import SetProcessor, State
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import ControlSettings, ProcessorSettings, Settings
from faceswapd.daemon.app import App, Ending
from faceswapd.daemon.places import Places
from faceswapd.daemon.run import loop_factory
from faceswapd.daemon.state import StateBoard
from faceswapd.inference.engines import Engines
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.processors.library import Library
from faceswapd.sinks.sink import Sink

SIZE = (64, 48)
SETTINGS = Settings(
    size=SIZE, fps=100.0, processors=(ProcessorSettings("view"),), control=ControlSettings(enabled=False)
)


def app(folder: Path, source: Source, *sinks: Sink, settings: Settings = SETTINGS) -> App:
    return App(settings, source, sinks or [FakeSink()], Library(folder), "0", Places.within(folder))


def run(a: App, during: Callable[[App], None] = lambda _: None) -> Ending:
    async def main() -> Ending:
        during(a)
        return await asyncio.wait_for(a.run(), 30)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main())


def film(count: int = 20) -> FakeSource:
    return FakeSource([picture(*SIZE, i % 200) for i in range(count)], fps=100.0)


def test_a_source_that_ends_ends_the_run_in_order(tmp_path: Path) -> None:
    source, sink = film(), FakeSink()
    ending = run(app(tmp_path, source, sink))

    assert (source.log, sink.log) == (["open", "close"], ["open", "close"])
    assert 0 < ending.stats.frames <= 20
    assert ending.state.phase == "stopping"
    assert ending.first_frame_s is not None


def test_it_ends_after_the_time_that_was_given(tmp_path: Path) -> None:
    settings = Settings(
        size=SIZE, fps=100.0, processors=(), for_s=0.3, control=ControlSettings(enabled=False)
    )
    ending = run(app(tmp_path, film(10_000), settings=settings))

    assert 0 < ending.stats.frames < 100


def test_a_broken_source_ends_the_run_with_its_error_and_everything_closed(tmp_path: Path) -> None:
    source, sink = FakeSource([picture(*SIZE), BadInputError("clip.mp4 is damaged", "mend it")]), FakeSink()
    with pytest.raises(BadInputError, match=r"clip\.mp4"):
        run(app(tmp_path, source, sink))

    assert (source.log, sink.log) == (["open", "close"], ["open", "close"])


def test_a_source_that_does_not_open_leaves_nothing_open(tmp_path: Path) -> None:
    class Missing(FakeSource):
        def open(self) -> None:
            raise NoDeviceError("no camera", "plug one in")

    sink = FakeSink()
    with pytest.raises(NoDeviceError):
        run(app(tmp_path, Missing([]), sink))

    assert sink.log == ["open", "close"]


def test_a_wrong_processor_ends_the_run_before_the_camera_is_opened(tmp_path: Path) -> None:
    source = film()
    settings = Settings(size=SIZE, processors=(ProcessorSettings("blur"),))
    with pytest.raises(UsageError, match="blur"):
        run(app(tmp_path, source, settings=settings))

    assert source.log == []


def test_a_bug_keeps_its_own_type(tmp_path: Path) -> None:
    source = FakeSource([picture(*SIZE), ZeroDivisionError("ours")])
    with pytest.raises(ZeroDivisionError):
        run(app(tmp_path, source))


def test_stopping_ends_a_source_that_never_ends(tmp_path: Path) -> None:
    def stop_soon(a: App) -> None:
        def ready(_: StateBoard) -> None:
            asyncio.get_running_loop().call_later(0.1, a.stop.set)

        a.on_ready = ready

    source = film(100_000)
    run(app(tmp_path, source), stop_soon)

    assert source.log == ["open", "close"]


def test_no_model_is_released_under_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = list[str]()

    async def busy(_: Pool, __: float) -> bool:
        return False

    monkeypatch.setattr(Pool, "drain", busy)
    monkeypatch.setattr(Engines, "close", lambda _: released.append("engines"))
    sink = FakeSink()
    run(app(tmp_path, film(), sink))

    assert not released
    assert sink.log == ["open", "close"], "it ends in order all the same"


def test_stopping_does_not_wait_for_a_dialog(tmp_path: Path) -> None:
    answered, asked = threading.Event(), list[Callable[[], object]]()

    class Asking(FakeSource):
        def open(self) -> None:
            self.log.append("asked")
            asked[0]()
            assert answered.wait(30)
            super().open()

    source, sink = Asking([picture(*SIZE)], fps=100.0), FakeSink()

    def stop(a: App) -> None:
        loop = asyncio.get_running_loop()
        asked.append(lambda: loop.call_soon_threadsafe(a.stop.set))

    ending = run(app(tmp_path, source, sink), stop)

    assert (ending.stats.frames, source.log, sink.log) == (0, ["asked"], ["open", "close"])
    answered.set()
    wait_until(lambda: source.log == ["asked", "open", "close"])


def test_a_lost_camera_is_covered_and_comes_back(tmp_path: Path) -> None:
    states: list[State] = []
    back = threading.Event()

    class Flaky(FakeSource):
        def open(self) -> None:
            super().open()
            if self.log.count("open") > 1:
                back.set()

    shots: Sequence[Pixels | Exception] = [
        *[picture(*SIZE, 1)] * 5,
        DeviceLostError("cam went away"),
        *[picture(*SIZE, 2)] * 5,
    ]

    def watch(a: App) -> None:
        def ready(board: StateBoard) -> None:
            board.tell = lambda _: states.append(board.state())

        a.on_ready = ready

    run(app(tmp_path, Flaky(shots, fps=20.0)), watch)

    assert back.is_set()
    assert ("degraded", ("cam went away",)) in [(s.phase, s.problems) for s in states]
    assert states[-1].problems == ()


def test_a_chain_that_was_replaced_is_let_go_of_with_its_models(tmp_path: Path) -> None:
    def chains() -> list[Chain]:
        gc.collect()
        return [o for o in gc.get_objects() if isinstance(o, Chain)]

    others, revs = chains(), list[set[int]]()

    async def change(board: StateBoard) -> None:
        for mirror in (True, False):
            await board.execute((SetProcessor("view", params={"mirror": mirror}),))
        await asyncio.sleep(0.3)  # frames under way end with what they began with
        revs.append({chain.rev for chain in chains() if chain not in others})

    def soon(a: App) -> None:
        a.on_ready = lambda board: tasks.append(asyncio.ensure_future(change(board)))

    tasks: list[asyncio.Future[None]] = []
    run(app(tmp_path, film(60)), soon)

    assert revs == [{2}]


def test_a_toggle_from_outside_reaches_the_running_chain(tmp_path: Path) -> None:
    sink = FakeSink()

    def flip(a: App) -> None:
        def ready(board: StateBoard) -> None:
            tasks.append(
                asyncio.ensure_future(board.execute((SetProcessor("view", params={"mirror": True}),)))
            )

        a.on_ready = ready

    tasks: list[asyncio.Future[State]] = []
    left = picture(*SIZE)
    left[:, :8] = 255
    run(app(tmp_path, FakeSource([left] * 60, fps=100.0), sink), flip)
    sides = [bool(f.pixels[0, 0, 0]) for f in sink.frames if f.seq >= 0]

    assert tasks[0].result().processors[0].params["mirror"] is True
    assert sides[0] is True
    assert sides[-1] is False
    assert sides == sorted(sides, reverse=True)
