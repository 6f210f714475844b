"""A face as it was found in one frame."""

from dataclasses import dataclass, replace

import numpy as np

from ..core.frame import Matrix, Points
from .align import five_points
from .attributes import Attributes
from .pose import Pose, pose_of_mesh


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One tracked face. All coordinates are in the space of the frame it was found in."""

    id: int
    """Stays with a person from frame to frame; never used again."""
    box: Points
    """x0, y0, x1, y1 in frame pixels, float32."""
    points: Points
    """478 x 3, float32: MediaPipe's face mesh with irises; x, y in frame pixels, z in the same scale."""
    score: float
    """How sure the mesh is that a face is there, 0.5 to 1.

    0 while anonymising: only a detector sees it, and the points are a neutral mesh laid over what it saw.
    """
    held_ns: int = 0
    """0 for a face seen in this frame, else for how long it has been held since it was lost."""
    five: Points | None = None
    """ArcFace's five points by a landmark model, 5 x 2, float32; None where there is no such model."""
    attributes: Attributes | None = None
    """What a model takes the person's sex and age for; None where there is no such model, or no look yet."""
    appearance: int = 0
    """Goes up where the face in this place is no longer the same, for all that can be seen: a film was cut.
    What is remembered of a face is of one appearance."""
    told_pose: Pose | None = None
    """How the head stands by 68 points of a landmark model; None where there is no such model."""

    @property
    def pose(self) -> Pose:
        """How the head stands: by a model's 68 points, else by the mesh."""
        return pose_of_mesh(self.points) if self.told_pose is None else self.told_pose

    @property
    def anchors(self) -> Points:
        """ArcFace's five points, 5 x 2, by which crops are aligned: a landmark model's, else those of the mesh."""
        return five_points(self.points) if self.five is None else self.five

    @property
    def area(self) -> float:
        """Of its box, in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    def moved(self, matrix: Matrix) -> "Face":
        """The face in the space that the 2x3 affine leads to; z scales with the mean of x and y."""
        scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
        points = np.empty_like(self.points)
        points[:, :2] = self.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points[:, 2] = self.points[:, 2] * scale
        corners = np.array([[self.box[i], self.box[j]] for i in (0, 2) for j in (1, 3)], np.float32)
        corners = corners @ matrix[:, :2].T + matrix[:, 2]
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)
        five = None if self.five is None else self.five @ matrix[:, :2].T + matrix[:, 2]
        upright = matrix[0, 1] == matrix[1, 0] == 0 and min(matrix[0, 0], matrix[1, 1]) > 0
        pose = self.told_pose if upright else None  # turned or mirrored: the mesh was too, and tells it
        return replace(self, box=box, points=points, five=five, told_pose=pose)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What tracking says of one frame."""

    faces: tuple[Face, ...]
    detected: bool
    """The detector ran on this very frame: no face beside these was there to be found."""
