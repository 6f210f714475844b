"""A mask drawn from a face's mesh: the expression stays, the person's own pixels go."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from ..faces import masks

Colour = tuple[int, int, int]

SKIN: Colour = (178, 190, 168)
"""What is around the drawing; all colours are BGR and nobody's."""
_FACE: Colour = (203, 214, 196)
_INK: Colour = (74, 62, 52)
_LIPS: Colour = (112, 104, 196)
_MOUTH: Colour = (52, 34, 62)
_EYE: Colour = (250, 250, 250)
_NOSE = (168, 197, 4, 1, 2)
_NOSTRILS = (64, 98, 97, 2, 326, 327, 294)
_SHIFT = 4
"""Bits of a pixel's fraction in OpenCV's drawing."""


def draw(canvas: Pixels, points: Points) -> None:
    """Draws a face into `canvas` in place. points: 478 x 2 or 3 in its pixels; may lie outside of it.

    Its proportions are the person's: who knows the person well may see it. Skin, hair, light and texture are not.
    """
    points = points[:, :2]
    size = float(np.ptp(points[:, 0]))
    thick = max(1, round(size / 90))
    fill(canvas, masks.polygon(points, masks.FACE_OVAL), _FACE)
    for eye, iris, brow in (
        (masks.LEFT_EYE, masks.LEFT_IRIS, masks.LEFT_EYEBROW),
        (masks.RIGHT_EYE, masks.RIGHT_IRIS, masks.RIGHT_EYEBROW),
    ):
        fill(canvas, masks.polygon(points, brow), _INK)
        lids = masks.polygon(points, eye)
        fill(canvas, lids, _EYE)
        seen = _disc(points[list(iris)])
        _, inside = cv2.intersectConvexConvex(cv2.convexHull(lids), seen)
        if inside is not None and len(inside) > 2:
            fill(canvas, np.asarray(inside[:, 0], np.float32), _INK)
        _line(canvas, lids, _INK, thick, closed=True)
    _line(canvas, points[list(_NOSE)], SKIN, 3 * thick)
    _line(canvas, points[list(_NOSTRILS)], _INK, thick)
    fill(canvas, masks.polygon(points, masks.LIPS_OUTER), _LIPS)
    fill(canvas, masks.polygon(points, masks.LIPS_INNER), _MOUTH)
    _line(canvas, masks.polygon(points, masks.LIPS_INNER), _INK, thick, closed=True)


def _disc(iris: Points) -> Points:
    """N x 2: the circle of an iris, from its centre and four points of its rim."""
    radius = np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False, dtype=np.float32)
    return np.asarray(iris[0] + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1), np.float32)


def fill(canvas: Pixels, line: Points, colour: Colour) -> None:
    """Fills the area within a line (N x 2 in the canvas's pixels) in place, its edge smoothed."""
    cv2.fillPoly(canvas, [_fixed(line)], colour, cv2.LINE_AA, _SHIFT)


def _line(canvas: Pixels, line: Points, colour: Colour, thick: int, closed: bool = False) -> None:
    cv2.polylines(canvas, [_fixed(line)], closed, colour, thick, cv2.LINE_AA, _SHIFT)


def _fixed(line: Points) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.clip(line, -1 << 15, 1 << 15) * (1 << _SHIFT)), np.int32)
