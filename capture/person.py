"""The bundled portrait as a relief that turns, leans, blinks and opens its mouth.

Two warps, one after the other. The *expression* warps small parts of the picture (eyelids, jaw); its
levels are painted once. The *pose* moves the whole picture by one smooth field on a coarse grid: the head
turned as a relief (orthographic, its depth from the 478 landmarks), the body shifted and scaled, both
falling off into the background. Coordinates named `p` are pixels of the 512x512 picture.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from ..core.settings import Size
from .expression import NO_MAP, Expressions
from .motion import Pose

ASSETS = Path(__file__).parent / "assets"

HEAD = (226.0, 103.0, 78.0, 92.0)
"""Centre and half axes of the ellipse around the head with its hair, in `p`."""
PIVOT = (226.0, 165.0, 55.0)
"""The point that the head turns about, x, y, z in `p`: the top of the neck; z grows away from the viewer."""
WAIST = 290.0
"""The height in `p` about which the body leans: nothing moves below it."""
SCENE = (448.0, 500.0)
"""The largest part of the picture that is shown, width and height in `p`."""
HEAD_HEIGHT = 0.42
"""Where the head's centre stands in a frame, as a share of its height."""
STEP = 8
"""Pixels of the frame between the points of the coarse grid."""
DEPTH_REACH = 5.0
"""Each landmark gives its depth to so many pixels of `p` around it (a Gaussian's sigma)."""

Field = NDArray[np.float32]


