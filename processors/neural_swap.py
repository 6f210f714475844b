"""Wears a face by a neural network: every tracked face of a frame in one run, laid back over its place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from ..core.errors import BadInputError, UsageError
from ..core.frame import Frame, Matrix, Pixels, Points
from ..core.params import Params
from ..faces import masks
from ..faces.crop import face_alpha, lay_back, moved, soft_box, take
from ..faces.face import Face
from ..faces.templates import crop_matrix
from ..inference.masker import Masker
from ..inference.picture_model import check_model
from ..inference.swapper import Identity, Styles, Swapped, Swapper
from .library import MASK
from .own_identity import OwnIdentities
from .processor import Effect, Picture, Render, Workshop
from .wearer import WHO, UnwearableError, Who, check_who, wearers


class NeuralSwapParams(Params, frozen=True):
    """What can be set while it runs."""

    face: Annotated[
        str, Meta(description="The face to wear: a name from the library; names joined by + are averaged.")
    ] = ""
    model: Annotated[str, Meta(description="The swapper, as `faceswapd models list` names it.")] = (
        "inswapper_128"
    )
    faces: Annotated[Who, Meta(description=WHO)] = "all"
    other_face: Annotated[str, Meta(description="A second face that is blended in; empty for none.")] = ""
    blend: Annotated[
        float,
        Meta(ge=0, le=1, description="How much of the second face.", extra_json_schema={"step": 0.05}),
    ] = 0.5
    strength: Annotated[
        float,
        # Far below it the wearer is recognised; far beyond it lies nobody's face.
        Meta(
            ge=0.5, le=1.5, description="How strongly it is that face: less is drawn to the wearer's own, "
            "more away from it. For models that are told an embedding.",
            extra_json_schema={"step": 0.05},
        ),
    ] = 1.0  # fmt: skip
    boost: Annotated[
        int,
        Meta(
            ge=1, le=4, description="So many times the model's own resolution: boost x boost tiles in one run.",
            extra_json_schema={"step": 1},
        ),
    ] = 1  # fmt: skip
    opacity: Annotated[
        float,
        # Under one half the wearer is recognised, and what is called treated would not be.
        Meta(ge=0.5, le=1, description="How much of it covers the face.", extra_json_schema={"step": 0.05}),
    ] = 1.0
    feather: Annotated[
        float,
        Meta(
            ge=0, le=0.3, description="How soft its edge is, by the width of the crop.",
            extra_json_schema={"step": 0.01},
        ),
    ] = 0.08  # fmt: skip
    keep_mouth: Annotated[bool, Meta(description="Leaves the inside of the wearer's own mouth.")] = False
    occluder: Annotated[
        str,
        Meta(description="A mask model (XSeg) that finds hands and hair before the face; empty for none."),
    ] = ""
    regions: Annotated[
        str, Meta(description="A mask model (BiSeNet) that finds skin, eyes, nose and mouth; empty for none.")
    ] = ""
    morph: Annotated[
        float,
        Meta(
            ge=0, le=1, description="For DeepFaceLive's models: how far towards the worn face.",
            extra_json_schema={"step": 0.05},
        ),
    ] = 1.0  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A face, and where it lies."""

    frame: int
    """Which of the pictures of this run."""
    face: Face
    matrix: Matrix
    """Frame -> crop."""


