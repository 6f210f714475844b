"""A landmark model of the user's: the points of all faces of a frame, in one run where the model can."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.frame import Pixels, Points
from ..faces import landmarks
from ..faces.face import Face
from ..faces.pose import Pose, pose_of_68
from .engine import Models
from .picture_model import PictureModel, check_model


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What the model says of one face."""

    points: Points
    """68 x 2, 68 x 3 or 106 x 2, float32: x, y in frame pixels, z in the same scale."""
    score: float = 1.0
    """How sure it is, 0 to 1; 1 for a model that does not say."""

    @property
    def five(self) -> Points:
        """ArcFace's five points, 5 x 2, in the frame."""
        return landmarks.five_of(self.points)

    @property
    def pose(self) -> Pose | None:
        """How the head stands, where there are 68 points, which tell it."""
        return pose_of_68(self.points) if len(self.points) == 68 else None


class Landmarker:
    """A loaded landmark model. `look` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings the model, UsageError for another kind of model."""
        check_model(models.shelf, model, "landmarks")
        self._model = PictureModel(models, model)

    def look(self, pixels: Pixels, faces: Sequence[Face]) -> list[Landmarks]:
        """The landmarks of each face of a frame (BGR). Raises InferenceError."""
        if not faces:
            return []
        side, family = self._model.side, self._model.family
        rois = [landmarks.square(face, family.reach) for face in faces]
        crops = [landmarks.crop(pixels, roi, side) for roi in rois]
        if family.name == "2dfan4":
            crops = [landmarks.brightened(crop) for crop in crops]
        outputs = self._model.run(crops)
        found = []
        for n, roi in enumerate(rois):
            score = 1.0
            match family.name:
                case "2dfan4":
                    points, score = landmarks.decode_fan(outputs[0][n], outputs[1][n], side)
                case "1k3d68":
                    points = landmarks.decode_68(outputs[0][n], side)
                case _:
                    points = landmarks.decode_106(outputs[0][n], side)
            found.append(Landmarks(np.asarray(roi.to_frame(points, side), np.float32), score))
        return found
