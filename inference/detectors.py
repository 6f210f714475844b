"""The detectors: the bundled pair, and those that the user has brought. See `faces.detection.Detector`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from ..core.errors import InferenceError, ModelError, UsageError
from ..core.frame import Pixels, Points
from ..faces import blaze, scrfd, yoloface, yunet
from ..faces.detection import STEP, Detection, fitted, suppressed
from ..faces.track import unexplained
from .catalogue import family_of
from .engine import Models, Tensor
from .picture_model import check_model
from .shaped_model import ShapedModel
from .shelf import Shelf

KINDS: tuple[blaze.Range, ...] = ("full", "short")
"""The full-range detector finds faces from a tenth of the frame's height; the short-range one finds those
that fill the frame or lie on their side, which the other misses."""
SIDE = 640
"""What a detector of any size is shown, where nothing else is asked for: the longer side, in pixels."""

_scrfd_five = partial(scrfd.decode, strides=(8, 16, 32, 64, 128))

Decode = Callable[[Sequence[Tensor], tuple[int, int]], tuple[Points, Points, Points]]

DECODERS: Mapping[str, Decode] = MappingProxyType(
    {
        "scrfd": scrfd.decode,
        "scrfd_five": _scrfd_five,
        "scrfd_boxes": scrfd.decode,
        "scrfd_five_boxes": _scrfd_five,
        "yunet": yunet.decode,
        "yoloface": lambda outputs, _: yoloface.decode(outputs),
    }
)
"""{family: from its outputs and the (width, height) shown to boxes, points and scores}."""


class BlazePair:
    """The bundled detectors. Without `thorough` one of them looks, in turn."""

    def __init__(self, models: Models) -> None:
        """Loads both (blocks; raises ModelError)."""
        self._models = {
            kind: ShapedModel(models.load(f"blaze_{kind}"), blaze.SIDE[kind], (1, n, 16), (1, n, 1))
            for kind, n in ((kind, len(blaze.anchors(kind))) for kind in KINDS)
        }
        self._turns = 0

    def detect(self, pixels: Pixels, thorough: bool) -> list[Detection]:
        """See `Detector.detect`."""
        self._turns += 1
        size = (pixels.shape[1], pixels.shape[0])
        small = blaze.shrunk(pixels, max(blaze.SIDE.values()))
        found: list[Detection] = []
        for kind in KINDS if thorough else KINDS[self._turns % 2 :][:1]:
            tensor, where = blaze.letterbox(small, kind, size)
            regressors, logits = self._models[kind].run(tensor)
            seen = blaze.decode(kind, regressors, logits, where)
            found += unexplained(seen, [d.box for d in found])
        return found


def check_detector(shelf: Shelf, model: str, side: int = 0) -> None:
    """Without loading it: raises as `check_model`, and UsageError for a size that it cannot be shown."""
    check_model(shelf, model, "detector")
    own = shelf.card(model).side
    if side and own and side != own:
        raise UsageError(f"detector {model} takes {own} pixels a side, not {side}", "leave detector_side out")
    if side < 0 or side % STEP:
        raise UsageError(f"detector_side {side}", f"give a multiple of {STEP}: 320, 480, 640, 960")


class ShelfDetector:
    """A detector of the user's. Every look is thorough. `detect` is for any number of threads."""

    def __init__(self, models: Models, model: str, side: int = 0) -> None:
        """`side`: of the square that a detector of any size is shown; 0 takes `SIDE`.

        Loads it and runs it once on black (blocks). Raises ModelError with the command that brings the model,
        and UsageError for one that is no detector or does not take that size.
        """
        check_detector(models.shelf, model, side)
        card = models.shelf.card(model)
        family = family_of(card.family)
        self.model = model
        self.side = card.side or side or SIDE
        self._square = card.side > 0
        self._coding = family.coding
        self._decode = DECODERS[card.family]
        self._runner = models.load(model)
        try:
            self.detect(np.zeros((self.side, self.side, 3), np.uint8), thorough=True)
        except InferenceError as error:
            raise ModelError(
                f"detector {model} does not run on {self.side} x {self.side} pixels ({error.what})",
                "choose another detector_side, or another detector",
            ) from error

    def detect(self, pixels: Pixels, thorough: bool) -> list[Detection]:  # noqa: ARG002
        """See `Detector.detect`. Raises InferenceError, also where the model gives no numbers."""
        shown = fitted(pixels, self.side, square=self._square)
        height, width = shown.pixels.shape[:2]
        outputs = self._runner.run(self._coding.encode([shown.pixels]))
        # No number is no face: silence would show whom the detector is there to find.
        if not all(np.isfinite(output.sum()) for output in outputs):
            raise InferenceError(
                f"detector {self.model} gave no numbers", "choose another engine or detector"
            )
        try:
            boxes, points, scores = self._decode(outputs, (width, height))
        except ValueError as error:
            raise InferenceError(f"detector {self.model} gave {error}", "choose another detector") from error
        boxes, points = boxes / np.float32(shown.scale), points / np.float32(shown.scale)
        return [Detection(boxes[i], points[i], float(scores[i])) for i in suppressed(boxes, scores)]
