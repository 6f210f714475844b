"""Pictures through the chain at the machine's limit: decoding, tracking, rendering and encoding side by side.

Nothing is dropped: whoever reads waits until there is room.
"""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog

from ..core.errors import DisclosureError, InferenceError
from ..core.frame import Frame, Pixels
from ..core.meter import Meter
from ..faces.face import Sighting
from ..inference.pool import Pool
from ..processors.chain import Chain
from ..processors.processor import Picture
from ..trust.disclosure import Disclosure
from ..trust.failclosed import UNSEEN, Evidence, may_write
from .batch import Batch
from .room import Room as Room

log = structlog.get_logger(__name__)

_WAIT_S = 0.5
"""How long an unfinished batch waits before it is asked whether memory lets more frames in."""

Image = TypeVar("Image")
"""A picture as it comes in and goes out: a decoded frame, an array."""


class Tracker(Protocol):
    """`processors.track_faces.FaceTracker`."""

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        """The faces of a frame; called for one frame at a time, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot(Generic[Image]):
    """One picture on its way in."""

    n: int
    pts: int
    time_s: float
    part: int
    """Pictures of one part are tracked together; another part begins with nothing known."""
    image: Image


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Image]):
    """One picture on its way out."""

    shot: Shot[Image]
    image: Image
    faces: int
    """Faces that were hidden or replaced."""
    cost: int
    """Bytes that are free again once it is written."""
    treated: frozenset[int] = frozenset()
    """The ids of these faces."""


def processed(chain: Chain, disclosure: Disclosure, pixels: Pixels, sighting: Sighting, what: str) -> Picture:
    """One picture through the chain, with its badge. See `processed_together`."""
    return processed_together(chain, disclosure, [(pixels, sighting, what)])[0]


def processed_together(
    chain: Chain, disclosure: Disclosure, frames: Sequence[tuple[Pixels, Sighting, str]]
) -> list[Picture]:
    """Pictures through the chain, all in the same model runs where it can do that, with their badges; any thread.

    Each comes with how errors call it. Raises InferenceError, and DisclosureError for a picture in which a face that
    ought to be hidden is not: it must not be written.
    """
    pictures = chain.render_many([(pixels, sighting) for pixels, sighting, _ in frames])
    for picture, (_, sighting, what) in zip(pictures, frames, strict=True):
        evidence = Evidence(
            chain.hides, chain.detect_every_frame, sighting, picture.treated, picture.spared, rev=chain.rev
        )
        if not may_write(evidence):
            raise DisclosureError(
                f"{what}: a face could not be hidden",
                "nothing is written; leave it out (--trim), or choose another processor",
            )
        disclosure.apply(picture.pixels, picture.effect)
    return pictures


@dataclass(frozen=True, slots=True, eq=False)
class _Seen(Generic[Image]):
    """One picture whose faces are known."""

    shot: Shot[Image]
    pixels: Pixels
    sighting: Sighting


class Offline(Generic[Image]):
    """The chain over a sequence of pictures. One run at a time."""

    def __init__(
        self,
        chain: Chain,
        tracker: Callable[[], Tracker],
        pool: Pool,
        disclosure: Disclosure,
        meter: Meter,
        *,
        open_: Callable[[Image], Pixels],
        develop: Callable[[Image, Pixels, Pixels], Image],
        watch: Callable[[Shot[Image], Pixels, Pixels], None] = lambda _shot, _before, _after: None,
        batch: Batch | None = None,
    ) -> None:
        """`tracker` makes a new one for each part. `open_` gives the pixels (BGR) of an image, `develop` the new
        image for an image, its pixels before and its pixels after. `watch` sees each picture before and after.
        All but `tracker` are called by several threads at once. `batch` says how many pictures are rendered
        together; without it each is by itself.
        """
        self._chain = chain
        self._tracker = tracker
        self._pool = pool
        self._disclosure = disclosure
        self._meter = meter
        self._open, self._develop, self._watch = open_, develop, watch
        self._batch = batch or Batch()

    def run(self, shots: Iterable[Shot[Image]], room: Room, cost: int) -> Generator[Done[Image], None, None]:
        """The pictures in their order, processed; the caller gives `Done.cost` back to `room` when it is written.

        `cost` is what one takes in bytes at most. Closing the iterator ends the work and waits for its threads.
        Raises whatever the reading raises, InferenceError, and DisclosureError for a picture in which a face
        that ought to be hidden is not: nothing after it comes out.
        """
        stop = threading.Event()
        opened: queue.SimpleQueue[tuple[Shot[Image], Future[Pixels]] | BaseException | None]
        opened = queue.SimpleQueue()
        rendered: queue.SimpleQueue[Future[list[Done[Image]]] | BaseException | None] = queue.SimpleQueue()

        def read() -> None:
            """Decodes."""
            source = iter(shots)
            while not stop.is_set():
                with self._timed("decode"):
                    shot = next(source, None)
                if shot is None or not room.take(cost):
                    return
                opened.put((shot, self._pool.submit(self._opened, shot.image)))

        def track() -> None:
            """Finds the faces, in order, and hands the frames on in batches, which never reach over a part's end."""
            part, tracker = -1, None
            group: list[_Seen[Image]] = []
            size = 1

            def hand_on() -> None:
                if group:
                    rendered.put(self._pool.submit(self._render, tuple(group), size, cost))
                    group.clear()

            while True:
                try:
                    item = opened.get(timeout=_WAIT_S if group else None)
                except queue.Empty:
                    if room.tight:  # no other frame comes in before these are out
                        hand_on()
                    continue
                if stop.is_set():
                    return
                if item is None:
                    hand_on()
                    return
                if isinstance(item, BaseException):
                    hand_on()
                    raise item
                shot, future = item
                if shot.part != part:
                    hand_on()
                    self._batch.part_ends()
                pixels, sighting = future.result(), UNSEEN
                if self._chain.tracks:
                    if shot.part != part or tracker is None:
                        tracker = self._tracker()
                    frame = Frame(shot.n, time.monotonic_ns(), pixels, shot.time_s)
                    with self._timed("detect"):
                        sighting = tracker.track(frame, self._chain.detect_every_frame)
                part = shot.part
                if not group:
                    size = self._batch.next()
                    room.hold((self._pool.workers + 1) * size + 4 if size > 1 else 0)
                group.append(_Seen(shot, pixels, sighting))
                if len(group) >= size:
                    hand_on()

        threads = [
            _Worker("decode", read, opened.put),
            _Worker("track", track, rendered.put),
        ]
        for thread in threads:
            thread.start()
        try:
            while (item := rendered.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield from item.result()
        finally:
            stop.set()
            room.end()
            for thread in threads:
                thread.join()
            for queue_ in (opened, rendered):
                _cancel(queue_)

    def _opened(self, image: Image) -> Pixels:
        with self._timed("convert"):
            return self._open(image)

    def _render(self, group: Sequence[_Seen[Image]], size: int, cost: int) -> list[Done[Image]]:
        """`size` is how many there were to be; the last batch of a part has fewer."""
        began_ns = time.monotonic_ns()
        pictures = self._processed(group)
        took_ns = time.monotonic_ns() - began_ns
        faces = sum(len(seen.sighting.faces) for seen in group) if len(group) == size else 0
        self._batch.took(size, faces, took_ns)
        done = []
        for seen, picture in zip(group, pictures, strict=True):
            self._meter.time("swap", took_ns // len(group))
            self._watch(seen.shot, seen.pixels, picture.pixels)
            with self._timed("convert"):
                image = self._develop(seen.shot.image, seen.pixels, picture.pixels)
            done.append(Done(seen.shot, image, len(picture.treated), cost, picture.treated))
        return done

    def _processed(self, group: Sequence[_Seen[Image]]) -> list[Picture]:
        frames = [(seen.pixels, seen.sighting, f"frame {seen.shot.n}") for seen in group]
        try:
            return processed_together(self._chain, self._disclosure, frames)
        except InferenceError as error:
            if len(frames) == 1:
                raise
            # They were too many for the device's memory, or one of them is at fault: it shows by itself.
            log.warning("batch.failed", frames=len(frames), error=str(error))
            self._batch.failed(len(frames))
            return [processed(self._chain, self._disclosure, *frame) for frame in frames]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began_ns = time.monotonic_ns()
        yield
        self._meter.time(stage, time.monotonic_ns() - began_ns)


class _Worker(threading.Thread):
    """A thread that always says how it ended: with None, or with what it raised."""

    def __init__(
        self, name: str, work: Callable[[], None], say: Callable[[BaseException | None], None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._say = work, say

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised again where its result is awaited
            self._say(error)
        else:
            self._say(None)


def _cancel(waiting: "queue.SimpleQueue[Any]") -> None:
    """Takes back what has not begun and waits for what has: after it nobody uses a model any more."""
    begun: list[Future[Any]] = []
    while not waiting.empty():
        item = waiting.get()
        future = item[1] if isinstance(item, tuple) else item
        if isinstance(future, Future) and not future.cancel():
            begun.append(future)
    wait(begun)
