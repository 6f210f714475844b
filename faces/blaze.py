"""BlazeFace: from a picture to the detector's square, and from its numbers to boxes and six points.

Formulae: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019), with
the anchors and thresholds of MediaPipe's two published models. Pure numpy; safe in any thread.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from .detection import Detection

Range = Literal["short", "full"]

SIDE: dict[Range, int] = {"short": 128, "full": 192}
"""Side of the square that each detector sees."""
_CELLS: dict[Range, tuple[tuple[int, int], ...]] = {"short": ((16, 2), (8, 6)), "full": ((48, 1),)}
"""(cells per row, anchors per cell) of each layer."""
MIN_SCORE = 0.5
MIN_OVERLAP = 0.3
"""Boxes that overlap more (intersection over union) are votes for one face."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in the detector's square; side = 1."""

    scale: tuple[float, float]
    """Frame pixels per unit of the square, x and y."""
    offset: tuple[float, float]
    """The picture's top left corner in the square, in units of the square."""


@lru_cache(maxsize=2)
def anchors(kind: Range) -> Points:
    """Anchor centres in units of the square: 896 x 2 (short) or 2304 x 2 (full); read-only."""
    layers = []
    for cells, count in _CELLS[kind]:
        centre = ((np.arange(cells) + 0.5) / cells).astype(np.float32)
        y, x = np.meshgrid(centre, centre, indexing="ij")
        layers.append(np.stack([x.ravel(), y.ravel()], axis=1).repeat(count, axis=0))
    out: Points = np.concatenate(layers)
    out.flags.writeable = False
    return out


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """The picture halved as long as its longer side stays at least `side`: a box filter that costs little.

    Going from 720p to a detector's square in one step takes 1.8 ms with `INTER_AREA`, this way 0.4 ms.
    """
    while max(pixels.shape[:2]) >= 2 * side and min(pixels.shape[:2]) >= 2:
        h, w = pixels.shape[:2]
        pixels = np.asarray(cv2.resize(pixels, (w // 2, h // 2), interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


def letterbox(pixels: Pixels, kind: Range, frame_size: tuple[int, int]) -> tuple[Points, Letterbox]:
    """The tensor of a detector, 1 x side x side x 3, RGB in [-1, 1], and where the frame lies in it.

    `pixels` is the frame (BGR) or a smaller copy of it (`shrunk`); `frame_size` = (width, height) of the
    frame, whose pixels the detections are to be in.
    """
    side = SIDE[kind]
    h, w = pixels.shape[:2]
    scale = side / max(w, h)
    tw, th = max(1, round(w * scale)), max(1, round(h * scale))
    x, y = (side - tw) // 2, (side - th) // 2
    small = cv2.resize(pixels, (tw, th), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tensor = np.zeros((1, side, side, 3), np.float32)
    inside = tensor[0, y : y + th, x : x + tw]
    np.multiply(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.float32(1 / 127.5), out=inside)
    inside -= 1
    return tensor, Letterbox((frame_size[0] * side / tw, frame_size[1] * side / th), (x / side, y / side))


def decode(
    kind: Range, regressors: Points, logits: Points, where: Letterbox, min_score: float = MIN_SCORE
) -> list[Detection]:
    """The faces in a detector's output, surest first; overlapping votes are already averaged.

    `regressors` is 1 x A x 16 (box centre offset, width, height, six points, in pixels of the square from
    the anchor's centre), `logits` 1 x A x 1.
    """
    flat = np.clip(logits.reshape(-1), -100, 100)
    sure = np.flatnonzero(flat > -np.log(1 / min_score - 1))
    if not len(sure):
        return []
    sure = sure[np.argsort(-flat[sure], kind="stable")]
    scores = 1 / (1 + np.exp(-flat[sure]))
    values = regressors.reshape(-1, 8, 2)[sure] / SIDE[kind]
    centre, half = values[:, 0] + anchors(kind)[sure], values[:, 1] / 2
    points = values[:, 2:] + anchors(kind)[sure, None]
    votes = np.concatenate([(centre - half)[:, None], (centre + half)[:, None], points], axis=1)
    # Edges of the square to pixel indices of the frame: half a pixel less.
    votes = (votes - where.offset) * where.scale - 0.5
    return [
        Detection(vote[:2].reshape(4).astype(np.float32), vote[2:].astype(np.float32), score)
        for vote, score in _merged(votes, scores)
    ]


def _merged(
    votes: NDArray[np.floating], scores: NDArray[np.floating]
) -> list[tuple[NDArray[np.floating], float]]:
    """Weighted non-maximum suppression: boxes that overlap the best one are averaged by their scores."""
    x0, y0, x1, y1 = votes[:, 0, 0], votes[:, 0, 1], votes[:, 1, 0], votes[:, 1, 1]
    area = np.maximum(x1 - x0, 0) * np.maximum(y1 - y0, 0)
    left = np.arange(len(votes))
    out: list[tuple[NDArray[np.floating], float]] = []
    while len(left):
        best = left[0]
        width = np.minimum(x1[left], x1[best]) - np.maximum(x0[left], x0[best])
        height = np.minimum(y1[left], y1[best]) - np.maximum(y0[left], y0[best])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        same = inter > MIN_OVERLAP * (area[left] + area[best] - inter)
        same[0] = True
        group = left[same]
        out.append((np.average(votes[group], axis=0, weights=scores[group]), float(scores[best])))
        left = left[~same]
    return out