@dataclass(frozen=True, slots=True)
class _Worn:
    """One identity in one swapper with one set of parameters: the Render of `NeuralSwap`."""

    swapper: Swapper
    styles: Styles
    own: OwnIdentities | None
    """In the place of `styles`, where the wearers' own identities count."""
    params: NeuralSwapParams
    box: masks.Mask
    """What of the crop may be shown, softly, whatever is in it."""
    occluder: Masker | None
    regions: Masker | None

    def __call__(self, picture: Picture) -> Picture:
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The faces of all pictures in one run."""
        # A detector's stand-in has no mesh of its own: it can be covered, not worn on.
        chosen = [wearers(picture.faces, self.params.faces) for picture in pictures]
        done = self._wear(
            [
                _Place(n, face, self._matrix(face))
                for n, (faces, _) in enumerate(chosen)
                for face in faces
                if face.score > 0
            ],
            pictures,
        )
        return [
            replace(
                picture,
                effect=picture.effect | Effect.SWAPPED if done[n] else picture.effect,
                treated=picture.treated.union(done[n]),
                spared=picture.spared.union(face.id for face in left),
            )
            for n, (picture, (_, left)) in enumerate(zip(pictures, chosen, strict=True))
        ]

    def _wear(self, places: Sequence[_Place], pictures: Sequence[Picture]) -> list[list[int]]:
        """Swaps the faces in place; returns for each frame the ids of those of which anything is in the picture."""
        done: list[list[int]] = [[] for _ in pictures]
        if not places:
            return done
        side = self.box.shape[0]
        # All crops are taken before the first is laid back: a face must not be made of its neighbour's swap.
        crops = [take(pictures[place.frame].pixels, place.matrix, side) for place in places]
        # What hides the face is seen in the wearer's own picture, the regions of the worn face in the swapped one.
        before = self.occluder.masks(crops) if self.occluder else None
        swapped = self._swapped(crops, places, pictures)
        after = self.regions.masks([s.picture for s in swapped]) if self.regions else None
        for n, (place, result) in enumerate(zip(places, swapped, strict=True)):
            alpha = whole = self._alpha(place.face.points, place.matrix)
            for mask in (result.mask, before[n] if before else None, after[n] if after else None):
                if mask is not None:
                    alpha = np.asarray(cv2.min(alpha, mask), np.uint8)
            # A face of which its masks leave less than half is not called hidden.
            enough = cv2.sumElems(alpha)[0] >= _ENOUGH * cv2.sumElems(whole)[0]
            if lay_back(pictures[place.frame].pixels, result.picture, alpha, place.matrix) and enough:
                done[place.frame].append(place.face.id)
        return done

    def _swapped(
        self, crops: Sequence[Pixels], places: Sequence[_Place], pictures: Sequence[Picture]
    ) -> list[Swapped]:
        boost, morph = self.params.boost, self.params.morph
        if self.own is None:
            return self.swapper.run(crops, self.styles, boost, morph)
        # Each is told something else, and a swapper is told one thing in a run.
        out = []
        for crop, place in zip(crops, places, strict=True):
            picture = pictures[place.frame]
            came = picture.pixels if picture.original is None else picture.original
            out += self.swapper.run([crop], self.own.styles(place.face, came), boost, morph)
        return out

    def _matrix(self, face: Face) -> Matrix:
        """Frame -> crop."""
        return crop_matrix(face.anchors, self.swapper.family.template, self.box.shape[0])

    def _alpha(self, points: Points, matrix: Matrix) -> masks.Mask:
        """How much of the swapped crop is shown, in the crop."""
        params, side = self.params, self.box.shape[0]
        crop_points = moved(points, matrix)
        alpha = face_alpha(crop_points, self.box, params.feather, params.opacity)
        if not params.keep_mouth:
            return alpha
        hole = np.zeros_like(alpha)
        masks.fill(hole, masks.polygon(crop_points, masks.LIPS_INNER))
        hole = masks.feathered(hole, 0.015 * side)
        return np.asarray(cv2.min(alpha, cv2.bitwise_not(hole)), np.uint8)


class NeuralSwap:
    """The processor."""

    name: ClassVar[str] = "neural_swap"
    help: ClassVar[str] = "Wears a face of the library by a neural network that the user has brought."
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = True
    every_face: ClassVar[bool] = False
    params_type = NeuralSwapParams

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._swapper: Swapper | None = None
        self._last: tuple[str, list[Pixels], list[float], Identity, Styles] | None = None
        """What was made of the photos worn last: most changes are of other parameters."""

    def check(self, params: NeuralSwapParams) -> None:
        """See `Checking`."""
        shelf = self._workshop.models.shelf
        check_model(shelf, params.model, "swapper")
        for mask in (params.occluder, params.regions):
            if mask:
                check_model(shelf, mask, "mask")
        if shelf.family(params.model).identity != "none":
            for name in _names(params):
                self._workshop.wardrobe.photo(name)

    def prepare(self, params: NeuralSwapParams) -> Render:
        """Loads the model and finds the face in its photo.

        Raises UsageError for no face, ModelError with the command that brings a missing model, what the wardrobe
        raises, and BadInputError for a photo without a face.
        """
        check_who(params.faces, self._workshop)
        swapper = self._swapper
        if swapper is None or swapper.model != params.model:
            swapper = Swapper(self._workshop.models, params.model, self._workshop.embedder())
        identity, styles = self._identity(swapper, params)
        own = None
        if params.strength != 1 and identity:
            own = OwnIdentities(swapper, identity, params.strength, keep=self._workshop.live)
        self._swapper = swapper
        box = soft_box(swapper.side * params.boost, max(params.feather, 0.01))
        return _Worn(
            swapper, styles, own, params, box, self._masker(params.occluder), self._masker(params.regions)
        )

    def _masker(self, model: str) -> Masker | None:
        return Masker(self._workshop.models, model) if model else None

    def _identity(self, swapper: Swapper, params: NeuralSwapParams) -> tuple[Identity, Styles]:
        """Who is worn, for swappers that are told an embedding, and what they are told of it."""
        if swapper.family.identity == "none":
            return (), ()
        names = _names(params)
        shares = [1.0 / len(names)] * len(names)
        if _other(params):
            first = len(names) - 1
            shares = [(1 - params.blend) / first] * first + [params.blend]
        # Read each time: the consent may have ended.
        photos = [self._workshop.wardrobe.photo(name) for name in names]
        last = self._last
        if last is not None and last[0] == swapper.model and last[2] == shares and _equal(last[1], photos):
            return last[3:]
        worn = [
            (photo, self._face(photo, name).anchors, share)
            for photo, name, share in zip(photos, names, shares, strict=True)
            if share > 0
        ]
        identity = swapper.identity(worn)
        styles = swapper.told(identity) if identity else swapper.styles(worn)
        self._last = (swapper.model, photos, shares, identity, styles)
        return identity, styles

    def _face(self, photo: Pixels, name: str) -> Face:
        faces = self._workshop.tracker().track(Frame(0, 0, photo), every_frame=False).faces
        if not faces:
            raise BadInputError(
                f"no face in the photo of {name!r}{self._workshop.looked}",
                "use one that shows a face from the front, well lit",
            )
        return max(faces, key=lambda face: face.area)


def _other(params: NeuralSwapParams) -> list[str]:
    """The name of the second face, if it counts."""
    return [params.other_face] if params.other_face and params.blend > 0 else []


def _names(params: NeuralSwapParams) -> list[str]:
    """All faces that are worn, the one that is blended in last. Raises UsageError for none, UnwearableError."""
    names = [name for name in params.face.split("+") if name]
    if not names:
        raise UsageError(
            "neural_swap has no face to wear", "`faceswapd face add` a photo, then set its name as face"
        )
    names += _other(params)
    if MASK in names:
        raise UnwearableError(
            f"neural_swap cannot wear {MASK!r}, which is painted and nobody's face",
            "wear it by mesh_swap, or wear a face that has a photo",
        )
    return names


def _equal(some: Sequence[Pixels], others: Sequence[Pixels]) -> bool:
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


_ENOUGH = 0.5
