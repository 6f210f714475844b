"""A swapper and what it needs: the recogniser, the identity of the worn face, all faces of a frame in one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import InferenceError
from ..core.frame import Pixels, Points
from ..faces.crop import interleaved, sampled, take
from ..faces.templates import crop_matrix
from .catalogue import family_of
from .engine import Models, Tensor
from .families import Family
from .shelf import IDENTITY

RECOGNISER = "w600k_r50"
"""All swappers that are told an embedding were trained on this one's, or have a converter from it."""
Styles = tuple[Tensor, ...]
"""What a swapper is told of the worn face in every run: its identity half's outputs, or the source itself."""


class Recogniser:
    """ArcFace: a face as 512 numbers whose direction is who it is."""

    def __init__(self, models: Models, model: str = RECOGNISER) -> None:
        """Blocks. Raises ModelError with the command that brings the model."""
        card = models.shelf.card(model)
        self.family = family_of(card.family)
        self._batch = card.batch
        self._runner = models.load(model)

    def embed(self, crops: Sequence[Pixels]) -> Tensor:
        """N x 512, not normalised, of N crops of 112 x 112. Raises InferenceError."""
        batch = self.family.coding.encode(crops)
        if self._batch:
            return self._runner.run(batch)[0]
        return np.concatenate([self._runner.run(batch[n : n + 1])[0] for n in range(len(batch))])

    def of(self, photo: Pixels, five: Points) -> Tensor:
        """512 numbers of the face whose five points lie there in a photo."""
        crop = take(photo, crop_matrix(five, self.family.template, 112), 112)
        return np.asarray(self.embed([crop])[0], np.float32)


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
        self._models = models
        self.model = model
        card = models.shelf.card(model)
        self.family: Family = family_of(card.family)
        self.side = card.side
        """Of its crop, in pixels."""
        self._batch = card.batch
        self._cut = bool(card.edges)
        self._emap = models.shelf.emap(model) if self.family.identity == "latent" else None
        self._converter = models.load(self.family.converter) if self.family.converter else None
        self._recogniser = Recogniser(models) if self.family.identity not in ("picture", "none") else None
        self._identity = models.load(model + IDENTITY) if self._cut else None
        self._image = models.load(model)

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
        self,
        crops: Sequence[Pixels],
        styles: Styles,
        boost: int = 1,
        extra: Mapping[str, Tensor] | None = None,
    ) -> list[Swapped]:
        """The crops (BGR, `boost` x `side` each way) with the worn face, in as few runs as the model allows.

        With `boost` above 1 each crop is taken apart into boost x boost pictures that interleave. `extra` are
        further inputs by role, after the styles. Raises InferenceError, also where the model gives no numbers.
        """
        tiles = [tile for crop in crops for tile in (sampled(crop, boost) if boost > 1 else [crop])]
        batch = self.family.coding.encode(tiles)
        more = tuple((extra or {}).values())
        if self._batch:
            given = tuple(self._spread(s, len(tiles)) for s in styles)
            outputs = self._image.run(batch, *given, *more)
        else:
            runs = [self._image.run(batch[n : n + 1], *styles, *more) for n in range(len(tiles))]
            outputs = tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))
        if not np.isfinite(outputs[0].sum()):
            raise InferenceError(f"model {self.model} gave no numbers", "try --precision fp32")
        pictures = self.family.result.decode(outputs[0])
        masks = self._masks(outputs, len(tiles))
        if boost == 1:
            return [Swapped(p, m) for p, m in zip(pictures, masks, strict=True)]
        n = boost * boost
        return [Swapped(interleaved(pictures[i : i + n], boost), None) for i in range(0, len(pictures), n)]

    def _masks(self, outputs: tuple[Tensor, ...], count: int) -> Sequence[Pixels | None]:
        if len(self.family.outputs) < 3:
            return [None] * count
        # DeepFaceLive's models tell both where the worn and where the wearer's face is.
        both = np.minimum(np.clip(outputs[1], 0, 1), np.clip(outputs[2], 0, 1))
        return [np.asarray(np.rint(m[..., 0] * 255), np.uint8) for m in both]

    def _spread(self, style: Tensor, count: int) -> Tensor:
        """The styles of a cut model serve any batch; a source has to be given for each picture."""
        return style if self._cut else np.repeat(style, count, axis=0)

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
