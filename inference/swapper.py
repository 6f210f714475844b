"""A swapper and what it needs: the recogniser, the identity of the worn face, all faces of a frame in one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..core.frame import Pixels, Points
from ..faces.crop import interleaved, sampled, take
from ..faces.templates import crop_matrix
from .catalogue import family_of
from .engine import Models, Tensor
from .families import Family
from .picture_model import PictureModel, check_model
from .supply import IDENTITY

RECOGNISER = "w600k_r50"
"""Most swappers that are told an embedding were trained on this one's, or have a converter from it."""
Identity = tuple[Tensor, ...]
"""Who a face is: an embedding of each recogniser of a swapper, not normalised."""
Styles = tuple[Tensor, ...]
"""What a swapper is told of the worn face in every run: its identity half's outputs, or the source itself."""


class Embedder(Protocol):
    """Who a face is, as numbers. Any thread."""

    def of(self, photo: Pixels, five: Points) -> Tensor:
        """512 numbers, not normalised, of the face whose five points lie there in a photo. Raises InferenceError."""


class Recogniser:
    """ArcFace: a face as 512 numbers whose direction is who it is."""

    def __init__(self, models: Models, model: str = RECOGNISER, template: str = "") -> None:
        """`template` takes the place of its family's. Blocks. Raises ModelError with the command that brings it."""
        self._model = PictureModel(models, model)
        self._template = template or self._model.family.template

    def of(self, photo: Pixels, five: Points) -> Tensor:
        """512 numbers, not normalised, of the face whose five points lie there in a photo. Raises InferenceError."""
        side = self._model.side
        crop = take(photo, crop_matrix(five, self._template, side), side)
        return np.asarray(self._model.run([crop])[0][0], np.float32)


@dataclass(frozen=True, slots=True)
class Swapped:
    """One crop with the worn face, and where it may be shown."""

    picture: Pixels
    mask: Pixels | None
    """0 to 255, for models that know it themselves."""


class Swapper:
    """A loaded swapper. `run` is for any number of threads."""

    def __init__(self, models: Models, model: str, embedder: Embedder | None = None) -> None:
        """Loads it and all that it needs; blocks. Raises ModelError with the command that brings what is missing.

        `embedder` takes the place of `RECOGNISER`, on which it must have been trained too.
        """
        check_model(models.shelf, model, "swapper")
        card = models.shelf.card(model)
        self.family: Family = family_of(card.family)
        self._emap = models.shelf.emap(model) if self.family.identity == "latent" else None
        self._converter = models.load(self.family.converter) if self.family.converter else None
        self.embeds = self.family.identity not in ("picture", "none")
        """It is told embeddings: identities can be mixed, and drawn towards another."""
        named = self.family.recognisers if self.embeds else ()
        self._recognisers: tuple[Embedder, ...] = tuple(
            embedder
            if embedder is not None and name == RECOGNISER
            else Recogniser(models, name, self.family.source_template)
            for name in named
        )
        self._identity = models.load(model + IDENTITY) if card.edges else None
        self._image = PictureModel(models, model)
        self.model = model
        self.morphs = any(port.role == "morph_value" for port in self._image.inputs)
        """It is told how far to go towards the worn face (DeepFaceLive)."""
        self.side = self._image.side
        """Of its crop, in pixels."""

    def identity(self, worn: Sequence[tuple[Pixels, Points, float]]) -> Identity:
        """Who a face is that is made of these: (photo, five points in it, share), mixed on the sphere.

        Empty for a family that is told no embeddings. Raises InferenceError.
        """
        shares = [share for _, _, share in worn]
        return tuple(mixed([r.of(p, five) for p, five, _ in worn], shares) for r in self._recognisers)

    def told(self, identity: Identity) -> Styles:
        """What every run is told of a face with this identity. Raises InferenceError."""
        return self._styles(self._source(identity))

    def styles(self, worn: Sequence[tuple[Pixels, Points, float]]) -> Styles:
        """What every run is told of a face made of these; a family that takes a picture takes the first photo.

        Raises InferenceError.
        """
        if self.embeds:
            return self.told(self.identity(worn))
        family = self.family
        if family.identity == "none":
            return ()
        photo, five, _ = worn[0]
        side = family.inputs[1].shape[-1]
        assert side is not None, "a family's source picture has a size"
        crop = take(photo, crop_matrix(five, family.source_template, side), side)
        return self._styles(family.source_coding.encode([crop]))

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

    def _styles(self, source: Tensor) -> Styles:
        return self._identity.run(source) if self._identity is not None else (source,)

    def _source(self, identity: Identity) -> Tensor:
        """1 x 512."""
        family, raw = self.family, identity[0]
        match family.identity:
            case "sum":
                return np.asarray(sum(unit(raw) for raw in identity), np.float32)[None]
            case "unit":
                return unit(raw)[None]
            case "latent":
                assert self._emap is not None, "loaded for every family that needs one"
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


def drawn(worn: Identity, own: Identity, strength: float) -> Identity:
    """The worn identity seen from the wearer's own: own + strength * (worn - own), as directions.

    1 is the worn identity, less lies between the two, more lies beyond it: what tells it from the wearer's own is
    overdone. Each embedding keeps the worn one's length. facefusion's weight of 0 to 1 is a strength of 0.65 to
    1.35 (it mixes what the networks are told; here the embeddings are mixed, which lie in one space in every family).
    """
    return tuple(
        unit(np.asarray(strength * unit(w) + (1 - strength) * unit(o))) * np.float32(np.linalg.norm(w))
        for w, o in zip(worn, own, strict=True)
    )
