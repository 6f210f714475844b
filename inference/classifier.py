"""An attribute model of the user's: sex and age of all faces of a frame, in one run where the model can."""

from collections.abc import Sequence

from ..core.frame import Pixels
from ..faces import attributes, landmarks
from ..faces.attributes import Attributes
from ..faces.crop import take
from ..faces.face import Face
from ..faces.templates import crop_matrix
from .engine import Models
from .picture_model import PictureModel, check_model


class Classifier:
    """A loaded attribute model. `look` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings the model, UsageError for another kind of model."""
        check_model(models.shelf, model, "attributes")
        self._model = PictureModel(models, model)

    def look(self, pixels: Pixels, faces: Sequence[Face]) -> list[Attributes]:
        """One look at each face of a frame (BGR). Raises InferenceError."""
        if not faces:
            return []
        side, family = self._model.side, self._model.family
        if family.name == "fairface":
            crops = [take(pixels, crop_matrix(face.anchors, family.template, side), side) for face in faces]
            # The first output is a guess at race: nothing here reads it.
            _, sexes, ages = self._model.run(crops)
            return [attributes.decode_fairface(int(s), int(a)) for s, a in zip(sexes, ages, strict=True)]
        squares = [landmarks.square(face, family.reach) for face in faces]
        numbers = self._model.run([landmarks.crop(pixels, roi, side) for roi in squares])[0]
        return [attributes.decode_genderage(row) for row in numbers]
