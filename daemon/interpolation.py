"""A film at a constant rate: between its frames others are drawn, along the way that each pixel takes."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any

from av.video.frame import VideoFrame

from ..core.meter import Meter
from ..core.settings import Size
from ..inference.pool import Pool
from ..motion.between import Passage, between
from ..motion.cut import cut, held
from ..motion.flow import Grey, factor, motion, reduced
from ..sinks.samples import blank, brightness, samples
from .film_frames import Shown
from .line import Done

NEAR = Fraction(1, 8)
"""Of a tick: an original frame so near to it is shown as it is. 2 ms at 60 a second, more than the rounding
of times in Matroska."""
HELD = 2
"""Repetitions of a frame that count as one long frame: a drawn film shows each picture two or three times, and
motion drawn between the last of them and the next would stutter. More of them are a picture at rest."""
GAP_S = Fraction(1, 4)
"""A frame that stood longer was meant to stand: it stays until the next, which is not drawn towards."""

_AT_WORK = 100
"""Bytes that a worker holds while it looks for motion or draws, by pixel of the picture that flow is looked for in:
94 to 102 of 1280x720 to 3840x2160."""
_MOTION = 96
"""The same of the motions that wait to be drawn along, all together."""

Draw = Callable[[VideoFrame, VideoFrame, float], VideoFrame]
"""The frame between two, at a time from 0 to 1. Any thread."""


@dataclass(frozen=True, slots=True, eq=False)
class _Knot:
    """A frame of the original, processed."""

    image: VideoFrame
    time_s: Fraction
    end_s: Fraction
    part: int
    small: Grey
    """Its brightness, as small as flow takes it."""
    treated: bool
    """A face was hidden or replaced in it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Span:
    """The time that one frame reigns."""

    first: _Knot
    until_s: Fraction
    second: _Knot | None = None
    """What it moves towards; None: it stays."""
    since_s: Fraction = Fraction(0)
    """When it was shown for the last time before the second."""


