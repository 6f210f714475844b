"""Optical flow between two pictures, both ways, and how far it can be believed."""

from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Grey: TypeAlias = NDArray[np.uint8]
"""H x W brightness."""
Field: TypeAlias = NDArray[np.float32]
"""H x W x 2: how far a pixel moves in x and y, in pixels."""
Share: TypeAlias = NDArray[np.float32]
"""H x W numbers from 0 to 1."""

Values = TypeVar("Values", bound=NDArray[Any])

FLOW_SIDE = 480
"""Flow is computed on pictures whose longer side is at most this. Motion changes slowly over a picture: at 640
pictures between came out no better (within 0.4 dB either way), in twice the time."""
_SMALLEST = 32
"""Below so many pixels a side, DIS has no room for its patches: such a picture is taken as still."""
_STRAY = 1.0
"""Pixels, plus a share of the motion, by which there and back may miss: Sundaram et al., ECCV 2010, (5)."""
_STRAY_SHARE = 0.05


def factor(width: int, height: int, side: int = FLOW_SIDE) -> int:
    """By how many times a picture is made smaller for its flow: a whole number, so that rows stay on rows."""
    return max(1, -(-max(width, height) // side))


def reduced(grey: Grey, by: int) -> Grey:
    """The picture `by` times smaller; a border that does not fill a pixel is filled with its edge."""
    if by == 1:
        return np.ascontiguousarray(grey)
    height, width = grey.shape
    down, right = -height % by, -width % by
    if down or right:
        grey = np.asarray(cv2.copyMakeBorder(grey, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    size = (grey.shape[1] // by, grey.shape[0] // by)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How one picture becomes the next."""

    there: Field
    """By the first picture's pixels: where each goes."""
    back: Field
    """By the second picture's pixels: where each comes from."""
    lost: Share
    """By the first picture's pixels: 1 where there and back do not meet, for what is covered in the second."""
    found: Share
    """By the second picture's pixels: 1 for what was covered in the first."""


def motion(first: Grey, second: Grey) -> Motion:
    """The flow between two pictures of one size, both ways. Any thread.

    Dense inverse search (Kroeger et al., ECCV 2016), its preset for medium quality.
    """
    height, width = first.shape
    if min(height, width) < _SMALLEST:
        still, none = np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32)
        return Motion(still, still, none, none)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there = np.asarray(search.calc(first, second, None), np.float32)  # type: ignore[call-overload]
    back = np.asarray(search.calc(second, first, None), np.float32)  # type: ignore[call-overload]
    return Motion(there, back, _missed(there, back), _missed(back, there))


def fetched(field: Values, off: Field) -> Values:
    """A field's or picture's values so far off each place; beyond the border, those of the border."""
    found = cv2.remap(
        field, off, None, cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE
    )  # type: ignore[call-overload]
    return cast(Values, found)


def _missed(there: Field, back: Field) -> Share:
    """Where going there and back does not end at the beginning: 0 for well within the bound, 1 for twice it."""
    returned = fetched(back, there)
    off = there + returned
    bound = _STRAY + _STRAY_SHARE * (_square(there) + _square(returned))
    return np.asarray(np.clip(_square(off) / bound - 1, 0, 1), np.float32)


def _square(field: Field) -> NDArray[np.float32]:
    x, y = cv2.split(field)
    return np.asarray(x * x + y * y, np.float32)
