"""Wearing a swapper's faces: what it makes of the crops of a frame, laid back over their places."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Annotated

import cv2
import numpy as np
from msgspec import Meta

from ..core.frame import Matrix, Points
from ..core.params import Params
from ..faces import masks
from ..faces.crop import face_alpha, lay_back, moved
from ..inference.masker import Masker
from ..inference.swapper import Styles, Swapped, Swapper
from .background import Background
from .bent import Worn
from .look import Look, looks
from .own_identity import OwnIdentities
from .processor import Effect, Picture
from .wearer import WHO, KeepMouth, Opacity, Who, wearers


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
    opacity: Opacity = 1.0
    feather: Annotated[
        float,
        Meta(
            ge=0, le=0.3, description="How soft its edge is, by the width of the crop.",
            extra_json_schema={"step": 0.01},
        ),
    ] = 0.08  # fmt: skip
    keep_mouth: KeepMouth = False
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
    every: Annotated[
        int,
        Meta(
            ge=0, le=60, description="Live: runs the model in every so-many-th frame and bends what it made to the "
            "faces between; 0 in every frame if there is time, else in the background, as often as there is.",
            extra_json_schema={"step": 1},
        ),
    ] = 0  # fmt: skip


@dataclass(frozen=True, slots=True)
class Swapping:
    """One identity in one swapper with one set of parameters: the Render for which every frame stands by itself."""

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
        """The faces of one picture, worn on."""
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The faces of all pictures in one run."""
        looks = [self.looks(picture) for picture in pictures]
        flat = [(look, picture) for some, picture in zip(looks, pictures, strict=True) for look in some]
        # All crops are taken before the first is laid back: a face must not be made of its neighbour's swap.
        swapped = iter(self.swapped([look for look, _ in flat], [picture for _, picture in flat]))
        return [
            self.laid(picture, [(look, next(swapped)) for look in some])
            for picture, some in zip(pictures, looks, strict=True)
        ]

    def looks(self, picture: Picture) -> list[Look]:
        """The crops of the faces that are worn on."""
        return looks(picture, self.params.faces, self.swapper.family.template, self.box.shape[0])

    def swapped(self, looks: Sequence[Look], pictures: Sequence[Picture]) -> list[Swapped]:
        """What the network makes of them, in one run, and where it may be shown; `pictures` are those they are of."""
        if not looks:
            return []
        swapped = self._run(looks, pictures)
        if self.regions is None:
            return swapped
        # The regions of the worn face are seen in the swapped picture.
        regions = self.regions.masks([s.picture for s in swapped])
        return [
            replace(s, mask=region if s.mask is None else np.asarray(cv2.min(s.mask, region), np.uint8))
            for s, region in zip(swapped, regions, strict=True)
        ]

    def laid(self, picture: Picture, faces: Sequence[tuple[Look, Swapped]]) -> Picture:
        """The picture with these faces over their places, in place."""
        done = []
        # What hides a face is seen in the wearer's own picture.
        hiding = self.occluder.masks([look.crop for look, _ in faces]) if self.occluder and faces else None
        for n, (look, swapped) in enumerate(faces):
            alpha = whole = self._alpha(look.face.points, look.matrix)
            for mask in (swapped.mask, hiding[n] if hiding else None):
                if mask is not None:
                    alpha = np.asarray(cv2.min(alpha, mask), np.uint8)
            # A face of which its masks leave less than half is not called hidden.
            enough = cv2.sumElems(alpha)[0] >= _ENOUGH * cv2.sumElems(whole)[0]
            if lay_back(picture.pixels, swapped.picture, alpha, look.matrix) and enough:
                done.append(look.face.id)
        return replace(
            picture,
            effect=picture.effect | Effect.SWAPPED if done else picture.effect,
            treated=picture.treated.union(done),
            spared=picture.spared.union(face.id for face in wearers(picture.faces, self.params.faces)[1]),
        )

    def _run(self, looks: Sequence[Look], pictures: Sequence[Picture]) -> list[Swapped]:
        boost, morph = self.params.boost, self.params.morph
        if self.own is None:
            return self.swapper.run([look.crop for look in looks], self.styles, boost, morph)
        # Each is told something else, and a swapper is told one thing in a run.
        out = []
        for look, picture in zip(looks, pictures, strict=True):
            came = picture.pixels if picture.original is None else picture.original
            out += self.swapper.run([look.crop], self.own.styles(look.face, came), boost, morph)
        return out

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


