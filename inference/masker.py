"""What of a crop is face and what lies before it: occluders by XSeg, regions by BiSeNet."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels
from .engine import Models, Tensor
from .picture_model import PictureModel, check_model

FACE_REGIONS = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)
"""BiSeNet's classes (CelebAMask-HQ) that are worn: skin, brows, eyes, glasses, nose, mouth and lips; not ears,
neck, hair, hat and cloth."""
_SOFT = 5.0
"""Sigma in pixels of the model's picture: its edges are a staircase. The same as in facefusion."""


class Masker:
    """A loaded mask model. `masks` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings the model, UsageError for another kind of model."""
        check_model(models.shelf, model, "mask")
        self._model = PictureModel(models, model)
        self._side = self._model.side

    def masks(self, crops: Sequence[Pixels]) -> list[NDArray[np.uint8]]:
        """One mask for each crop (BGR, square), of its size: 255 where the face is seen. Raises InferenceError."""
        side = self._side
        small = [
            np.asarray(cv2.resize(c, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
            if len(c) != side
            else c
            for c in crops
        ]
        found = self._face(self._model.run(small)[0])
        out = []
        for crop, mask in zip(crops, found, strict=True):
            soft = cv2.GaussianBlur(mask, (0, 0), _SOFT, borderType=cv2.BORDER_REPLICATE)
            # Only what is more face than not, so that the soft edge lies within the face.
            inner = np.asarray(np.clip(soft, 0.5, 1) * 510 - 255, np.float32)
            sized = cv2.resize(inner, (len(crop), len(crop)), interpolation=cv2.INTER_LINEAR)
            out.append(np.asarray(np.rint(sized), np.uint8))
        return out

    def _face(self, output: Tensor) -> NDArray[np.float32]:
        """N x side x side, 0 to 1."""
        match self._model.family.name:
            case "bisenet":
                face = np.isin(output.argmax(axis=1), FACE_REGIONS)
            case "occluder":
                face = output[:, 0] > 0
            case "xseg_nchw":
                face = np.where(output[:, 0] < 0.1, 0, np.clip(output[:, 0], 0, 1))
            case _:
                face = np.clip(output[..., 0], 0, 1)
        return np.asarray(face, np.float32)
