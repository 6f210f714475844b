"""Restores faces by a neural network: sharper eyes, skin and hair, after a swap or without one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from ..core.errors import UsageError
from ..core.frame import Pixels
from ..core.params import Params
from ..faces import masks
from ..faces.crop import enlarged, face_alpha, lay_back, moved, soft_box, take
from ..faces.face import Face
from ..faces.templates import crop_matrix
from ..inference.picture_model import PictureModel
from .processor import Picture, Render, Workshop
from .wearer import WHOSE, Who, check_who, wearers


class EnhanceParams(Params, frozen=True):
    """What can be set while it runs."""

    model: Annotated[str, Meta(description="The enhancer, as `faceswapd models list` names it.")] = (
        "gfpgan_1.4"
    )
    faces: Annotated[Who, Meta(description=WHOSE)] = "all"
    blend: Annotated[
        float,
        Meta(ge=0, le=1, description="How much of the restored face.", extra_json_schema={"step": 0.05}),
    ] = 0.8
    fidelity: Annotated[
        float,
        Meta(
            ge=0, le=1, description="For CodeFormer and VQFR: 0 is the finest face, 1 the one most like itself.",
            extra_json_schema={"step": 0.05},
        ),
    ] = 0.5  # fmt: skip


_FEATHER = 0.06


@dataclass(frozen=True, slots=True)
class _Enhanced:
    """One model with one set of parameters: the Render of `Enhance`."""

    model: PictureModel
    params: EnhanceParams
    box: masks.Mask
    """What of the result may be shown, softly; as large as the result."""

    def __call__(self, picture: Picture) -> Picture:
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The faces of all pictures in one run."""
        if self.params.blend > 0:
            # A detector's stand-in has no mesh of its own to align a crop by.
            chosen = [(p.pixels, wearers(p.faces, self.params.faces)[0]) for p in pictures]
            self._restore([(pixels, face) for pixels, faces in chosen for face in faces if face.score > 0])
        return list(pictures)

    def _restore(self, faces: Sequence[tuple[Pixels, Face]]) -> None:
        """Each face in its frame, in place."""
        if not faces:
            return
        side, family = self.model.side, self.model.family
        matrices = [crop_matrix(face.anchors, family.template, side) for _, face in faces]
        crops = [take(pixels, matrix, side) for (pixels, _), matrix in zip(faces, matrices, strict=True)]
        # CodeFormer and VQFR take it alike, the one as a vector of one number, the other as a scalar.
        shared = [
            np.full([n or 1 for n in port.shape], self.params.fidelity, port.dtype)
            for port in self.model.inputs
        ]
        results = family.result.decode(self.model.run(crops, shared=shared)[0])
        for (pixels, face), matrix, result in zip(faces, matrices, results, strict=True):
            into = enlarged(matrix, len(result) / side)
            alpha = face_alpha(moved(face.points, into), self.box, _FEATHER, self.params.blend)
            lay_back(pixels, result, alpha, into)


class Enhance:
    """The processor."""

    name: ClassVar[str] = "enhance"
    help: ClassVar[str] = "Restores faces by a neural network that the user has brought."
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = False
    every_face: ClassVar[bool] = False
    params_type = EnhanceParams

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._model: PictureModel | None = None

    def prepare(self, params: EnhanceParams) -> Render:
        """Loads the model. Raises ModelError with the command that brings it, UsageError for no enhancer."""
        check_who(params.faces, self._workshop)
        model = self._model
        if model is None or model.model != params.model:
            model = PictureModel(self._workshop.models, params.model)
            if model.family.task != "enhancer":
                raise UsageError(
                    f"model {params.model} is no enhancer but a {model.family.task}",
                    "see `faceswapd models list`",
                )
            self._model = model
        side = model.family.outputs[0].shape[-1]
        assert side is not None, "a family's result has a size"
        return _Enhanced(model, params, soft_box(side, _FEATHER))
