"""Wears a face by a neural network: every tracked face of a frame in one run, laid back over its place."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np

from ..core.errors import BadInputError, UsageError
from ..core.frame import Frame, Pixels
from ..faces.crop import soft_box
from ..faces.face import Face
from ..inference.families import Family
from ..inference.masker import Masker
from ..inference.picture_model import check_model
from ..inference.swapper import Identity, Styles, Swapper
from .library import MASK
from .own_identity import OwnIdentities
from .processor import Render, Workshop
from .swapping import LiveSwapping, NeuralSwapParams, Swapping
from .wearer import UnwearableError, check_who


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
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="swap")  # begins with its first work

    def check(self, params: NeuralSwapParams) -> None:
        """See `Checking`."""
        shelf = self._workshop.models.shelf
        check_model(shelf, params.model, "swapper", f"--set {self.name}.model=")
        for mask in (params.occluder, params.regions):
            if mask:
                check_model(shelf, mask, "mask")
        for name in _worn(params, shelf.family(params.model)):
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
        occluder, regions = self._masker(params.occluder), self._masker(params.regions)
        work = Swapping(swapper, styles, own, params, box, occluder, regions)
        if not self._workshop.live or params.every == 1:
            return work
        return LiveSwapping(work, self._thread, self._workshop.budget_ns)

    def _masker(self, model: str) -> Masker | None:
        return Masker(self._workshop.models, model) if model else None

    def _identity(self, swapper: Swapper, params: NeuralSwapParams) -> tuple[Identity, Styles]:
        """Who is worn, for swappers that are told an embedding, and what they are told of it."""
        names = _worn(params, swapper.family)
        if not names:
            return (), ()
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


def _worn(params: NeuralSwapParams, family: Family) -> list[str]:
    """See `_names`; none for a model that is somebody's face itself. Raises UsageError for several faces where the
    model is shown a photo as it is."""
    if family.identity == "none":
        return []
    names = _names(params)
    if family.identity == "picture" and len(names) > 1:
        raise UsageError(
            f"model {params.model} is shown one photo and cannot wear {len(names)} faces in one",
            "name one face and no other_face, or choose a swapper that is told an embedding",
        )
    return names


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
