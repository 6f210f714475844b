"""A face as a network is given it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.frame import Matrix, Pixels
from ..faces.crop import take
from ..faces.face import Face
from ..faces.templates import crop_matrix
from .processor import Picture
from .wearer import Who, wearers

Hidden = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One face of one frame, as a network is given it."""

    face: Face
    matrix: Matrix
    """Frame -> crop."""
    crop: Pixels
    treated: bool = False
    """The face in it has been hidden or replaced: it is no longer its owner's."""
    size: tuple[int, int] | None = None
    """(width, height) of the frame; beyond it the crop shows nothing of the face. None: all of it is seen."""

    @property
    def hidden(self) -> Hidden:
        """Which of the mesh's points lie beyond the frame's border, N."""
        points = self.face.points[:, :2]
        if self.size is None:
            return np.zeros(len(points), np.bool_)
        return np.asarray(((points < 0) | (points > np.array(self.size) - 1)).any(axis=1))


def looks(picture: Picture, who: Who, template: str, side: int) -> list[Look]:
    """The crops (`side` x `side`, aligned by `template`) of those in a picture of whom `who` speaks."""
    # A detector's stand-in has no mesh of its own: it can be covered, and no crop be aligned by it.
    faces = [face for face in wearers(picture.faces, who)[0] if face.score > 0]
    matrices = [crop_matrix(face.anchors, template, side) for face in faces]
    size = picture.pixels.shape[1], picture.pixels.shape[0]
    return [
        Look(face, matrix, take(picture.pixels, matrix, side), face.id in picture.treated, size)
        for face, matrix in zip(faces, matrices, strict=True)
    ]
