"""The light of one picture put onto another: gains that vary slowly over a face.

All pictures here are small (a cell of a `warp.Grid` a pixel), float32, BGR as displayed, 0 to 255. Both faces of a
comparison are weighted alike, so that eyes, mouth and surroundings can be left out of it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points

Small = NDArray[np.float32]
"""rows x columns x 3, or rows x columns for weights."""

LIMIT = 4.0
"""No gain is larger, or smaller than its inverse: beyond that there is noise rather than a face."""


def low(picture: Small, weight: Small, radius: float) -> Small:
    """The weighted mean around each pixel, within about `radius`; far from all weight, the mean of the whole."""
    side = max(1, round(radius)) | 1
    total = float(weight.sum())
    if total <= 0:
        return np.full_like(picture, 128.0)
    weighted = picture * weight[..., None]
    mean = weighted.sum(axis=(0, 1)) / np.float32(total)
    # A hundredth of the weight of a full neighbourhood: enough to decide where there is nothing else.
    faint = np.float32(0.01)
    above, below = _smooth(weighted, side), _smooth(weight, side)[..., None]
    return np.asarray((above + faint * mean) / (below + faint), np.float32)


def matching(source: Small, target: Small, weight: Small, radius: float, strength: float) -> Small:
    """The gains, rows x columns x 3, that give `source` the colour and the light that `target` has there.

    weight: 0 to 1, where both are to be compared. radius: in pixels, how slowly the gains vary. strength: 0
    for gains of 1, 1 for the whole way.
    """
    if strength <= 0:
        return np.ones_like(source)
    gains = (low(target, weight, radius) + 1) / (low(source, weight, radius) + 1)
    return _limited(gains, strength)


def lighting(target: Small, weight: Small, radius: float, strength: float, bright: float = 150.0) -> Small:
    """The gains, rows x columns x 3, that light a thing of its own colour as the face in its place is lit.

    Shadows come over whole, the scene's exposure by half: what is dark may as well be the face as the
    light. bright: the luma of a well lit face, which leaves colours as they are.
    """
    if strength <= 0:
        return np.ones_like(target)
    luma = np.asarray(cv2.cvtColor(target, cv2.COLOR_BGR2GRAY)[..., None], np.float32)
    total = float(weight.sum())
    mean = float((luma[..., 0] * weight).sum()) / total if total > 0 else bright
    field = low(luma, weight, radius) if total > 0 else np.full_like(luma, bright)
    gains = (field + 1) / np.float32(mean + 1) * np.float32(np.sqrt((mean + 1) / (bright + 1)))
    return np.repeat(_limited(gains, strength), 3, axis=2)


def _limited(gains: Points, strength: float) -> Small:
    return np.asarray(np.clip(gains, 1 / LIMIT, LIMIT) ** np.float32(strength), np.float32)


def _smooth(picture: Small, side: int) -> Small:
    border = cv2.BORDER_REPLICATE
    once = cv2.blur(picture, (side, side), borderType=border)
    twice = cv2.blur(once, (side, side), borderType=border)
    return np.asarray(twice.reshape(picture.shape), np.float32)