class Interpolation:
    """Draws frames between the frames of a film, in the pool, and gives all out in order. One run."""

    def __init__(
        self,
        fps: Fraction,
        time_base: Fraction,
        step: int,
        pool: Pool,
        meter: Meter,
        *,
        ahead: int = 0,
        draw: Draw | None = None,
    ) -> None:
        """`time_base` is that of the original, and `step` the length of its last frame where it has none.

        `ahead`: frames drawn before they are written; 0 takes what keeps the pool busy. `draw`: by other means
        than optical flow.
        """
        self._fps, self._base, self._step = fps, time_base, step
        self._pool, self._meter, self._draw = pool, meter, draw
        self._ahead = ahead or pool.workers + 2
        self._begins: dict[int, int] = {}
        self._tick: int | None = None

    def run(self, pictures: Iterable[Done[VideoFrame]]) -> Generator[Shown, None, None]:
        """The frames of the new film. Of `pictures` so many are held back as `reserve` says, beside their room."""
        waiting: deque[Future[Shown] | Shown] = deque()
        held_back: list[tuple[_Span, Future[tuple[Passage, bool]] | None]] = []
        try:
            for span in self._spans(pictures):
                way = None if span.second is None else self._pool.submit(self._way, span)
                held_back.append((span, way))
                # A span's frames are asked for when the motion of the next is: no worker waits for another.
                if len(held_back) > 1:
                    yield from self._paced(waiting, *held_back.pop(0))
            for last in held_back:
                yield from self._paced(waiting, *last)
            while waiting:
                yield _got(waiting.popleft())
        finally:
            futures: list[Future[Any]] = [f for f in waiting if isinstance(f, Future)]
            futures += [way for _, way in held_back if way is not None]
            wait([f for f in futures if not f.cancel()])

    def _paced(
        self, waiting: deque[Future[Shown] | Shown], span: _Span, way: Future[tuple[Passage, bool]] | None
    ) -> Iterator[Shown]:
        for pts in self._ticks(span):
            shown = self._shown(span, pts)
            late = pts - span.first.time_s * self._fps > NEAR
            if way is not None and late:
                waiting.append(self._pool.submit(self._drawn, span, way, shown))
            else:
                waiting.append(shown)
            while len(waiting) > self._ahead:
                yield _got(waiting.popleft())

    def _spans(self, pictures: Iterable[Done[VideoFrame]]) -> Iterator[_Span]:
        first: _Knot | None = None
        again: list[_Knot] = []
        resting = False
        for picture in pictures:
            knot = self._knot(picture)
            if first is None:
                first = knot
                continue
            same = knot.part == first.part and held(first.small, knot.small)
            if same and not resting and len(again) < HELD:
                again.append(knot)
            elif same:
                yield from _stays([first, *again, knot])
                first, again, resting = knot, [], True
            else:
                since_s = again[-1].time_s if again else first.time_s
                if knot.time_s - since_s > GAP_S:
                    yield from _stays([first, *again, knot])
                else:
                    yield _Span(first, knot.time_s, knot, since_s)
                first, again, resting = knot, [], False
        if first is not None:
            end = again[-1] if again else first
            yield from _stays([first, *again])
            yield _Span(end, end.end_s)

    def _ticks(self, span: _Span) -> Iterator[int]:
        """The ticks of a span, from its frame's on; those of a next frame that is near belong to that."""
        if self._tick is None:
            self._tick = ceil(span.first.time_s * self._fps - NEAR)
        end = ceil(span.until_s * self._fps - NEAR)
        yield from range(self._tick, end)
        self._tick = max(self._tick, end)

    def _knot(self, picture: Done[VideoFrame]) -> _Knot:
        shot = picture.shot
        self._begins.setdefault(shot.part, shot.pts)
        grey = brightness(picture.image)
        length = shot.image.duration or self._step
        return _Knot(
            picture.image,
            shot.pts * self._base,
            (shot.pts + length) * self._base,
            shot.part,
            reduced(grey, factor(grey.shape[1], grey.shape[0])),
            bool(picture.treated),
        )

    def _shown(self, span: _Span, pts: int) -> Shown:
        part = span.first.part
        return Shown(span.first.image, pts, 1, part, self._begins[part])

    def _way(self, span: _Span) -> tuple[Passage, bool]:
        """Any thread."""
        began_ns = time.monotonic_ns()
        assert span.second is not None
        one, two = span.first.small, span.second.small
        found = Passage(one, two, motion(one, two), factor(span.first.image.width, span.first.image.height))
        # Half a swapped face would have half a badge.
        is_cut = span.first.treated != span.second.treated or cut(found)
        self._meter.time("motion", time.monotonic_ns() - began_ns)
        return found, is_cut

    def _drawn(self, span: _Span, way: Future[tuple[Passage, bool]], shown: Shown) -> Shown:
        """Any thread."""
        found, is_cut = way.result()
        began_ns = time.monotonic_ns()
        first, second = span.first, span.second
        assert second is not None
        time_s = shown.pts / self._fps
        if is_cut:
            nearer = second if 2 * time_s > span.since_s + second.time_s else first
            return Shown(nearer.image, shown.pts, 1, shown.part, shown.begin)
        at = float((time_s - first.time_s) / (second.time_s - first.time_s))
        if self._draw is not None:
            image = self._draw(first.image, second.image, at)
        else:
            image = blank(first.image)
            between(found, samples(first.image), samples(second.image), at, samples(image))
        self._meter.time("interpolate", time.monotonic_ns() - began_ns)
        return Shown(image, shown.pts, 1, shown.part, shown.begin, interpolated=True)


def reserve(size: Size, ahead: int, workers: int, *, deep: bool = False) -> int:
    """Bytes that interpolation holds beside the frames that are under way, with so many drawn `ahead` by so many
    `workers`."""
    width, height = size
    frame = width * height * 3 // 2 * (2 if deep else 1)
    # One more is given to draw before the oldest is taken, and the motion after it is looked for meanwhile.
    at_work = min(workers, ahead + 2)
    small = width * height // factor(width, height) ** 2
    return frame * (ahead + HELD + 4) + at_work * small * _AT_WORK + small * _MOTION


def _stays(knots: list[_Knot]) -> Iterator[_Span]:
    """Each until the next."""
    for one, following in pairwise(knots):
        yield _Span(one, following.time_s)


def _got(waiting: Future[Shown] | Shown) -> Shown:
    return waiting.result() if isinstance(waiting, Future) else waiting