class Person:
    """Paints the portrait in any pose into a picture of one size. Not thread-safe: it keeps its buffers."""

    def __init__(self, size: Size) -> None:
        width, height = size
        picture = cv2.imdecode(np.fromfile(ASSETS / "portrait.jpg", np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None, "the bundled portrait is broken"
        with np.load(ASSETS / "portrait.npz") as data:
            self.points: Points = data["points"]
            """478 x 3 landmarks of the picture at rest, in `p`."""
        self._size = size
        self.scale = max(width / SCENE[0], height / SCENE[1])
        shown_w, shown_h = width / self.scale, height / self.scale
        self.origin = (HEAD[0] - shown_w / 2, min(max(HEAD[1] - HEAD_HEIGHT * shown_h, 2.0), 510 - shown_h))
        """What of `p` is at the frame's upper left corner."""
        self._picture = _enlarged(np.asarray(picture, np.uint8), self.scale)
        self._expressions = Expressions(self._picture, self.points, self.scale)
        # One point of the grid more on each side: `resize` holds its edge values instead of going on.
        columns, rows = -(-width // STEP) + 2, -(-height // STEP) + 2
        x = self.origin[0] + ((np.arange(columns, dtype=np.float32) - 0.5) * STEP - 0.5) / self.scale
        y = self.origin[1] + ((np.arange(rows, dtype=np.float32) - 0.5) * STEP - 0.5) / self.scale
        self._p: Field = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
        self._body, self._head = _body_weight(self._p), _head_weight(self._p)
        # What never moves is painted once; the rest is one rectangle.
        moves = np.asarray(self._body + self._head > 0)
        self._moving = _span(moves, 1, height), _span(moves, 0, width)
        top, left = (s.start // STEP for s in self._moving)
        bottom, right = (-(-s.stop // STEP) + 2 for s in self._moving)
        self._p, self._body, self._head = (
            np.ascontiguousarray(a[top:bottom, left:right]) for a in (self._p, self._body, self._head)
        )
        self._depth = _depth(self._p, self.points)
        x0, y0 = (np.float32(o * self.scale + (self.scale - 1) / 2) for o in self.origin)
        shift = np.array([[1, 0, x0], [0, 1, y0]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        still = cv2.warpAffine(self._picture, shift, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        self._still: Pixels = np.asarray(still, np.uint8)

    def paint(self, pose: Pose) -> Pixels:
        """The person in a pose; a fresh array of the person's size."""
        self._expressions.put(pose.blink, pose.mouth)
        source = (self._backward(pose) + 0.5) * np.float32(self.scale) - np.float32(0.5)
        rows, columns = source.shape[:2]
        full = cv2.resize(source, (columns * STEP, rows * STEP), interpolation=cv2.INTER_LINEAR)
        frame = self._still.copy()
        moving = frame[self._moving]
        lookup = full[STEP : STEP + moving.shape[0], STEP : STEP + moving.shape[1]]
        moving[:] = cv2.remap(
            self._picture, lookup, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return frame

    def _backward(self, pose: Pose) -> Field:
        """For each grid point, where in `p` the picture at rest has what is seen there."""
        at = self._p
        face = float(np.ptp(self.points[:, 0]))
        moved = np.empty_like(at)
        moved[..., 0] = (at[..., 0] - PIVOT[0]) * pose.lean + pose.x * face
        moved[..., 1] = (at[..., 1] - WAIST) * pose.lean + pose.y * face
        at = at - moved * self._body[..., None]
        turned = self._turned(pose)
        # The field belongs to where a part of the head is at rest: one step of a fixed-point iteration.
        return at - self._sampled(turned, at - self._sampled(turned, at))

    def _turned(self, pose: Pose) -> Field:
        """How far a turn of the head moves each grid point, at rest."""
        rotation = _rotation(pose)
        v = self._p - np.array(PIVOT[:2], np.float32)
        z = self._depth - np.float32(PIVOT[2])
        field = v @ (rotation[:2, :2] - np.eye(2, dtype=np.float32)).T + z[..., None] * rotation[:2, 2]
        return np.asarray(field * self._head[..., None], np.float32)

    def _sampled(self, field: Field, at: Field) -> Field:
        """The field at any places of `p`."""
        steps = (at - self._p[0, 0]) * np.float32(self.scale / STEP)
        return np.asarray(cv2.remap(field, steps, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _span(moves: NDArray[np.bool_], over: int, length: int) -> slice:
    """The pixels of the frame between the first and the last moving point of the grid, on its cells' edges."""
    which = np.flatnonzero(moves.any(axis=over))
    return slice(max(0, int(which[0]) - 2) * STEP, min(length, (int(which[-1]) + 1) * STEP))


def _rotation(pose: Pose) -> NDArray[np.float32]:
    """Roll x pitch x yaw in a space with y down and z away from the viewer."""
    (cy, cp, cr), (sy, sp, sr) = (
        np.cos([pose.yaw, pose.pitch, pose.roll]),
        np.sin([pose.yaw, pose.pitch, pose.roll]),
    )
    yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(roll @ pitch @ yaw, np.float32)


def _enlarged(picture: Pixels, scale: float) -> Pixels:
    """The picture at the frame's scale, with the edges that enlarging makes soft brought back."""
    side = round(512 * scale)
    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    if scale > 1:
        large = cv2.addWeighted(large, 1.7, cv2.GaussianBlur(large, (0, 0), 0.7 * scale), -0.7, 0)
    return np.asarray(large, np.uint8)


def _smooth(v: Field, low: float | Field, high: float | Field) -> Field:
    """1 below `low`, 0 above `high`, smooth between."""
    u = np.clip((high - v) / (high - low), 0, 1)
    return np.asarray(u * u * (3 - 2 * u), np.float32)


def _head_weight(p: Field) -> Field:
    r = np.hypot((p[..., 0] - HEAD[0]) / HEAD[2], (p[..., 1] - HEAD[1]) / HEAD[3])
    return _smooth(r, 1.0, 1.75)


def _body_weight(p: Field) -> Field:
    """1 at the head, 0 at its surroundings and at the waist."""
    upright = np.clip((WAIST - p[..., 1]) / (WAIST - HEAD[1]), 0, 1)
    return np.asarray(upright * _smooth(np.abs(p[..., 0] - HEAD[0]), HEAD[2] + 4, HEAD[2] + 52), np.float32)


def _depth(p: Field, points: Points) -> Field:
    """The head's depth: its landmarks' where there are some, an ellipsoid's elsewhere."""
    r = np.hypot((p[..., 0] - HEAD[0]) / HEAD[2], (p[..., 1] - HEAD[1]) / HEAD[3])
    depth = PIVOT[2] - 60 * np.sqrt(np.clip(1 - r**2, 0, 1))
    weight = np.full_like(depth, 0.05)
    depth *= weight
    for x, y, z in points[:468]:
        near = np.exp(-((p[..., 0] - x) ** 2 + (p[..., 1] - y) ** 2) / (2 * DEPTH_REACH**2))
        depth, weight = depth + near * z, weight + near
    return np.asarray(cv2.GaussianBlur(depth / weight, (0, 0), 1.5), np.float32)
