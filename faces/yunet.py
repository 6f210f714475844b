"""YuNet: from its numbers to boxes and five points.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023), in the export of OpenCV's model zoo: one anchor
in each cell of three maps. The score is the root of class times objectness, as OpenCV's own FaceDetectorYN has it.
Pure numpy; safe in any thread.
"""

from collections.abc import Sequence

import numpy as np

from ..core.frame import Points
from .scrfd import Strides, corners, together

MIN_SCORE = 0.7071
"""Class times objectness of one half; OpenCV's own default, 0.9, is for pictures in which faces stand upright."""


def decode(
    outputs: Sequence[Points],
    size: tuple[int, int],
    strides: Strides = (8, 16, 32),
    min_score: float = MIN_SCORE,
) -> tuple[Points, Points, Points]:
    """What is sure enough: N x 4 boxes, N x 5 x 2 points and N scores, in pixels of the `size` (width, height) shown.

    `outputs`: for every stride its classes, then its objectness, its boxes and its points. A box is its centre and
    the logarithm of its sides, in strides; a point the way from the cell's corner. Raises ValueError where their
    number is not what the size has cells for.
    """
    width, height = size
    n = len(strides)
    boxes, points, scores = [], [], []
    for i, stride in enumerate(strides):
        classes, objects = outputs[i].reshape(-1), outputs[n + i].reshape(-1)
        if len(classes) != (width // stride) * (height // stride):
            raise ValueError(f"{len(classes)} scores for cells of {stride} pixels in {width}x{height}")
        score = np.sqrt(np.clip(classes, 0, 1) * np.clip(objects, 0, 1))
        sure = np.flatnonzero(score >= min_score)
        if not len(sure):
            continue
        corner = corners(width, height, stride, 1)[sure]
        box = outputs[2 * n + i].reshape(-1, 4)[sure]
        centre, half = corner + box[:, :2] * stride, np.exp(box[:, 2:]) * (stride / 2)
        boxes.append(np.concatenate([centre - half, centre + half], axis=1))
        points.append(corner[:, None] + outputs[3 * n + i].reshape(-1, 5, 2)[sure] * stride)
        scores.append(score[sure])
    return together(boxes, points, scores)
