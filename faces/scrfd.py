"""SCRFD and the RetinaFace networks of its make: from their numbers to boxes and five points.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection" (2021): in each cell of maps with
strides 8, 16, 32 (or up to 128) one or two anchors, each with a score and, in strides, the way from the cell's
corner to the four sides of the box and, where the network tells them, to the five points. Pure numpy; safe in any
thread.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points
from .detection import MIN_SCORE

Strides = tuple[int, ...]


@lru_cache(maxsize=64)
def corners(width: int, height: int, stride: int, anchors: int) -> Points:
    """The top left corner of each anchor's cell, row by row, in pixels of a `width` x `height` picture; read-only."""
    y, x = np.mgrid[: height // stride, : width // stride].astype(np.float32) * stride
    out = np.stack([x.ravel(), y.ravel()], axis=1).repeat(anchors, axis=0)
    out.flags.writeable = False
    return out


def decode(
    outputs: Sequence[Points],
    size: tuple[int, int],
    strides: Strides = (8, 16, 32),
    min_score: float = MIN_SCORE,
) -> tuple[Points, Points, Points]:
    """What is sure enough: N x 4 boxes, N x 5 x 2 points and N scores, in pixels of the `size` (width, height) shown.

    `outputs`: for every stride its scores, then its boxes, then its points; each row by row, an anchor a line. Without
    points they are N x 0 x 2.
    Raises ValueError where their number is not what the size has anchors for.
    """
    width, height = size
    n = len(strides)
    pointed = len(outputs) > 2 * n
    boxes, points, scores = [], [], []
    for i, stride in enumerate(strides):
        score = outputs[i].reshape(-1)
        cells = (width // stride) * (height // stride)
        anchors, surplus = divmod(len(score), cells) if cells else (0, 1)
        if surplus or not anchors:
            raise ValueError(f"{len(score)} scores for {cells} cells of {stride} pixels")
        sure = np.flatnonzero(score >= min_score)
        if not len(sure):
            continue
        corner = corners(width, height, stride, anchors)[sure]
        way = outputs[n + i].reshape(-1, 4)[sure] * stride
        boxes.append(np.concatenate([corner - way[:, :2], corner + way[:, 2:]], axis=1))
        told = outputs[2 * n + i].reshape(-1, 5, 2)[sure] if pointed else np.empty((len(sure), 0, 2))
        points.append(corner[:, None] + told * stride)
        scores.append(score[sure])
    return together(boxes, points, scores)


def together(
    boxes: Sequence[NDArray[np.floating]],
    points: Sequence[NDArray[np.floating]],
    scores: Sequence[NDArray[np.floating]],
) -> tuple[Points, Points, Points]:
    """What several maps have found as one list; empty arrays of the right shapes for nothing."""
    if not scores:
        return np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32)
    return (
        np.concatenate(boxes).astype(np.float32),
        np.concatenate(points).astype(np.float32),
        np.concatenate(scores).astype(np.float32),
    )
