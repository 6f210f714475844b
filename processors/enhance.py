"""Restores faces by a neural network: sharper eyes, skin and hair, after a swap or without one."""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from ..core.frame import Pixels
from ..core.params import Params
from ..faces import masks
from ..faces.crop import enlarged, face_alpha, lay_back, moved, soft_box
from ..inference.picture_model import PictureModel, check_model
from .background import Background
from .carry import Restored
from .look import Look, looks
from .processor import Effect, Picture, Render, Workshop
from .wearer import WHOSE, Who, check_who


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
    every: Annotated[
        int,
        Meta(
            ge=0, le=60, description="Live: restores a face in every so-many-th frame and carries it to those between; "
            "0 in the background, as often as there is time.",
            extra_json_schema={"step": 1},
        ),
    ] = 0  # fmt: skip


_FEATHER = 0.06
_AUTO = 0


@dataclass(frozen=True, slots=True)
class _Enhanced:
    """One model with one set of parameters: the Render of `Enhance`, for which every frame stands by itself."""

    model: PictureModel
    params: EnhanceParams
    box: masks.Mask
    """What of the result may be shown, softly; as large as the result."""

    def __call__(self, picture: Picture) -> Picture:
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The faces of all pictures in one run."""
        looks = [self.looks(picture) for picture in pictures]
        restored = iter(self.restored([look for some in looks for look in some]))
        out = []
        for picture, some in zip(pictures, looks, strict=True):
            for look in some:
                self.lay(picture.pixels, next(restored), None, look)
            out.append(marked(picture) if some else picture)
        return out

    def looks(self, picture: Picture) -> list[Look]:
        """The crops of the faces that are restored in a picture."""
        if self.params.blend == 0:
            return []
        found = looks(picture, self.params.faces, self.model.family.template, self.model.side)
        # Where a face is held there is a wall by now: only what hides it there looks like one.
        return [look for look in found if look.treated or not look.face.held_ns]

    def restored(self, looks: Sequence[Look]) -> list[Pixels]:
        """What the network makes of them, in one run."""
        if not looks:
            return []
        # CodeFormer and VQFR take it alike, some exports as a vector of one number, others as a scalar.
        shared = [
            np.full([n or 1 for n in port.shape], self.params.fidelity, port.dtype)
            for port in self.model.inputs
        ]
        outputs = self.model.run([look.crop for look in looks], shared=shared)
        return self.model.family.result.decode(outputs[0])

    def lay(self, pixels: Pixels, result: Pixels, share: masks.Mask | None, look: Look) -> None:
        """Lays a restored face back over its place, in place; `share` tells how much of it is shown where: all."""
        into = enlarged(look.matrix, len(result) / self.model.side)
        box = self.box if len(self.box) == len(result) else soft_box(len(result), _FEATHER)
        alpha = face_alpha(moved(look.face.points, into), box, _FEATHER, self.params.blend)
        if share is not None:
            alpha = np.asarray(cv2.multiply(alpha, share, scale=1 / 255), np.uint8)
        lay_back(pixels, result, alpha, into)


class _Live:
    """The same live: a face is restored now and then, and carried to the frames between. Any thread."""

    def __init__(self, work: _Enhanced, thread: Executor) -> None:
        """`thread` works in the background, where no number of frames is said."""
        self._work, self._thread = work, thread
        self._every = work.params.every
        self._lock = Lock()
        self._behind = Background(thread, rest=1.0)  # the swap and the camera need the cores too
        self._kept: dict[int, Restored] = {}
        self._frames = 0
        """Since all faces were restored."""

    def anew(self) -> "_Live":
        """See `CarryingRender`."""
        return _Live(self._work, self._thread)

    def __call__(self, picture: Picture) -> Picture:
        looks = self._work.looks(picture)
        if not looks:
            return picture
        with self._lock:
            # Who is out of sight is forgotten: ids are never used again, and a face that comes back is a new sight.
            self._kept = kept = {n: self._kept[n] for look in looks if (n := look.face.id) in self._kept}
            self._frames += 1
            due = self._frames >= self._every > _AUTO
            if due:
                self._frames = 0
        carried: dict[int, tuple[Pixels, masks.Mask]] = {}
        for look in looks:
            before = kept.get(look.face.id)
            if before is not None and (now := before.now(look)) is not None:
                carried[look.face.id] = now
        anew: dict[int, Pixels] = {}
        if self._every == _AUTO:
            self._behind.start(partial(self._restore, looks))
        else:
            fresh = [look for look in looks if due or look.face.id not in carried]
            anew = self._restore(fresh)
        for look in looks:
            n = look.face.id
            if n in anew:
                self._work.lay(picture.pixels, anew[n], None, look)
            elif n in carried:
                self._work.lay(picture.pixels, *carried[n], look)
        return marked(picture) if anew or carried else picture

    def _restore(self, looks: Sequence[Look]) -> dict[int, Pixels]:
        results = self._work.restored(looks)
        fresh = {look.face.id: Restored.of(r, look) for look, r in zip(looks, results, strict=True)}
        with self._lock:
            self._kept = {**self._kept, **fresh}
        return {look.face.id: result for look, result in zip(looks, results, strict=True)}


def marked(picture: Picture) -> Picture:
    """The picture, said to hold a restored face."""
    return replace(picture, effect=picture.effect | Effect.RESTORED)


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
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="enhance")  # begins with its first work

    def check(self, params: EnhanceParams) -> None:
        """See `Checking`."""
        check_model(self._workshop.models.shelf, params.model, "enhancer", f"--set {self.name}.model=")

    def prepare(self, params: EnhanceParams) -> Render:
        """Loads the model. Raises ModelError with the command that brings it, UsageError for no enhancer."""
        check_who(params.faces, self._workshop)
        model = self._model
        if model is None or model.model != params.model:
            self.check(params)
            self._model = model = PictureModel(self._workshop.models, params.model)
        side = model.family.outputs[0].shape[-1]
        assert side is not None, "a family's result has a size"
        work = _Enhanced(model, params, soft_box(side, _FEATHER))
        return _Live(work, self._thread) if self._workshop.live and params.every != 1 else work
