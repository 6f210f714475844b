"""What a detector sees of a face, whatever the detector, and how a frame is brought into its square.

Pure numpy and OpenCV; safe in any thread.
"""

from dataclasses import dataclass, replace
from math import pi
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from .align import Roi, roi_of_box

MIN_SCORE = 0.5
"""Below it nothing is taken for a face: what insightface and most others ask for."""
MAX_OVERLAP = 0.4
"""Of two boxes that overlap more (intersection over union) the less sure one is dropped."""
STEP = 32
"""Networks with a stride of up to 32 take pictures whose sides are multiples of it."""
TURNS = 8
"""In so many directions a face is looked for whose eyes no detector has told."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face as a detector sees it, in frame space."""

    box: Points
    """x0, y0, x1, y1: from the brows or the hairline to the chin."""
    keypoints: Points
    """Right eye (left in the picture), left eye, nose, then the mouth and the right and left ear (6 x 2), or
    the right and left corner of the mouth (5 x 2); none (0 x 2) where the detector tells no more than boxes."""
    score: float

    @property
    def roi(self) -> Roi:
        """The crop of the face; as if it stood upright, where nothing tells."""
        right_eye, left_eye = self.keypoints[:2] if len(self.keypoints) else (self.box[:2], self.box[[2, 1]])
        return roi_of_box(self.box, right_eye, left_eye)

    @property
    def rois(self) -> tuple[Roi, ...]:
        """The crops in which the mesh is to be looked for: where nothing tells how the face stands, `TURNS`."""
        roi = self.roi
        turns = 1 if len(self.keypoints) else TURNS
        return tuple(replace(roi, angle=roi.angle + n * 2 * pi / TURNS) for n in range(turns))


class Detector(Protocol):
    """Finds faces in frames. One thread at a time, frames in their order: it may keep a turn between them."""

    def detect(self, pixels: Pixels, thorough: bool) -> list[Detection]:
        """The faces of a frame (BGR), each once, in its pixels.

        `thorough`: nobody may be missed; without it a detector of several may look with one of them.
        Raises InferenceError.
        """


@dataclass(frozen=True, slots=True)
class Fit:
    """A frame as a detector is shown it: at the top left of a black picture."""

    pixels: Pixels
    """BGR."""
    scale: float
    """Pixels of this picture for one of the frame, in both directions."""


def fitted(pixels: Pixels, side: int, *, square: bool) -> Fit:
    """The frame, larger or smaller, within `side` x `side`; without `square` only as high and wide as it has to be.

    As insightface does it: the shorter side is rounded down and yet has the longer one's scale, so that a box may
    be wrong by as much as one pixel of this picture; the mesh that follows mends it.
    """
    height, width = pixels.shape[:2]
    if height > width:
        rows, columns = side, max(1, int(side / (height / width)))
    else:
        rows, columns = max(1, int(side * (height / width))), side
    small = cv2.resize(pixels, (columns, rows))
    canvas = np.zeros((side, side, 3) if square else (_whole(rows), _whole(columns), 3), np.uint8)
    canvas[:rows, :columns] = small
    return Fit(canvas, rows / height)


def suppressed(boxes: Points, scores: Points, max_overlap: float = MAX_OVERLAP) -> NDArray[np.intp]:
    """Which of N x 4 boxes stay, surest first: none overlaps a surer one by more than `max_overlap`.

    Greedy non-maximum suppression. Boxes are in frame space: sides are counted as its pixels are (x1 - x0 + 1), as in
    insightface's.
    """
    left = np.argsort(-scores, kind="stable")
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0 + 1) * (y1 - y0 + 1)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        width = np.minimum(x1[left], x1[best]) - np.maximum(x0[left], x0[best]) + 1
        height = np.minimum(y1[left], y1[best]) - np.maximum(y0[left], y0[best]) + 1
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        left = left[inter <= max_overlap * (area[best] + area[left] - inter)]
    return np.array(kept, np.intp)


def _whole(pixels: int) -> int:
    return -(-pixels // STEP) * STEP
