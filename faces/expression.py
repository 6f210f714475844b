"""The movement of a face as LivePortrait's networks tell it: 21 points, turned, moved and pulled by an expression.

Angles are degrees; points lie in the networks' own space, x, y, z. Pure functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

POINTS = 21
BINS = 66
UPPER = (1, 2, 6, 10, 11, 12, 13, 15, 16)
"""The points that move brows and eyes."""
LOWER = (3, 7, 14, 17, 18, 19, 20)
"""The points that move the mouth. The other five carry the shape of the head, and never change."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How one face is held and what it does."""

    angles: tuple[float, float, float]
    """Pitch, yaw, roll."""
    scale: float
    translation: Array
    """3."""
    expression: Array
    """21 x 3, what the expression adds to the points."""
    points: Array
    """21 x 3, of this face at rest, looking straight ahead."""

    def placed(self, expression: Array | None = None) -> Array:
        """The 21 points as they stand, 21 x 3; with another expression, where one is given."""
        pulled = self.points @ rotation(*self.angles).T
        pulled = pulled + (self.expression if expression is None else expression)
        return np.asarray(self.scale * pulled + self.translation, np.float32)

    def expressing(self, other: "Motion", share: float, indices: Sequence[int]) -> Array:
        """This face's expression, at `indices` drawn by `share` (0 to 1) towards that of `other`; 21 x 3."""
        out = self.expression.copy()
        rows = list(indices)
        out[rows] += np.float32(share) * (other.expression[rows] - out[rows])
        return out


def rotation(pitch: float, yaw: float, roll: float) -> Array:
    """3 x 3: about x by pitch, then about y by yaw, then about z by roll (fixed axes)."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([pitch, yaw, roll])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def degrees(told: Array) -> float:
    """The angle that a network tells: one number is it already.

    66 are bins of 3 degrees each, from -97.5 up: it is their mean, weighted by their softmax.
    """
    if told.size == 1:
        return float(told.item())
    weights = np.exp(told - told.max())
    return float((weights / weights.sum() * np.arange(BINS)).sum() * 3 - 97.5)
