"""A swapper and what it needs: the recogniser, the identity of the worn face, all faces of a frame in one run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import UsageError
from ..core.frame import Pixels, Points
from ..faces.crop import interleaved, sampled, take
from ..faces.templates import crop_matrix
from .catalogue import family_of
from .engine import Models, Tensor
from .families import Family
from .picture_model import PictureModel
from .shelf import IDENTITY

RECOGNISER = "w600k_r50"
"""All swappers that are told an embedding were trained on this one's, or have a converter from it."""
Styles = tuple[Tensor, ...]
"""What a swapper is told of the worn face in every run: its identity half's outputs, or the source itself."""


class Recogniser:
    """ArcFace: a face as 512 numbers whose direction is who it is."""

    def __init__(self, models: Models, model: str = RECOGNISER) -> None:
        """Blocks. Raises ModelError with the command that brings the model."""
        self._model = PictureModel(models, model)

    def of(self, photo: Pixels, five: Points) -> Tensor:
        """512 numbers, not normalised, of the face whose five points lie there in a photo. Raises InferenceError."""
        side, template = self._model.side, self._model.family.template
        crop = take(photo, crop_matrix(five, template, side), side)
        return np.asarray(self._model.run([crop])[0][0], np.float32)


@dataclass(frozen=True, slots=True)
class Swapped:
    """One crop with the worn face, and where it may be shown."""

    picture: Pixels
    mask: Pixels | None
    """0 to 255, for models that know it themselves."""


class Swapper:
    """A loaded swapper. `run` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Loads it and all that it needs; blocks. Raises ModelError with the command that brings what is missing."""
        card = models.shelf.card(model)
        self.family: Family = family_of(card.family)
        if self.family.task != "swapper":
            raise UsageError(
                f"model {model} is no swapper but a {self.family.task}", "see `faceswapd models list`"
            )
        self._emap = models.shelf.emap(model) if self.family.identity == "latent" else None
        self._converter = models.load(self.family.converter) if self.family.converter else None
        self._recogniser = Recogniser(models) if self.family.identity not in ("picture", "none") else None
        self._identity = models.load(model + IDENTITY) if card.edges else None
        self._image = PictureModel(models, model)
        self.model = model
        self.morphs = any(port.role == "morph_value" for port in self._image.inputs)
        """It is told how far to go towards the worn face (DeepFaceLive)."""
        self.side = self._image.side
        """Of its crop, in pixels."""

    def styles(self, worn: Sequence[tuple[Pixels, Points, float]]) -> Styles:
        """What every run is told of a face made of these: (photo, five points in it, share).

        Embeddings are mixed by their shares on the sphere; a family that takes a picture takes the first photo.
        Raises InferenceError.
        """
        source = self._source(worn)
        if source is None:
            return ()
        return self._identity.run(source) if self._identity is not None else (source,)

    def run(
        self, crops: Sequence[Pixels], styles: Styles, boost: int = 1, morph: float = 1.0
    ) -> list[Swapped]:
        """The crops (BGR, `boost` x `side` each way) with the worn face, in as few runs as the model allows.

        With `boost` above 1 each crop is taken apart into boost x boost pictures that interleave. `morph` is for
        models that take it. Raises InferenceError, also where the model gives no numbers.
        """
        tiles = [tile for crop in crops for tile in (sampled(crop, boost) if boost > 1 else [crop])]
        cut = self._identity is not None
        extra = (np.full(1, morph, np.float32),) if self.morphs else ()
        outputs = self._image.run(tiles, () if cut else styles, (*(styles if cut else ()), *extra))
        pictures = self.family.result.decode(outputs[0])
        masks = self._masks(outputs, len(tiles))
        if boost == 1:
            return [Swapped(p, m) for p, m in zip(pictures, masks, strict=True)]
        n = boost * boost
        return [
            Swapped(
                interleaved(pictures[i : i + n], boost),
                None
                if (first := masks[i]) is None
                else np.asarray(np.repeat(np.repeat(first, boost, 0), boost, 1)),
            )
            for i in range(0, len(pictures), n)
        ]

    def _masks(self, outputs: tuple[Tensor, ...], count: int) -> Sequence[Pixels | None]:
        if len(self.family.outputs) < 3:
            return [None] * count
        # DeepFaceLive's models tell both where the worn and where the wearer's face is.
        both = np.minimum(np.clip(outputs[1], 0, 1), np.clip(outputs[2], 0, 1))
        return [np.asarray(np.rint(m[..., 0] * 255), np.uint8) for m in both]

    def _source(self, worn: Sequence[tuple[Pixels, Points, float]]) -> Tensor | None:
        family = self.family
        if family.identity == "none":
            return None
        if family.identity == "picture":
            photo, five, _ = worn[0]
            side = family.inputs[1].shape[-1]
            assert side is not None, "a family's source picture has a size"
            crop = take(photo, crop_matrix(five, family.source_template, side), side)
            return family.source_coding.encode([crop])
        assert self._recogniser is not None, "loaded for every family that is told an embedding"
        raw = mixed([self._recogniser.of(p, five) for p, five, _ in worn], [share for _, _, share in worn])
        if family.identity == "unit":
            return unit(raw)[None]
        if self._emap is not None:
            return unit(unit(raw) @ self._emap)[None]
        assert self._converter is not None, "loaded for every family that names one"
        converted = self._converter.run(raw[None])[0]
        return unit(converted[0])[None] if family.identity == "converted_unit" else converted


def unit(vector: Tensor) -> Tensor:
    """The vector with length 1."""
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def mixed(embeddings: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Several embeddings as one: the direction of their weighted mean, with their mean length."""
    total = sum(shares)
    direction = sum(
        (unit(e) * np.float32(s / total) for e, s in zip(embeddings, shares, strict=True)), np.float32(0)
    )
    length = sum(float(np.linalg.norm(e)) * s / total for e, s in zip(embeddings, shares, strict=True))
    return np.asarray(unit(np.asarray(direction)) * np.float32(length), np.float32)
