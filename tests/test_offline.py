"""Order, room and errors of the offline pipeline, with arrays for images."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest
from fakes import picture

from faceswapd.core.effect import Effect
from faceswapd.core.errors import BadInputError, DisclosureError, InferenceError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.meter import Meter
from faceswapd.core.params import Params
from faceswapd.daemon.batch import Batch
from faceswapd.daemon.line import Shot
from faceswapd.daemon.offline import Offline
from faceswapd.daemon.room import Room
from faceswapd.faces.face import Face, Sighting
from faceswapd.processors.chain import Chain, Step
from faceswapd.processors.processor import Picture, Render
from faceswapd.trust.disclosure import Disclosure


def a_face() -> Face:
    return Face(1, np.zeros(4, np.float32), np.zeros((478, 3), np.float32), 1.0)


class Tracker:
    """Remembers what it was shown."""

    def __init__(self, sighting: Sighting | None = None) -> None:
        self.seen: list[int] = []
        self.sighting = sighting or Sighting((), detected=True)

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        self.seen.append(frame.seq)
        return self.sighting


def step(render: Render, hides: bool = True) -> Step:
    return Step("fake", True, Params(), render, True, hides, False)


def shots(n: int, part: int = 10_000) -> Iterator[Shot[Pixels]]:
    return (Shot(i, i * 10, i / 30, i // part, picture(value=i % 256)) for i in range(n))


class Line:
    """A pipeline with its parts."""

    def __init__(
        self, *steps: Step, sighting: Sighting | None = None, workers: int = 4, batch: Batch | None = None
    ) -> None:
        self.meter = Meter()
        self.trackers: list[Tracker] = []

        def tracker() -> Tracker:
            self.trackers.append(Tracker(sighting))
            return self.trackers[-1]

        def develop(image: Pixels, before: Pixels, after: Pixels) -> Pixels:
            assert np.array_equal(image, before)
            return after

        self.offline: Offline[Pixels] = Offline(
            Chain(steps), tracker, workers, Disclosure(), self.meter,
            open_=lambda image: image, develop=develop, batch=batch or Batch(),
        )  # fmt: skip

    def values(self, source: Iterator[Shot[Pixels]], room: Room | None = None, cost: int = 1) -> list[int]:
        room = room or Room(8)
        out = []
        for done in self.offline.run(source, room, cost):
            out.append(int(done.image[0, 0, 0]))
            room.give(done.cost)
        return out


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("offline")]


def uneven(picture: Picture) -> Picture:
    """Later frames are often done sooner."""
    time.sleep(0.002 * (int(picture.pixels[0, 0, 0]) % 5))
    picture.pixels[:] += 1
    return picture


def test_every_frame_once_and_in_order_however_long_each_takes() -> None:
    line = Line(step(uneven))
    assert line.values(shots(60)) == [i + 1 for i in range(60)]
    assert line.trackers[0].seen == list(range(60))
    assert all(line.meter.mean_ms(stage) > 0 for stage in ("decode", "detect", "swap", "convert"))


def test_each_part_has_a_tracker_of_its_own() -> None:
    line = Line(step(lambda p: p))
    line.values(shots(25, part=10))
    assert [t.seen for t in line.trackers] == [list(range(10)), list(range(10, 20)), list(range(20, 25))]


def test_never_more_under_way_than_there_is_room_for() -> None:
    line, room = Line(step(uneven)), Room(3)
    assert len(line.values(shots(30), room, cost=100)) == 30
    assert 100 <= room.peak <= 300
    room = Room(100, limit_bytes=250)
    assert len(line.values(shots(30), room, cost=100)) == 30
    assert room.peak <= 200
    room = Room(100, limit_bytes=0)
    assert len(line.values(shots(5), room, cost=100)) == 5
    assert room.peak == 100
    room = Room(100, tight=lambda: True)
    assert len(line.values(shots(5), room, cost=100)) == 5
    assert room.peak == 100


def test_the_reader_waits_for_the_writer() -> None:
    line, read, room = Line(), list[int](), Room(4)

    def source() -> Iterator[Shot[Pixels]]:
        for shot in shots(50):
            read.append(shot.n)
            yield shot

    for done in line.offline.run(source(), room, 1):
        assert len(read) <= done.shot.n + 4 + 1
        room.give(done.cost)
    assert len(read) == 50


@pytest.mark.parametrize("at", [0, 7, 29])
def test_an_error_of_the_source_comes_after_the_frames_before_it(at: int) -> None:
    def source() -> Iterator[Shot[Pixels]]:
        for shot in shots(30):
            if shot.n == at:
                raise BadInputError("damaged")
            yield shot

    line, room, seen = Line(step(uneven)), Room(50), list[int]()
    with pytest.raises(BadInputError, match="damaged"):
        seen.extend(done.shot.n for done in line.offline.run(source(), room, 1))
    assert seen == list(range(at))


def test_an_error_of_a_processor_ends_the_run() -> None:
    def fails(picture: Picture) -> Picture:
        if picture.pixels[0, 0, 0] == 9:
            raise ValueError("no")
        return picture

    line, room, seen = Line(step(fails)), Room(50), list[int]()
    with pytest.raises(InferenceError, match="fake"):
        seen.extend(done.shot.n for done in line.offline.run(shots(30), room, 1))
    assert seen == list(range(9))


def test_a_face_that_was_not_treated_is_never_given_out() -> None:
    line = Line(step(lambda p: p), sighting=Sighting((a_face(),), detected=True))
    with pytest.raises(DisclosureError, match="frame 0"):
        line.values(shots(3))


def test_a_swapped_face_has_the_badge() -> None:
    def swaps(picture: Picture) -> Picture:
        return Picture(picture.pixels, picture.faces, Effect.SWAPPED, treated=frozenset({1}))

    line, room = Line(step(swaps), sighting=Sighting((a_face(),), detected=True)), Room(8)
    big = [Shot(0, 0, 0.0, 0, picture(320, 240))]
    [done] = list(line.offline.run(big, room, 1))
    assert done.faces == 1
    assert done.image.max() > 200


def test_one_frame_is_tracked_at_a_time_and_no_more_are_rendered_than_there_are_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("faceswapd.daemon.crew.cores", lambda: 8)  # hands for more than may be done at once
    inside, most, lock = (
        dict.fromkeys(("track", "render"), 0),
        dict.fromkeys(("track", "render"), 0),
        threading.Lock(),
    )
    together = threading.Barrier(2)

    @contextmanager
    def within(stage: str) -> Iterator[None]:
        with lock:
            inside[stage] += 1
            most[stage] = max(most[stage], inside[stage])
        time.sleep(0.003)
        yield
        with lock:
            inside[stage] -= 1

    class Slow(Tracker):
        def track(self, frame: Frame, every_frame: bool) -> Sighting:
            with within("track"):
                return super().track(frame, every_frame)

    def render(picture: Picture) -> Picture:
        with within("render"):
            together.wait(10)  # each is rendered beside another, or this breaks
        return picture

    tracker = Slow()
    line = Line(step(render), workers=2)
    line.offline = replace(line.offline, tracker=lambda: tracker)
    assert line.values(shots(40), Room(16)) == list(range(40))
    assert tracker.seen == list(range(40))
    assert most == {"track": 1, "render": 2}


def test_room_that_is_given_back_is_taken_while_the_writer_still_has_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A batch is written frame by frame: who reads does not wait for the last of them."""
    monkeypatch.setattr("faceswapd.daemon.crew.cores", lambda: 2)  # one hand writes, one reads
    monkeypatch.setattr("faceswapd.daemon.crew._LOOK_S", 60.0)  # no hand would look by itself
    line, read, room = (
        Line(step(Together()), workers=1, batch=Batch(4, settled=4)),
        threading.Event(),
        Room(4),
    )

    def source() -> Iterator[Shot[Pixels]]:
        for shot in shots(40):
            if shot.n >= after:
                read.set()
            yield shot

    after = 1000
    run = line.offline.run(source(), room, 1)
    with closing(run):
        first = next(run)  # three more of its batch are there, and room for all but what is read ahead
        time.sleep(0.05)
        after = 0
        read.clear()
        room.give(first.cost)
        assert read.wait(30)


