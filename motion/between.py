"""Pictures between two pictures: each pixel on its way from the one to the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Field, Grey, Motion, Share, factor, fetched, motion, reduced

Plane: TypeAlias = NDArray[Any]
"""Samples of a picture, uint8 or uint16: H x W, or H x W x 2 where two colours lie together."""
Planes: TypeAlias = Sequence[Plane]
"""A picture: brightness first, then colours, as large or half as large (4:2:0)."""

_STEPS = 3
"""Of the search for the pixel that passes a place: motion changes slowly, three are enough."""
_AROUND = 5
"""Pixels around one that say with it how well two pictures match there."""
_STILL = 1.5
"""Of 255: what differs by no more between two pictures at one place has not moved: a caption, a badge."""
_ROWS = 128
"""Full-size rows are worked on so many at a time: they stay in the processor's cache, and a 4K picture needs
no more memory than a small one."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """Two pictures and how the one becomes the other; found once for all pictures between them."""

    first: Grey
    second: Grey
    motion: Motion
    by: int
    """So many times smaller than the pictures themselves."""


def passage(first: Plane, second: Plane) -> Passage:
    """The motion between the brightness of two pictures, uint8 or ten bits in uint16. Any thread."""
    by = factor(first.shape[1], first.shape[0])
    a, b = reduced(_grey(first), by), reduced(_grey(second), by)
    return Passage(a, b, motion(a, b), by)


def between(passage: Passage, first: Planes, second: Planes, at: float, out: Planes) -> None:
    """Writes into `out` the picture at the time `at`, from 0 (the first) to 1 (the second). Any thread.

    What both pictures show comes from both, what only one shows from that one, and what stands still stays as
    it is.
    """
    way, weight = _way(passage, at)
    height, width = first[0].shape[:2]
    fields = [*(np.ascontiguousarray(way[..., i]) * np.float32(passage.by) for i in (0, 1)), weight]
    for top, (x, y, share) in _bands(fields, passage.by):
        band = slice(top, min(height, top + len(x)))
        x, y, share = (np.ascontiguousarray(f[: band.stop - top, :width]) for f in (x, y, share))
        _draw(first[0], second[0], x, y, share, at, band, out[0])
        if len(first) > 1:
            half = slice(top // 2, out[1].shape[0] if band.stop == height else band.stop // 2)
            x, y, share = (np.ascontiguousarray(f[::2, ::2]) for f in (x * 0.5, y * 0.5, share))
        for a, b, target in zip(first[1:], second[1:], out[1:], strict=True):
            _draw(a, b, x, y, share, at, half, target)


def blended(first: Planes, second: Planes, at: float, out: Planes) -> None:
    """The plain mean of two pictures, weighted by time: what is compared with."""
    for a, b, target in zip(first, second, out, strict=True):
        cv2.addWeighted(a, 1 - at, b, at, 0, dst=target)


def _way(passage: Passage, at: float) -> tuple[Field, Share]:
    """By the pixels of the picture between: the motion from the first to the second, and the second's share."""
    m = passage.motion
    # A pixel that passes x at the time t left from x - t f: a fixed point, for f is known where it left.
    by_first, by_second = m.there, -m.back
    for _ in range(_STEPS):
        by_first = fetched(m.there, -at * by_first)
        by_second = -fetched(m.back, (1 - at) * by_second)
    errors = [_mismatch(passage, way, at) for way in (by_first, by_second)]
    still = cv2.blur(cv2.absdiff(passage.first, passage.second), (_AROUND, _AROUND)) - np.float32(_STILL)
    better = (errors[1] < errors[0])[..., None]
    way = np.where(better, by_second, by_first)
    way[still <= np.minimum(*errors)] = 0
    way = cv2.merge([cv2.medianBlur(part, _AROUND) for part in cv2.split(way)])
    lost, found = fetched(m.lost, -at * way), fetched(m.found, (1 - at) * way)
    share_first, share_second = (1 - at) * (1 - found * (1 - lost)), at * (1 - lost * (1 - found))
    weight = share_second / np.maximum(share_first + share_second, 1e-6)
    return np.asarray(way, np.float32), np.asarray(cv2.blur(weight, (3, 3)), np.float32)


def _mismatch(passage: Passage, way: Field, at: float) -> NDArray[np.float32]:
    """How little two pictures match along a way, from 0 to 255, with what lies around."""
    difference = cv2.absdiff(fetched(passage.first, -at * way), fetched(passage.second, (1 - at) * way))
    return np.asarray(cv2.blur(difference, (_AROUND, _AROUND), dst=None), np.float32)


def _bands(fields: list[NDArray[np.float32]], by: int) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
    """The fields `by` times larger, an even number of rows after the other: (the first one's number, their rows)."""
    height, width = fields[0].shape
    rows = max(2, _ROWS // by & ~1)
    for top in range(0, height, rows):
        # A row more at each side, so that bands meet without a seam.
        low, high = max(0, top - 1), min(height, top + rows + 1)
        size = (width * by, (high - low) * by)
        wanted = slice((top - low) * by, (min(height, top + rows) - low) * by)
        larger = (np.asarray(cv2.resize(field[low:high], size), np.float32) for field in fields)
        yield top * by, [field[wanted] for field in larger]


def _draw(
    first: Plane,
    second: Plane,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    share: Share,
    at: float,
    band: slice,
    out: Plane,
) -> None:
    """One band of a plane: both pictures, each moved its part of the way (x, y), the second with its share."""
    sides: list[Plane] = [
        cv2.remap(
            source, x * np.float32(part), y * np.float32(part) + np.float32(band.start),
            cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )
        for source, part in ((first, -at), (second, 1 - at))
    ]  # fmt: skip
    _mix(sides[0], sides[1], share, out[band])


def _mix(first: Plane, second: Plane, share: Share, out: Plane) -> None:
    if first.dtype == np.uint8:
        cv2.blendLinear(first, second, 1 - share, share, dst=out)
        return
    weight = share if first.ndim == 2 else share[..., None]
    mixed = first + (second.astype(np.float32) - first) * weight
    np.copyto(out, np.rint(mixed).astype(out.dtype))


def _grey(plane: Plane) -> Grey:
    """Brightness in eight bits."""
    if plane.dtype == np.uint8:
        return np.ascontiguousarray(plane)
    return np.asarray(cv2.convertScaleAbs(plane, alpha=0.25), np.uint8)
