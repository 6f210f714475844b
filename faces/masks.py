"""Where the parts of a face are on the 478-point mesh, and masks drawn from them.

Left and right are the person's own. The index lists are MediaPipe's contours (Apache-2.0), each one closed
and in the order of its line.
"""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points

Mask: TypeAlias = NDArray[np.uint8]
"""height x width, 0 outside to 255 inside."""

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""From the middle of the forehead along the person's left side to the chin, and back up."""
LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYEBROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
RIGHT_EYEBROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
RIGHT_IRIS = (468, 469, 470, 471, 472)
"""The centre, then four points of the rim."""
LEFT_IRIS = (473, 474, 475, 476, 477)

_SHIFT = 4
"""Bits of a pixel's fraction that OpenCV's drawing takes, so that edges do not jump by whole pixels."""
_FAR = 1 << 20
"""Coordinates are held within this many pixels: OpenCV's drawing wraps around where int32 ends."""


def polygon(points: Points, indices: Sequence[int], grow: float = 0.0) -> Points:
    """N x 2: the contour through `indices`, each point moved away from the middle by `grow` of its distance."""
    line = np.asarray(points[list(indices), :2], np.float32)
    if not grow:
        return line
    middle = line.mean(axis=0)
    return np.asarray(middle + (line - middle) * np.float32(1 + grow), np.float32)


def fill(mask: Mask, contour: Points, value: int = 255) -> None:
    """Fills an N x 2 contour (pixel centres at integers) in place, its edge smoothed; it may lie outside."""
    fixed = np.nan_to_num(np.clip(contour, -_FAR, _FAR)) * (1 << _SHIFT)
    cv2.fillPoly(mask, [np.rint(fixed).astype(np.int32)], (value,), cv2.LINE_AA, _SHIFT)


def feathered(mask: Mask, radius: float) -> Mask:
    """The mask with an edge `radius` pixels soft to either side: two box filters, whose cost does not grow with it.

    Beyond the picture's border the mask is taken to go on, so a face that leaves the frame has no seam there.
    """
    side = max(1, round(radius)) | 1
    if radius < 0.5 or side < 3:
        return mask
    border = cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.blur(cv2.blur(mask, (side, side), borderType=border), (side, side), borderType=border)
    )


def oval_mask(points: Points, shape: tuple[int, int], grow: float = 0.0, feather: float = 0.0) -> Mask:
    """The face's oval in a picture of `shape` (height, width), 255 inside.

    points: N x 2 or N x 3 of the mesh, in that picture's pixels. grow: by which part of its distance from
    the middle each point is moved outwards. feather: half the width of the soft edge, in pixels.
    """
    mask = np.zeros(shape, np.uint8)
    fill(mask, polygon(points, FACE_OVAL, grow))
    return feathered(mask, feather)