def test_whoever_interrupts_is_obeyed_at_once() -> None:
    def interrupts(picture: Picture) -> Picture:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.005)
        return picture

    line, read = Line(step(interrupts), workers=2), list[int]()

    def source() -> Iterator[Shot[Pixels]]:
        for shot in shots(10_000):
            read.append(shot.n)
            yield shot

    with pytest.raises(KeyboardInterrupt):
        line.values(source())
    assert len(read) < 1000


def test_closing_it_early_ends_the_threads() -> None:
    line, room = Line(step(uneven)), Room(8)
    run = line.offline.run(shots(1000), room, 1)
    next(run)
    run.close()  # and the fixture looks for them


class Together:
    """Adds one to each frame, and notes how many it gets at once; more than `most` it cannot do."""

    def __init__(self, most: int = 100) -> None:
        self.sizes: list[int] = []
        self.most = most

    def __call__(self, picture: Picture) -> Picture:
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        self.sizes.append(len(pictures))
        if len(pictures) > self.most:
            raise MemoryError("the device is full")
        return [
            Picture(p.pixels + np.uint8(1), p.faces, treated=frozenset(f.id for f in p.faces))
            for p in pictures
        ]


class AsLong(Batch):
    """Many take as long as one: what a busy machine's clock says decides nothing."""

    def took(self, size: int, faces: int, duration_ns: int) -> None:
        super().took(size, faces, 2_000_000)


