"""YOLOv8-face: from its numbers to boxes and five points. Pure numpy; safe in any thread.

The network has decoded its anchors itself: 20 numbers for each of them, in pixels of the picture that it was shown.
"""

from collections.abc import Sequence

import numpy as np

from ..core.frame import Points
from .detection import MIN_SCORE

ROWS = 20
"""Box centre x, y, width, height, score, then x, y and confidence of five points."""


def decode(outputs: Sequence[Points], min_score: float = MIN_SCORE) -> tuple[Points, Points, Points]:
    """What is sure enough: N x 4 boxes, N x 5 x 2 points and N scores, in pixels of the picture shown.

    `outputs`: one of 1 x 20 x anchors.
    """
    rows = outputs[0].reshape(ROWS, -1)
    sure = np.flatnonzero(rows[4] >= min_score)
    found = rows[:, sure].T.astype(np.float32)
    centre, half = found[:, :2], found[:, 2:4] / 2
    points = found[:, 5:].reshape(-1, 5, 3)[:, :, :2]
    return np.concatenate([centre - half, centre + half], axis=1), points, found[:, 4]
