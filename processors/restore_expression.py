"""Gives a swapped face the expression back that the person had: what a swapper has flattened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from ..core.effect import Effect
from ..core.errors import UsageError
from ..core.frame import Matrix, Pixels
from ..core.params import Params
from ..faces import masks
from ..faces.crop import enlarged, face_alpha, lay_back, moved, soft_box, take
from ..faces.expression import LOWER, UPPER
from ..faces.face import Face
from ..faces.templates import crop_matrix
from ..inference.picture_model import check_model
from ..inference.portrait import PARTS, Portrait
from .processor import Picture, Render, Workshop
from .wearer import WHOSE, Who, check_who, wearers


class RestoreExpressionParams(Params, frozen=True):
    """What can be set while it runs."""

    model: Annotated[
        str,
        Meta(
            description="The name that the three models have in common: NAME_features, _motion, _generator."
        ),
    ] = "live_portrait"
    faces: Annotated[Who, Meta(description=WHOSE)] = "all"
    factor: Annotated[
        float,
        Meta(
            ge=0, le=1, description="How much of the person's own expression comes back.",
            extra_json_schema={"step": 0.05},
        ),
    ] = 0.8  # fmt: skip
    area: Annotated[
        Literal["all", "upper", "lower"],
        Meta(description="Which part of the face: all, upper (brows and eyes) or lower (the mouth)."),
    ] = "all"


_FEATHER = 0.06
_AREAS = {"all": UPPER + LOWER, "upper": UPPER, "lower": LOWER}


@dataclass(frozen=True, slots=True)
class _Restored:
    """The models with one set of parameters: the Render of `RestoreExpression`."""

    portrait: Portrait
    params: RestoreExpressionParams
    box: masks.Mask
    """What of the result may be shown, softly; as large as the result."""

    def __call__(self, picture: Picture) -> Picture:
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The faces of all pictures in one run of each network."""
        touched = [list(self._touched(p)) if self.params.factor > 0 else [] for p in pictures]
        faces = [face for of_picture in touched for face in of_picture]
        if faces:
            self._restore(faces)
        return [
            replace(picture, effect=picture.effect | Effect.RESTORED) if of_picture else picture
            for picture, of_picture in zip(pictures, touched, strict=True)
        ]

    def _touched(self, picture: Picture) -> Iterator["_Touched"]:
        """The faces that another processor has changed: the others have their expression still."""
        portrait, original = self.portrait, picture.original
        if original is None:
            return
        for face in wearers(picture.faces, self.params.faces)[0]:
            # A detector's stand-in has no mesh of its own to align a crop by, and what is held is not there to be seen.
            if face.score > 0 and not face.held_ns:
                matrix = crop_matrix(face.anchors, portrait.template, portrait.side)
                own, worn = (take(pixels, matrix, portrait.side) for pixels in (original, picture.pixels))
                if not np.array_equal(own, worn):
                    yield _Touched(picture.pixels, face, matrix, own, worn)

    def _restore(self, faces: Sequence["_Touched"]) -> None:
        """Each face in its frame, in place."""
        motions = self.portrait.motions([*(f.own for f in faces), *(f.worn for f in faces)])
        now, wanted = [], []
        for theirs, shown in zip(motions[: len(faces)], motions[len(faces) :], strict=True):
            expression = shown.expressing(theirs, self.params.factor, _AREAS[self.params.area])
            now.append(shown.placed())
            wanted.append(shown.placed(expression))
        for face, result in zip(
            faces, self.portrait.moved([f.worn for f in faces], now, wanted), strict=True
        ):
            into = enlarged(face.matrix, len(result) / self.portrait.side)
            alpha = face_alpha(moved(face.face.points, into), self.box, _FEATHER)
            lay_back(face.pixels, result, alpha, into)


@dataclass(frozen=True, slots=True, eq=False)
class _Touched:
    """A face in its frame, and its crops before and after the processors before this one."""

    pixels: Pixels
    face: Face
    matrix: Matrix
    own: Pixels
    worn: Pixels


class RestoreExpression:
    """The processor."""

    name: ClassVar[str] = "restore_expression"
    help: ClassVar[str] = (
        "Gives a swapped face the person's own expression back, by networks the user has brought."
    )
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = False
    every_face: ClassVar[bool] = False
    params_type = RestoreExpressionParams

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._portrait: Portrait | None = None

    def check(self, params: RestoreExpressionParams) -> None:
        """See `Checking`."""
        common, _, last = params.model.rpartition("_")
        if common and last in PARTS:
            raise UsageError(
                f"model {params.model} is one part of three", f"name what they share: model={common}"
            )
        for part in PARTS:
            check_model(self._workshop.models.shelf, f"{params.model}_{part}", "expression")

    def prepare(self, params: RestoreExpressionParams) -> Render:
        """Loads the models. Raises ModelError with the command that brings them, UsageError for others."""
        check_who(params.faces, self._workshop)
        if self._portrait is None or self._portrait.model != params.model:
            self.check(params)
            self._portrait = Portrait(self._workshop.models, params.model)
        return _Restored(self._portrait, params, soft_box(self._portrait.result_side, _FEATHER))
