"""How a head stands: three angles from its landmarks, by the canonical face."""

from math import atan2, degrees, hypot
from typing import NamedTuple

import numpy as np

from ..core.frame import Points
from .canonical import canonical

MESH_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Mesh points that stand for the 68 landmarks of iBUG: jaw, brows, nose, eyes, outer and inner lips."""


class Pose(NamedTuple):
    """Degrees, 0 for a face that looks into the camera."""

    pitch: float
    """Positive looks up."""
    yaw: float
    """Positive looks to the right side of the picture."""
    roll: float
    """Positive leans clockwise in the picture."""


def pose_of_mesh(points: Points) -> Pose:
    """Of a mesh (468 or more points, x and y in the frame), by the points that expressions move least."""
    face = canonical()
    return _pose(points[face.rigid], face.xyz[face.rigid], np.sqrt(face.rigid_weights))


def pose_of_68(points: Points) -> Pose:
    """Of 68 landmarks of iBUG's order (x and y in the frame)."""
    return _pose(points, canonical().xyz[list(MESH_68)], np.ones(68, np.float32))


def _pose(points: Points, model: Points, weights: Points) -> Pose:
    """The affine camera that takes the model nearest to the points (least squares), read as three turns.

    The turns are about x, y and z in this order (R = Rz Ry Rx), as insightface tells a pose.
    """
    upright = model * np.array([1, -1, 1], np.float32)  # y of a picture runs down
    scaled = np.column_stack([upright, np.ones(len(model))]) * weights[:, None]
    camera = np.linalg.lstsq(scaled, points[:, :2] * weights[:, None], rcond=None)[0].T[:, :3]
    if camera[0, 0] * camera[1, 1] < camera[0, 1] * camera[1, 0]:
        camera[:, 0] *= -1  # no face is seen from behind: the picture is mirrored
    x, y = (row / max(float(np.linalg.norm(row)), 1e-9) for row in camera)
    z = np.cross(x, y)
    return Pose(
        degrees(atan2(z[1], z[2])), degrees(atan2(-z[0], hypot(x[0], y[0]))), degrees(atan2(y[0], x[0]))
    )
