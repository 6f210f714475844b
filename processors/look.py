"""A face as a network is given it."""

from dataclasses import dataclass

from ..core.frame import Matrix, Pixels
from ..faces.crop import take
from ..faces.face import Face
from ..faces.templates import crop_matrix
from .processor import Picture
from .wearer import Who, wearers


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One face of one frame, as a network is given it."""

    face: Face
    matrix: Matrix
    """Frame -> crop."""
    crop: Pixels
    treated: bool = False
    """The face in it has been hidden or replaced: it is no longer its owner's."""


def looks(picture: Picture, who: Who, template: str, side: int) -> list[Look]:
    """The crops (`side` x `side`, aligned by `template`) of those in a picture of whom `who` speaks."""
    # A detector's stand-in has no mesh of its own: it can be covered, and no crop be aligned by it.
    faces = [face for face in wearers(picture.faces, who)[0] if face.score > 0]
    matrices = [crop_matrix(face.anchors, template, side) for face in faces]
    return [
        Look(face, matrix, take(picture.pixels, matrix, side), face.id in picture.treated)
        for face, matrix in zip(faces, matrices, strict=True)
    ]