@pytest.mark.parametrize("limit_bytes", [None, 700])
def test_batches_give_the_same_frames_in_the_same_order(limit_bytes: int | None) -> None:
    render, batch = Together(), AsLong(4)
    line = Line(step(render), sighting=Sighting((a_face(),), detected=True), workers=2, batch=batch)
    values = line.values(shots(203, part=100), Room(8, limit_bytes), cost=100)
    assert values == [(i + 1) % 256 for i in range(203)]
    assert (max(render.sizes), sum(render.sizes)) == (batch.settled, 203) == (4, 203)
    assert [len(t.seen) for t in line.trackers] == [100, 100, 3]  # no batch reaches over a part's end


def test_a_batch_is_not_waited_for_where_memory_is_tight() -> None:
    line = Line(step(Together()), batch=Batch(4, settled=4))
    assert line.values(shots(3), Room(8, tight=lambda: True)) == [1, 2, 3]


def test_a_batch_that_the_device_cannot_hold_is_rendered_in_smaller_ones() -> None:
    render, batch = Together(most=2), Batch(8, settled=8)
    line = Line(step(render), sighting=Sighting((a_face(),), detected=True), workers=1, batch=batch)
    assert line.values(shots(64), Room(8)) == [i + 1 for i in range(64)]
    assert batch.settled == 2
    assert render.sizes.count(8) <= 3


def test_the_frame_at_fault_is_found_in_its_batch() -> None:
    def fails(picture: Picture) -> Picture:
        if picture.pixels[0, 0, 0] == 9:
            raise ValueError("no")
        return picture

    line = Line(step(fails), batch=Batch(8, settled=8))
    with pytest.raises(InferenceError, match="fake"):
        line.values(shots(30))
    hidden = Line(step(lambda p: p), sighting=Sighting((a_face(),), detected=True), batch=Batch(4, settled=4))
    with pytest.raises(DisclosureError, match="frame 0"):
        hidden.values(shots(8))
