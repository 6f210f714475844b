"""A picture laid over a part of another, in whole numbers and within that part only."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels


def paste(target: Pixels, x: int, y: int, overlay: NDArray[Any], alpha: NDArray[Any]) -> None:
    """Blends `overlay` into `target` in place, its upper left corner at (x, y).

    overlay: BGR, h x w x 3, uint8. alpha: h x w, uint8; 0 keeps the target's pixel exactly, 255 replaces it. What
    reaches over the target's border is cut off.
    """
    height, width = target.shape[:2]
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + overlay.shape[1], width), min(y + overlay.shape[0], height)
    if x1 <= x0 or y1 <= y0:
        return
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    under = target[y0:y1, x0:x1]
    weight = cv2.cvtColor(alpha[part], cv2.COLOR_GRAY2BGR)
    above = cv2.multiply(overlay[part], weight, scale=1 / 255)
    below = cv2.multiply(under, cv2.bitwise_not(weight), scale=1 / 255)
    cv2.add(above, below, dst=under)
