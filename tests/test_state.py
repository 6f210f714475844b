import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from fakes import ManualClock, frame, picture
from msgspec import Meta

from faceswapd.core.abilities import OutputListing, Viewing
from faceswapd.core.errors import DeviceLostError, UsageError
from faceswapd.core.events import ApplyPreset, Event, SetFreeze, SetPrivacy, SetProcessor, StateChanged
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.meter import Meter
from faceswapd.core.params import Params
from faceswapd.core.settings import OnNoFace, ProcessorSettings, Settings
from faceswapd.daemon.presets import Presets
from faceswapd.daemon.state import Problems, Rooms, StateBoard
from faceswapd.processors.chain import Chain, ChainBuilder
from faceswapd.processors.processor import Picture, Processor, Render
from faceswapd.processors.registry import Registry
from faceswapd.sinks.placeholder import Reason, placeholder
from faceswapd.trust.failclosed import Showing

SIZE = (64, 48)


class PaintParams(Params, frozen=True):
    value: Annotated[int, Meta(ge=0, le=255)] = 1


class Paint(Processor[PaintParams]):
    name: ClassVar[str] = "paint"
    help: ClassVar[str] = "One colour."
    needs_faces: ClassVar[bool] = False
    hides_face: ClassVar[bool] = True
    every_face: ClassVar[bool] = False
    params_type = PaintParams

    def prepare(self, params: PaintParams) -> Render:
        def render(p: Picture) -> Picture:
            return replace(p, pixels=np.full_like(p.pixels, params.value))

        return render


class FakeLive:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.last: Pixels | None = None
        self.shown: Frame | None = None
        self.badge = True
        self.on_no_face: OnNoFace = "placeholder"


class FakeOverride:
    def __init__(self) -> None:
        self.pixels: list[Pixels | None] = []

    def override(self, pixels: Pixels | None) -> None:
        self.pixels.append(pixels)


class NoFaces:
    def list(self) -> tuple[()]:
        return ()


class House:
    def __init__(self, folder: Path) -> None:
        self.presets, self.problems = Presets(folder), Problems()
        registry = Registry([Paint()])
        builder = ChainBuilder(registry)
        settings = Settings(size=SIZE, processors=(ProcessorSettings("paint"),))
        self.live = FakeLive(builder.build(settings.processors))
        self.override = FakeOverride()
        self.meter = Meter()
        self.clock = ManualClock()
        self.engine = {"mesh478": "fake"}
        library: Any = NoFaces()
        rooms = Rooms(
            builder, registry, library, self.live, self.override, lambda: self.engine, self.meter,
            self.clock, self.presets, self.problems,
        )  # fmt: skip
        self.board = StateBoard(settings, "1.2", rooms)
        self.told: list[Event] = []
        self.board.tell = self.told.append


