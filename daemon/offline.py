"""Pictures through the chain at the machine's limit: decoding, tracking, rendering and encoding side by side.

Nothing is dropped: whoever reads waits until there is room.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol

import structlog

from ..core.errors import DisclosureError, InferenceError
from ..core.frame import Frame, Pixels
from ..core.meter import Meter
from ..faces.face import Sighting
from ..processors.chain import Chain
from ..processors.processor import Picture
from ..trust.disclosure import Disclosure
from ..trust.failclosed import UNSEEN, Evidence, may_write
from .batch import Batch
from .crew import Crew, hands
from .line import Done, Image, Line, Seen, Shot
from .room import Room

log = structlog.get_logger(__name__)


class Tracker(Protocol):
    """`processors.track_faces.FaceTracker`."""

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        """The faces of a frame; called for one frame at a time, in order."""


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
class Offline(Generic[Image]):
    """The chain over a sequence of pictures. One run at a time.

    `open_`, `develop` and `watch` are called by several threads at once.
    """

    chain: Chain
    tracker: Callable[[], Tracker]
    """Makes a new one for each part."""
    workers: int
    """Batches that are rendered at once."""
    disclosure: Disclosure
    meter: Meter
    open_: Callable[[Image], Pixels]
    """The pixels (BGR) of an image."""
    develop: Callable[[Image, Pixels, Pixels], Image]
    """The new image for an image, its pixels before and its pixels after."""
    watch: Callable[[Shot[Image], Pixels, Pixels], None] = lambda _shot, _before, _after: None
    """Sees each picture before and after."""
    batch: Batch = field(default_factory=Batch)
    """How many pictures are rendered together; without it each is by itself."""

    def run(self, shots: Iterable[Shot[Image]], room: Room, cost: int) -> Generator[Done[Image], None, None]:
        """The pictures in their order, processed; the caller gives `Done.cost` back to `room` when it is written.

        `cost` is what one takes in bytes at most. Whoever waits for a picture helps with the others; closing the
        iterator ends the work and waits for its threads. Raises whatever the reading raises, InferenceError, and
        DisclosureError for a picture in which a face that ought to be hidden is not: nothing after it comes out.
        """
        line = Line(_Work(self, iter(shots), cost), self.batch, room, cost, self.workers)
        with Crew("offline", hands(self.workers), line.choose, line.changed) as crew:
            while (batched := crew.until(line.out)) is not line.end:
                if isinstance(batched.done, Exception):
                    raise batched.done
                yield from batched.done or ()


@dataclass(slots=True, eq=False)
class _Work(Generic[Image]):
    """The stages of one run."""

    of: Offline[Image]
    shots: Iterator[Shot[Image]]
    cost: int
    tracker: Tracker | None = None
    part: int = -1

    def read(self) -> Shot[Image] | None:
        with self._timed("decode"):
            return next(self.shots, None)

    def open(self, shot: Shot[Image]) -> Pixels:
        with self._timed("convert"):
            return self.of.open_(shot.image)

    def track(self, shot: Shot[Image], pixels: Pixels) -> Sighting:
        if not self.of.chain.tracks:
            return UNSEEN
        if shot.part != self.part or self.tracker is None:
            self.tracker, self.part = self.of.tracker(), shot.part
        frame = Frame(shot.n, time.monotonic_ns(), pixels, shot.time_s)
        with self._timed("detect"):
            return self.tracker.track(frame, self.of.chain.detect_every_frame)

    def render(self, group: Sequence[Seen[Image]], size: int) -> list[Done[Image]]:
        began_ns = time.monotonic_ns()
        pictures = self._processed(group)
        took_ns = time.monotonic_ns() - began_ns
        faces = sum(len(seen.sighting.faces) for seen in group) if len(group) == size else 0
        self.of.batch.took(size, faces, took_ns)
        done = []
        for seen, picture in zip(group, pictures, strict=True):
            self.of.meter.time("swap", took_ns // len(group))
            self.of.watch(seen.shot, seen.pixels, picture.pixels)
            with self._timed("convert"):
                image = self.of.develop(seen.shot.image, seen.pixels, picture.pixels)
            done.append(Done(seen.shot, image, len(picture.treated), self.cost, picture.treated))
        return done

    def _processed(self, group: Sequence[Seen[Image]]) -> list[Picture]:
        chain, disclosure = self.of.chain, self.of.disclosure
        frames = [(seen.pixels, seen.sighting, f"frame {seen.shot.n}") for seen in group]
        try:
            return processed_together(chain, disclosure, frames)
        except InferenceError as error:
            if len(frames) == 1:
                raise
            # They were too many for the device's memory, or one of them is at fault: it shows by itself.
            log.warning("batch.failed", frames=len(frames), error=str(error))
            self.of.batch.failed(len(frames))
            return [processed(chain, disclosure, *frame) for frame in frames]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began_ns = time.monotonic_ns()
        yield
        self.of.meter.time(stage, time.monotonic_ns() - began_ns)