class LiveSwapping:
    """The same live: where the network is slower than the camera, its faces are bent to the frames between its runs.

    A face that nothing can be bent to (it has just come, it has turned) waits for the network. Any thread.
    """

    def __init__(
        self, work: Swapping, thread: Executor, budget_ns: int, now: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """`thread` works in the background; `budget_ns`: see `Workshop.budget_ns`; `now` tells the time."""
        self._work, self._thread, self._budget_ns, self._now = work, thread, budget_ns, now
        self._every = work.params.every
        self._lock = Lock()
        self._behind = Background(thread, now=now)
        self._kept: dict[int, Worn] = {}
        self._frames = 0
        """Since the network last saw all faces."""
        self._count = 0
        """Frames, in all."""
        self._takes_ns = 0.0
        """A run of the network, all faces together: a running mean."""
        self._quick = True
        """It has time in every frame."""

    def anew(self) -> "LiveSwapping":
        """See `CarryingRender`."""
        return LiveSwapping(self._work, self._thread, self._budget_ns, self._now)

    def __call__(self, picture: Picture) -> Picture:
        """The next picture. Raises what the network failed with, here or behind the frames before."""
        looks = self._work.looks(picture)
        with self._lock:
            # Who is out of sight is forgotten: ids are never used again, and a face that comes back is a new sight.
            self._kept = kept = {n: self._kept[n] for look in looks if (n := look.face.id) in self._kept}
            self._frames += 1
            self._count = number = self._count + 1
            due = self._frames >= self._every if self._every else self._quick
            if due:
                self._frames = 0
        bent: dict[int, Swapped] = {}
        for look in looks:
            # Where a face is held there is a wall by now, or somebody else.
            before = None if due and not look.face.held_ns else kept.get(look.face.id)
            if before is not None and (now := before.now(look)) is not None:
                bent[look.face.id] = Swapped(*now)
        waiting = [look for look in looks if look.face.id not in bent]
        fresh = self._swapped(waiting, picture, number)
        seen = [look for look in looks if not look.face.held_ns]
        if seen and bent and not self._every and self._behind.free:
            self._behind.start(partial(self._swapped, seen, self._untouched(picture), number))
        return self._work.laid(
            picture, [(look, bent.get(look.face.id) or fresh[look.face.id]) for look in looks]
        )

    def _swapped(self, looks: Sequence[Look], picture: Picture, number: int) -> dict[int, Swapped]:
        """By the id of the face; they are kept. `number`: of the frame."""
        if not looks:
            return {}
        began_ns = self._now()
        results = self._work.swapped(looks, [picture] * len(looks))
        took_ns = self._now() - began_ns
        with self._lock:
            self._took(took_ns)
            kept = dict(self._kept)
            for look, result in zip(looks, results, strict=True):
                worn, before = Worn.of(result.picture, result.mask, look, number), kept.get(look.face.id)
                if before is None or worn.follows(before, look):
                    kept[look.face.id] = worn
            self._kept = kept
        return {look.face.id: result for look, result in zip(looks, results, strict=True)}

    def _untouched(self, picture: Picture) -> Picture:
        """What nobody draws on, where the network looks at more than the crops."""
        if self._work.own is None or picture.original is not None:
            return picture
        return replace(picture, original=picture.pixels.copy())

    def _took(self, took_ns: int) -> None:
        self._takes_ns += (took_ns - self._takes_ns) / (_RUNS if self._takes_ns else 1)
        self._quick = self._takes_ns < self._budget_ns * (_STILL if self._quick else _AGAIN)


_ENOUGH = 0.5
_RUNS = 8
"""Of the network, over which its mean time runs."""
_STILL, _AGAIN = 0.9, 0.7
"""Of the budget: what it may take to be run in every frame, and to be so again."""