def inside(test: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            await test(House(Path(folder)))

    asyncio.run(main())


def test_a_change_swaps_the_chain_and_counts_up_the_revision() -> None:
    async def test(h: House) -> None:
        before = h.live.chain
        state = await h.board.execute((SetProcessor("paint", params={"value": 9}),))

        assert h.live.chain is not before
        assert state.processors[0].params == {"value": 9}
        assert state.rev == 1
        assert h.told == [StateChanged(state)]

    inside(test)


def test_of_several_commands_all_are_applied_or_none() -> None:
    async def test(h: House) -> None:
        before = h.live.chain
        with pytest.raises(UsageError, match="value"):
            await h.board.execute((SetPrivacy(True), SetProcessor("paint", params={"value": 256})))

        assert (h.live.chain, h.override.pixels, h.told) == (before, [], [])

    inside(test)


def test_an_unknown_processor_is_refused() -> None:
    async def test(h: House) -> None:
        with pytest.raises(UsageError, match="known are paint"):
            await h.board.execute((SetProcessor("pain", enabled=True),))

    inside(test)


def test_a_preset_sets_chain_policy_and_badge_together() -> None:
    async def test(h: House) -> None:
        await h.board.execute((SetProcessor("paint", params={"value": 9}),))
        h.presets.save("nine", h.board.preset_now()[0], "freeze", False)
        await h.board.execute((SetProcessor("paint", enabled=False, params={"value": 3}),))
        state = await h.board.execute((ApplyPreset("nine"),))

        assert [(p.enabled, p.params) for p in state.processors] == [(True, {"value": 9})]
        assert (state.on_no_face, h.live.on_no_face, h.live.badge) == ("freeze", "freeze", False)
        assert state.rev == 3

    inside(test)


def test_an_unknown_preset_changes_nothing() -> None:
    async def test(h: House) -> None:
        with pytest.raises(UsageError, match="no preset"):
            await h.board.execute((SetProcessor("paint", enabled=False), ApplyPreset("x")))

        assert h.live.chain.enabled

    inside(test)


def test_privacy_stands_above_freezing_and_freezing_returns_to_its_own_moment() -> None:
    async def test(h: House) -> None:
        h.live.last = picture(*SIZE, 1)
        await h.board.execute((SetFreeze(True),))
        h.live.last = picture(*SIZE, 2)
        await h.board.execute((SetPrivacy(True),))
        covered = h.board.shown()
        await h.board.execute((SetPrivacy(False),))
        await h.board.execute((SetFreeze(False),))
        paused = placeholder(SIZE, Reason.PAUSED)

        shown = [None if p is None else int(p.sum()) for p in h.override.pixels]
        assert shown == [64 * 48 * 3, int(paused.sum()), 64 * 48 * 3, None]
        assert covered is not None
        assert np.array_equal(covered.pixels, paused)

    inside(test)


def test_the_state_says_what_stands_above_the_loop() -> None:
    async def test(h: House) -> None:
        h.live.last = picture(*SIZE, 1)
        h.board.showing(Showing.LIVE, None)
        said = [h.board.state().showing]
        for command in (SetFreeze(True), SetPrivacy(True), SetPrivacy(False), SetFreeze(False)):
            said.append((await h.board.execute((command,))).showing)

        assert said == ["live", "freeze", "placeholder", "freeze", "live"]

    inside(test)


def test_privacy_waits_for_nothing_and_is_not_undone_by_what_waits() -> None:
    async def test(h: House) -> None:
        slow = asyncio.ensure_future(h.board.execute((SetProcessor("paint", params={"value": 7}),)))
        await asyncio.sleep(0)
        covered = asyncio.ensure_future(h.board.execute((SetPrivacy(True),)))
        await asyncio.sleep(0)

        assert covered.done()
        assert (await slow).privacy is True

    inside(test)


def test_freezing_before_the_first_picture_shows_the_placeholder() -> None:
    async def test(h: House) -> None:
        await h.board.execute((SetFreeze(True),))

        assert np.array_equal(h.override.pixels[-1], placeholder(SIZE, Reason.PAUSED))  # type: ignore[arg-type]

    inside(test)


def test_a_lost_camera_is_told_and_covered_until_it_is_back() -> None:
    async def test(h: House) -> None:
        h.board.source_lost(DeviceLostError("cam went away", "plug it in"))
        state = h.board.state()
        h.board.source_found()

        assert (state.phase, state.problems) == ("degraded", ("cam went away: plug it in",))
        assert np.array_equal(h.override.pixels[0], placeholder(SIZE, Reason.LOST))  # type: ignore[arg-type]
        assert (h.board.state().phase, h.board.state().problems, h.override.pixels[-1]) == ("live", (), None)

    inside(test)


def test_what_is_shown_is_told_once() -> None:
    async def test(h: House) -> None:
        h.board.showing(Showing.LIVE, None)
        h.board.showing(Showing.LIVE, None)

        assert [e.state.showing for e in h.told if isinstance(e, StateChanged)] == ["live"]

    inside(test)


def test_the_abilities_that_the_channel_looks_for() -> None:
    async def test(h: House) -> None:
        h.board.set_outputs((("/dev/video9", "virtual-camera"),))
        h.problems.say("/dev/video9", "gone")
        h.live.shown = frame(4)

        assert isinstance(h.board, Viewing)
        assert isinstance(h.board, OutputListing)
        assert h.board.shown() is h.live.shown
        assert [(o.kind, o.problem) for o in h.board.outputs()] == [("virtual-camera", "gone")]

    inside(test)


def test_statistics_come_from_the_meter() -> None:
    async def test(h: House) -> None:
        h.meter.count("face_frames", "seen", by=4)
        h.meter.count("face_frames", "processed", by=3)
        h.meter.count("dropped", "stale")
        h.clock.advance(2)
        stats = h.board.stats()

        assert (stats.face_share, stats.dropped, stats.uptime_s) == (0.75, {"stale": 1}, 2.0)
        assert h.board.state().engine == {"mesh478": "fake"}

    inside(test)


def test_a_part_can_have_several_problems() -> None:
    problems = Problems()
    problems.say("engines", "model a stays on cpu", "", "model b stays on cpu")
    assert list(problems.texts) == ["model a stays on cpu", "model b stays on cpu"]
    assert problems.of("engines") == "model a stays on cpu; model b stays on cpu"
    problems.say("engines")
    assert not problems.of("engines")
