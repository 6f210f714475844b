"""Restores the whole picture by a neural network: detail comes back, noise and blocks go. Its size stays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from ..core.effect import Effect
from ..core.errors import ModelError
from ..core.frame import Pixels
from ..core.params import Params
from ..inference.picture_model import PictureModel, check_model
from .processor import Picture, Render, Workshop


class EnhanceFrameParams(Params, frozen=True):
    """What can be set while it runs."""

    model: Annotated[str, Meta(description="The frame enhancer, as `faceswapd models list` names it.")] = (
        "real_esrgan_x2"
    )
    blend: Annotated[
        float,
        Meta(ge=0, le=1, description="How much of the restored picture.", extra_json_schema={"step": 0.05}),
    ] = 0.8


TILE = 256
"""Side of what goes in at once, for a network that takes any size. Larger tiles need memory by their area."""
CONTEXT = 16
"""So much of a tile's border serves its middle and is thrown away, or the seams would show."""


@dataclass(frozen=True, slots=True)
class _Enhanced:
    """One model with one set of parameters: the Render of `EnhanceFrame`."""

    model: PictureModel
    side: int
    """Of a tile, in pixels."""
    params: EnhanceFrameParams

    def __call__(self, picture: Picture) -> Picture:
        if self.params.blend == 0:
            return picture
        self._restore(picture.pixels)
        return replace(picture, effect=picture.effect | Effect.RESTORED)

    def _restore(self, pixels: Pixels) -> None:
        height, width = pixels.shape[:2]
        inner = self.side - 2 * CONTEXT
        # Each pixel is written once, but is read by the tiles after it: they must see what came in.
        across, down = -(-width // inner) * inner, -(-height // inner) * inner
        source = np.asarray(
            cv2.copyMakeBorder(
                pixels, CONTEXT, CONTEXT + down - height, CONTEXT, CONTEXT + across - width,
                cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )  # fmt: skip
        for x, y in _places(width, height, inner):
            tile = self._run(np.ascontiguousarray(source[y : y + self.side, x : x + self.side]))
            part = pixels[y : y + inner, x : x + inner]
            result = tile[: part.shape[0], : part.shape[1]]
            part[:] = cv2.addWeighted(result, self.params.blend, part, 1 - self.params.blend, 0)

    def _run(self, tile: Pixels) -> Pixels:
        """The middle of a tile, restored, as large as it was."""
        result = self.model.family.result.decode(self.model.run([tile])[0])[0]
        scale, inner = len(result) // self.side, self.side - 2 * CONTEXT
        middle = result[CONTEXT * scale : -CONTEXT * scale, CONTEXT * scale : -CONTEXT * scale]
        if scale > 1:  # the mean of a whole number of pixels each way: seams stay where they are
            middle = np.asarray(cv2.resize(middle, (inner, inner), interpolation=cv2.INTER_AREA), np.uint8)
        return middle


def _places(width: int, height: int, inner: int) -> Iterator[tuple[int, int]]:
    for y in range(0, height, inner):
        for x in range(0, width, inner):
            yield x, y


class EnhanceFrame:
    """The processor."""

    name: ClassVar[str] = "enhance_frame"
    help: ClassVar[str] = "Restores the whole picture by a neural network that the user has brought."
    needs_faces: ClassVar[bool] = False
    hides_face: ClassVar[bool] = False
    every_face: ClassVar[bool] = False
    params_type = EnhanceFrameParams

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._model: PictureModel | None = None
        self._side = TILE

    def check(self, params: EnhanceFrameParams) -> None:
        """See `Checking`."""
        check_model(self._workshop.models.shelf, params.model, "frame enhancer", f"--set {self.name}.model=")

    def prepare(self, params: EnhanceFrameParams) -> Render:
        """Loads the model and runs it once. Raises ModelError with the command that brings it, and for one that
        does not enlarge by a whole number; UsageError for no frame enhancer.
        """
        model = self._model
        if model is None or model.model != params.model:
            self.check(params)
            model = PictureModel(self._workshop.models, params.model)
            side = model.side or TILE
            _check(model, side)
            self._model, self._side = model, side
        return _Enhanced(model, self._side, params)


def _check(model: PictureModel, side: int) -> None:
    height, width = model.run([np.zeros((side, side, 3), np.uint8)])[0].shape[2:]
    if height != width or height % side or side <= 2 * CONTEXT:
        raise ModelError(
            f"model {model.model} makes {width}x{height} of {side}x{side}",
            "a frame enhancer enlarges by a whole number, tiles of more than 32 pixels",
        )
