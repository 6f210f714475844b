"""The order of an offline run: which picture is where, and what can be done next."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Protocol, TypeVar

from ..core.frame import Pixels
from ..faces.face import Sighting
from .batch import Batch
from .crew import Task
from .room import Room

Image = TypeVar("Image")
"""A picture as it comes in and goes out: a decoded frame, an array."""
T = TypeVar("T")


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
class Seen(Generic[Image]):
    """One picture whose faces are known."""

    shot: Shot[Image]
    pixels: Pixels
    sighting: Sighting


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


class Stages(Protocol[Image]):
    """What is done to a picture. Each raises what it fails with."""

    def read(self) -> Shot[Image] | None:
        """The next picture, None after the last. One call at a time."""

    def open(self, shot: Shot[Image]) -> Pixels:
        """Its pixels; several calls at once."""

    def track(self, shot: Shot[Image], pixels: Pixels) -> Sighting:
        """Its faces. One call at a time, in order."""

    def render(self, group: Sequence[Seen[Image]], size: int) -> list[Done[Image]]:
        """Pictures on their way out; `size` is how many there were to be together, the last of a part may be fewer.
        Several calls at once."""


@dataclass(slots=True, eq=False)
class _Read(Generic[Image]):
    """A picture that was read."""

    shot: Shot[Image] | Exception
    pixels: Pixels | Exception | None = None


@dataclass(slots=True, eq=False)
class Batched(Generic[Image]):
    """Pictures that are rendered together, or the error that comes in their place."""

    group: tuple[Seen[Image], ...] = ()
    size: int = 0
    done: list[Done[Image]] | Exception | None = None


@dataclass(slots=True, eq=False)
class Line(Generic[Image]):
    """The pictures of one run, in order. The tasks that it gives may be done by any threads, each once.

    What is furthest on is done first, so that little is under way; an error keeps its place behind the pictures that
    came before it, and nothing is begun after it.
    """

    stages: Stages[Image]
    batch: Batch
    room: Room
    cost: int
    """Of a picture, in bytes."""
    workers: int
    """Batches that are rendered at once."""
    end: Batched[Image] = field(default_factory=Batched)
    """What `out` gives when there is no more."""
    _read: deque[_Read[Image]] = field(default_factory=deque)
    _group: list[Seen[Image]] = field(default_factory=list)
    _size: int = 1
    _part: int = -1
    _waiting: deque[Batched[Image]] = field(default_factory=deque)
    _under_way: deque[Batched[Image]] = field(default_factory=deque)
    _reading: bool = False
    _tracking: bool = False
    _rendering: int = 0
    _all_read: bool = False

    @property
    def changed(self) -> threading.Condition:
        """Guards everything here. It is the room's: who waits for something to do wakes when there is room."""
        return self.room.changed

    def choose(self) -> Task | None:
        """What can be done now; called with `changed` held."""
        if self._waiting and self._rendering < self.workers:
            self._rendering += 1
            return partial(self._render_next, self._waiting.popleft())
        head = self._read[0] if self._read else None
        if head is not None and not self._tracking and head.pixels is not None:
            self._tracking = True
            return partial(self._track_next, self._read.popleft())
        if not self._all_read and not self._reading and self.room.offer(self.cost):
            self._reading = True
            return self._read_next
        if self._group and not (self._read or self._tracking or self._reading) and self._nothing_comes:
            self._hand_on()
            return self.choose()
        return None

    def out(self) -> Batched[Image] | None:
        """The pictures whose turn it is if they are done, `end` after the last; called with `changed` held."""
        if self._under_way:
            return self._under_way.popleft() if self._under_way[0].done is not None else None
        left = self._read or self._tracking or self._reading or self._group or not self._all_read
        return None if left else self.end

    @property
    def _nothing_comes(self) -> bool:
        """No other picture joins the group before it is out itself: memory lets none in, or there is none."""
        return self._all_read or self.room.tight or not self._under_way

    def _read_next(self) -> None:
        shot = _tried(self.stages.read)
        with self.changed:
            self._reading = False
            if shot is None or isinstance(shot, Exception):
                self._all_read = True
                self.room.give(self.cost)
            if shot is None:
                return
            entry = _Read(shot, shot if isinstance(shot, Exception) else None)
            self._read.append(entry)
            self.changed.notify_all()
        if not isinstance(shot, Exception):
            pixels = _tried(partial(self.stages.open, shot))
            with self.changed:
                entry.pixels = pixels

    def _track_next(self, entry: _Read[Image]) -> None:
        seen = self._seen(entry)
        with self.changed:
            self._tracking = False
            if isinstance(seen, Exception):
                self._hand_on()
                self._under_way.append(Batched(done=seen))
                self._stop()
                return
            if not self._group:
                self._size = self.batch.next()
                self.room.hold((self.workers + 1) * self._size + 4 if self._size > 1 else 0)
            self._group.append(seen)
            if len(self._group) >= self._size:
                self._hand_on()

    def _seen(self, entry: _Read[Image]) -> Seen[Image] | Exception:
        shot, pixels = entry.shot, entry.pixels
        if isinstance(shot, Exception):
            return shot
        assert pixels is not None, "it is opened before it is tracked"
        if isinstance(pixels, Exception):
            return pixels
        if shot.part != self._part:
            with self.changed:
                self._hand_on()
                self.changed.notify_all()
            self.batch.part_ends()
            self._part = shot.part
        sighting = _tried(partial(self.stages.track, shot, pixels))
        return sighting if isinstance(sighting, Exception) else Seen(shot, pixels, sighting)

    def _render_next(self, batched: Batched[Image]) -> None:
        done = _tried(partial(self.stages.render, batched.group, batched.size))
        with self.changed:
            self._rendering -= 1
            batched.done = done
            if isinstance(done, Exception):
                self._stop()

    def _hand_on(self) -> None:
        """The group is complete."""
        if self._group:
            batched = Batched(tuple(self._group), self._size)
            self._group.clear()
            self._waiting.append(batched)
            self._under_way.append(batched)

    def _stop(self) -> None:
        """Nothing new is begun."""
        self._all_read = True
        self._read.clear()


def _tried(work: Callable[[], T]) -> T | Exception:
    """What comes of it, or the error that has its place in the order."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - it is raised where its picture's turn is
        return error
