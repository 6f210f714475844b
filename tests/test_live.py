import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from fakes import ManualClock, picture

from faceswapd.core.errors import FaceswapdError, InferenceError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.meter import Meter
from faceswapd.core.params import Params
from faceswapd.core.settings import Settings
from faceswapd.daemon.live import Live
from faceswapd.faces.face import Face, Sighting
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain, Step
from faceswapd.processors.processor import Effect, Picture, Render
from faceswapd.sinks.placeholder import Reason, placeholder
from faceswapd.trust.disclosure import Disclosure
from faceswapd.trust.failclosed import Gate, Policy, Showing

SIZE = (64, 48)
SETTINGS = Settings(size=SIZE)
MS = 1_000_000
FACE = Face(1, np.array([8, 8, 24, 24], np.float32), np.zeros((478, 3), np.float32), 1.0)
ONE = Sighting((FACE,), detected=True)
NOBODY = Sighting((), detected=True)


class Given:
    """Frames one by one, 33 ms apart; what is called before a frame may change the loop's chain."""

    def __init__(self, count: int, before: Callable[[int], None] = lambda _: None, width: int = 64) -> None:
        self.count, self.before, self.width = count, before, width
        self.n = 0

    async def take(self) -> Frame | None:
        await asyncio.sleep(0)
        if self.n == self.count:
            return None
        self.before(self.n)
        self.n += 1
        return Frame(self.n - 1, (self.n - 1) * 33 * MS, picture(self.width, self.width * 3 // 4, self.n))


class Sees:
    """A tracker that is told what it sees."""

    def __init__(self, sightings: Iterable[Sighting | FaceswapdError]) -> None:
        self.sightings = list(sightings)
        self.every: list[bool] = []

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        self.every.append(every_frame)
        sighting = self.sightings[min(frame.seq, len(self.sightings) - 1)]
        if isinstance(sighting, FaceswapdError):
            raise sighting
        return sighting


class Kept:
    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def publish(self, frame: Frame) -> None:
        self.frames.append(frame)


def paints(value: int) -> Render:
    def render(p: Picture) -> Picture:
        p.pixels[:] = value
        return replace(p, treated=frozenset(f.id for f in p.faces), effect=Effect.ANONYMIZED)

    return render


def step(render: Render, hides: bool = True, enabled: bool = True) -> Step:
    return Step("paint", enabled, Params(), render, needs_faces=hides, hides_face=hides, every_face=hides)


def run(
    frames: Given,
    chain: Chain,
    tracker: Sees | None = None,
    workers: int = 2,
    policy: Policy | None = None,
    setup: Callable[[Live], None] = lambda _: None,
) -> tuple[Kept, Live, Meter]:
    kept, meter, pool = Kept(), Meter(), Pool("test", workers)

    async def main() -> Live:
        live = Live(
            SETTINGS, frames, tracker or Sees([ONE]), pool, kept, meter, ManualClock(), chain,
            Gate(policy or Policy()), Disclosure(True),
        )  # fmt: skip
        setup(live)
        await live.run()
        return live

    try:
        return kept, asyncio.run(main()), meter
    finally:
        pool.close()


def shows(frame: Frame, pixels: Pixels) -> bool:
    return bool(np.array_equal(frame.pixels, pixels))


def test_frames_leave_in_order_though_workers_finish_out_of_order() -> None:
    import time

    def slow_first(p: Picture) -> Picture:
        time.sleep(0.02 if p.pixels[0, 0, 0] % 3 == 1 else 0)
        return p

    kept, _, _ = run(Given(12), Chain((step(slow_first, hides=False),)), workers=3)

    assert [f.seq for f in kept.frames] == list(range(12))


def test_without_processors_the_pixels_are_the_sources_own_and_no_face_is_looked_for() -> None:
    tracker = Sees([ONE])
    kept, live, _ = run(Given(2), Chain(), tracker)

    assert shows(kept.frames[1], picture(value=2))
    assert tracker.every == []
    assert live.first.is_set()


def test_a_toggle_takes_effect_on_a_whole_frame() -> None:
    loops: list[Live] = []
    on, off = Chain((step(paints(200)),), 1), Chain((step(paints(200), enabled=False),), 2)

    def before(n: int) -> None:
        loops[0].chain = on if n < 4 else off

    kept, _, _ = run(Given(8, before), on, setup=loops.append)
    values = [set(np.unique(f.pixels).tolist()) for f in kept.frames]

    assert values == [{200}] * 4 + [{5}, {6}, {7}, {8}]


def test_any_input_size_becomes_the_outputs() -> None:
    kept, _, _ = run(Given(1, width=160), Chain())

    assert kept.frames[0].size == SIZE


def test_an_empty_room_shows_the_placeholder_never_the_room() -> None:
    kept, live, meter = run(Given(3), Chain((step(paints(9)),)), Sees([NOBODY]))

    assert all(shows(f, placeholder(SIZE, Reason.NO_FACE)) for f in kept.frames)
    assert live.last is None
    assert meter.counted("face_frames") == {}


def test_passthrough_is_shown_only_if_chosen() -> None:
    kept, _, _ = run(Given(1), Chain((step(lambda p: p),)), Sees([NOBODY]), policy=Policy("passthrough"))

    assert shows(kept.frames[0], picture(value=1))


def test_a_newcomer_that_no_step_treated_is_not_shown() -> None:
    kept, _, meter = run(Given(2), Chain((step(lambda p: p),)), Sees([ONE]))

    assert not any(shows(f, picture(value=i + 1)) for i, f in enumerate(kept.frames))
    assert meter.counted("face_frames") == {"seen": 2}


def test_a_failing_model_freezes_for_a_moment_then_covers_even_under_passthrough() -> None:
    told: list[tuple[Showing, str]] = []
    seen: list[Sighting | FaceswapdError] = [ONE, *[InferenceError("mesh478 failed")] * 19]
    kept, _, _ = run(
        Given(20), Chain((step(paints(7)),)), Sees(seen), policy=Policy("passthrough", 100 * MS),
        setup=lambda live: setattr(live, "on_showing", lambda s, e: told.append((s, str(e or "")))),
    )  # fmt: skip

    assert [int(f.pixels[0, 0, 0]) for f in kept.frames[:4]] == [7] * 4
    assert all(shows(f, placeholder(SIZE, Reason.ERROR)) for f in kept.frames[4:])
    assert told == [
        (Showing.LIVE, ""),
        (Showing.FREEZE, "mesh478 failed"),
        (Showing.PLACEHOLDER, "mesh478 failed"),
    ]


def test_a_bug_in_a_processor_covers_the_frame_and_the_loop_goes_on() -> None:
    def buggy(p: Picture) -> Picture:
        if p.pixels[0, 0, 0] == 1:
            raise IndexError("7")
        return paints(3)(p)

    kept, _, _ = run(Given(2), Chain((step(buggy),)))

    assert shows(kept.frames[0], placeholder(SIZE, Reason.ERROR))
    assert shows(kept.frames[1], picture(value=3))


def test_what_was_processed_is_counted() -> None:
    _, _, meter = run(Given(5), Chain((step(paints(1)),)), Sees([ONE, ONE, NOBODY]))

    assert meter.counted("face_frames") == {"seen": 2, "processed": 2}


def test_every_stage_is_marked_in_order() -> None:
    kept, _, _ = run(Given(1), Chain((step(paints(1)),)))

    assert [m for m, _ in kept.frames[0].marks] == [
        "wait", "fit", "track", "queue", "render", "disclose", "order",
    ]  # fmt: skip
