"""Where a face is and how it stands: regions of interest and the affines that lead into their crops.

Pure functions of numpy; safe in any thread. Coordinates are pixel indices (pixel centres at integers).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import atan2, cos, hypot, pi, sin

import numpy as np

from ..core.frame import Matrix, Points

ROI_SCALE = 1.5
"""Side of the mesh's crop per longer side of the face's box (MediaPipe's face landmark graph)."""
EYE_CORNERS = (33, 263)
"""Mesh points: outer corner of the right eye (left in the picture) and of the left one."""
FIVE = (468, 473, 1, 61, 291)
"""Mesh points that stand for ArcFace's five: right and left iris, tip of the nose, corners of the mouth."""
ARCFACE_112: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)
"""Where ArcFace's five points lie in its 112 x 112 crop (the template of Deng et al., 2019)."""
ARCFACE_112.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Roi:
    """A square of the frame, turned so that the eyes in it are level."""

    x: float
    """Centre, frame pixels."""
    y: float
    side: float
    """Frame pixels."""
    angle: float = 0.0
    """Of the eyes' line, radians, clockwise in the picture."""

    def matrix(self, size: int) -> Matrix:
        """The 2x3 affine, frame -> crop of `size` x `size`."""
        scale = size / self.side
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        return np.array(
            [[c, s, size / 2 - c * self.x - s * self.y], [-s, c, size / 2 + s * self.x - c * self.y]],
            np.float32,
        )

    def to_frame(self, points_crop: Points, size: int) -> Points:
        """N x 2 or N x 3 points of a `size` x `size` crop -> frame space; z takes the crop's scale."""
        scale = self.side / size
        c, s = scale * cos(self.angle), scale * sin(self.angle)
        x, y = points_crop[:, 0] - size / 2, points_crop[:, 1] - size / 2
        out = np.empty_like(points_crop, np.float32)
        out[:, 0] = c * x - s * y + self.x
        out[:, 1] = s * x + c * y + self.y
        out[:, 2:] = points_crop[:, 2:] * scale
        return out

    def shifted(self, dx: float, dy: float) -> "Roi":
        """The same square, moved in the frame."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def drift(self, other: "Roi") -> float:
        """How far `other`'s centre is from this one's, in sides of this one."""
        return hypot(other.x - self.x, other.y - self.y) / self.side

    def turn(self, other: "Roi") -> float:
        """How far `other` is turned against this one, 0 to pi."""
        return abs((other.angle - self.angle + pi) % (2 * pi) - pi)


def roi_of_box(box: Points, right_eye: Points, left_eye: Points) -> Roi:
    """The mesh's crop for a box (x0, y0, x1, y1) and two eye points, all in frame space."""
    x0, y0, x1, y1 = map(float, box)
    angle = atan2(float(left_eye[1] - right_eye[1]), float(left_eye[0] - right_eye[0]))
    side = max(ROI_SCALE * max(x1 - x0, y1 - y0), 1.0)
    return Roi((x0 + x1) / 2, (y0 + y1) / 2, side, angle)


def roi_of_points(points: Points) -> Roi:
    """The crop for the next frame, from this frame's mesh: 1.5 x the longer side of its box, eyes level.

    Unlike MediaPipe's, the box is measured along the line of the eyes: the crop of a tilted head is as
    tight as that of an upright one, which halves what a tilt does to the points.
    """
    (rx, ry), (lx, ly) = points[EYE_CORNERS, :2].tolist()
    angle = atan2(ly - ry, lx - rx)
    c, s = cos(angle), sin(angle)
    level = points[:, :2] @ np.array([[c, -s], [s, c]], np.float32)
    (x0, y0), (x1, y1) = level.min(axis=0).tolist(), level.max(axis=0).tolist()
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return Roi(c * x - s * y, s * x + c * y, max(ROI_SCALE * max(x1 - x0, y1 - y0), 1.0), angle)


def box_of_points(points: Points) -> Points:
    """x0, y0, x1, y1 around N x 2 or N x 3 points."""
    flat = points[:, :2]
    return np.concatenate([flat.min(axis=0), flat.max(axis=0)]).astype(np.float32)


def iou(a: Points, b: Points) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    ax0, ay0, ax1, ay1 = map(float, a)
    bx0, by0, bx1, by1 = map(float, b)
    inter = max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))
    union = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - inter
    return inter / union if union > 0 else 0.0


def eye_distance(points: Points) -> float:
    """Distance of the iris centres of a 478-point mesh, in the points' own space."""
    right, left = FIVE[:2]
    return float(np.hypot(*(points[left, :2] - points[right, :2])))


def five_points(points: Points) -> Points:
    """ArcFace's five points (5 x 2) of a 478-point mesh, in the mesh's space."""
    return points[list(FIVE), :2].astype(np.float32)


def similarity(src: Points, dst: Points, weights: Sequence[float] | None = None) -> Matrix:
    """The 2x3 affine (turn, scale, shift; no mirror) that takes N x 2 `src` nearest to `dst`.

    Weighted least squares in closed form (Umeyama, 1991, in two dimensions).
    """
    w = np.ones(len(src)) if weights is None else np.asarray(weights, float)
    w = w / w.sum()
    a, b = np.asarray(src, float), np.asarray(dst, float)
    ma, mb = w @ a, w @ b
    a, b = a - ma, b - mb
    spread = float(w @ (a * a).sum(axis=1))
    c = float(w @ (a * b).sum(axis=1)) / spread
    s = float(w @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])) / spread
    turn = np.array([[c, -s], [s, c]])
    return np.column_stack([turn, mb - turn @ ma]).astype(np.float32)


def arcface_matrix(points: Points, size: int = 112) -> Matrix:
    """The affine, frame -> ArcFace crop of `size` x `size`, for a 478-point mesh."""
    return similarity(five_points(points), ARCFACE_112 * (size / 112))
