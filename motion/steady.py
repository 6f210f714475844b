"""What a processor flickers, made steady: each processed place takes a share of what it was a frame before, there
where it was."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .between import Plane
from .flow import Field, Grey, Share, factor, fetched, motion, reduced

_SIDE = 320
"""Flow is computed on a cut-out of at most this side: a face is soon large enough for it."""
_MARGIN = 24
"""Pixels around the change that flow sees too, and a quarter of its size: what came in from there has a way."""
_MOST = 0.6
"""Of a picture: where more has changed, it was moved as a whole (mirrored, zoomed), and what it showed before says
nothing of where things are now."""
_DIFFERENT = 16.0
"""Of 255: where two unprocessed pictures differ by so much along the way, nothing is carried over."""
_JUMP = 24.0
"""Of 255: what differs by more between two processed pictures is carried over less, from twice as much on not."""
_EDGE = 5
"""Pixels at the rim of a change that are left alone: nothing unprocessed is ever carried into it."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is kept of a picture until the next one comes."""

    guide: Grey
    """What motion is looked for in: the picture before the processors, unless they moved it as a whole."""
    changed: NDArray[np.uint8]
    """255 where the processors changed something; of the size of `guide`."""
    box: Box
    """Around all of it."""
    whole: bool
    """The guide is the processed picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """How one picture's processed places are carried into the next."""

    box: Box
    """In the next picture; even numbers."""
    off: Field
    """From each of its pixels, how far away the picture before has it."""
    share: Share
    """How far it may be carried over."""


def look(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Look | None:
    """Of a picture before and after the processors, BGR; None where they changed nothing. Any thread."""
    if before is after or before.shape != after.shape:
        return None
    changed = cv2.absdiff(before, after).max(axis=2)
    columns, rows = np.flatnonzero(changed.max(axis=0)), np.flatnonzero(changed.max(axis=1))
    if not rows.size:
        return None
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    changed = np.where(changed > 0, np.uint8(255), np.uint8(0))
    whole = np.count_nonzero(changed) > _MOST * changed.size
    guide = cv2.cvtColor(after if whole else before, cv2.COLOR_BGR2GRAY)
    return Look(np.asarray(guide, np.uint8), changed, box, bool(whole))


def carry(first: Look, second: Look) -> Carry | None:
    """How the processed places of one picture are carried into the next; None where nothing can be. Any thread.

    Nothing is carried from where the first was not processed to where the second is: what a processor hides
    would shine through.
    """
    if first.guide.shape != second.guide.shape or first.whole != second.whole:
        return None
    height, width = second.guide.shape
    x0, y0, x1, y1 = second.box
    right, down = _MARGIN + (x1 - x0) // 4, _MARGIN + (y1 - y0) // 4
    x0, y0 = max(0, x0 - right) & ~1, max(0, y0 - down) & ~1
    x1, y1 = min(width, x1 + right), min(height, y1 + down)
    place = np.s_[y0:y1, x0:x1]
    one, two = first.guide[place], second.guide[place]
    by = factor(x1 - x0, y1 - y0, _SIDE)
    found = motion(reduced(one, by), reduced(two, by))
    off = np.asarray(_enlarged(found.back, by, two.shape) * by, np.float32)
    difference = cv2.absdiff(fetched(np.ascontiguousarray(one), off), two)
    alike = 1 - cv2.blur(difference, (_EDGE, _EDGE)).astype(np.float32) / _DIFFERENT
    known = 1 - _enlarged(found.found, by, two.shape)
    both = cv2.min(_inner(second.changed[place]), fetched(_inner(first.changed[place]), off))
    share = np.clip(alike, 0, 1) * known * (cv2.blur(both, (_EDGE, _EDGE)).astype(np.float32) / 255)
    share[both == 0] = 0
    if not share.any():
        return None
    return Carry((x0, y0, x1, y1), off, np.asarray(share, np.float32))


def steady(planes: tuple[Plane, ...], previous: tuple[Plane, ...], way: Carry, weight: float) -> None:
    """Draws a share of the previous picture, `weight` from 0 to 1, into `planes`: brightness, then colours (4:2:0).

    What jumps in brightness is no flicker (a badge that stays while all behind it moves) and is left as it is.
    """
    height, width = planes[0].shape[:2]
    x0, y0, x1, y1 = way.box
    rows, columns = min(y1, height) - y0, min(x1, width) - x0
    off, share = way.off[:rows, :columns], way.share[:rows, :columns] * np.float32(weight)
    for n, (plane, old) in enumerate(zip(planes, previous, strict=True)):
        if n == 1 and plane.shape[0] < height:
            off, share, x0, y0 = off[::2, ::2] * np.float32(0.5), share[::2, ::2], x0 // 2, y0 // 2
        target = plane[y0 : y0 + share.shape[0], x0 : x0 + share.shape[1]]
        now, change = target.astype(np.float32), _from(old, off, x0, y0)
        change -= now
        if n == 0:
            peak = 1023 if plane.dtype == np.uint16 else 255
            jump = cv2.blur(np.abs(change), (_EDGE, _EDGE)) * np.float32(255 / peak / _JUMP)
            share = share * np.clip(2 - jump, 0, 1)
        part: Any = share if target.ndim == 2 else share[..., None]
        target[...] = np.rint(now + change * part).astype(plane.dtype)


def _from(picture: Plane, off: Field, x0: int, y0: int) -> NDArray[np.float32]:
    """A picture's samples so far off each place of a cut-out that begins at (x0, y0)."""
    x, y = off[..., 0] + np.float32(x0), off[..., 1] + np.float32(y0)
    came = cv2.remap(picture, x, y, cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(came, np.float32)


def _inner(changed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.erode(changed, np.ones((_EDGE, _EDGE), np.uint8)), np.uint8)


def _enlarged(field: NDArray[np.float32], by: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A field of a picture made `by` times smaller, by the picture's own pixels."""
    height, width = shape[:2]
    size = (field.shape[1] * by, field.shape[0] * by)
    parts = [cv2.resize(part, size)[:height, :width] for part in cv2.split(field)]
    return np.asarray(parts[0] if field.ndim == 2 else cv2.merge(parts), np.float32)
