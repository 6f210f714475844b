"""Landmark models: the square they are shown, the numbers they give, and the five points that align a face by them.

Crop and arithmetic are those of insightface's `Landmark` (106 and 68 points) and of facefusion's 2dfan4. Pure
functions; safe in any thread.
"""

from math import atan2, pi

import cv2
import numpy as np

from ..core.frame import Pixels, Points
from .align import EYE_CORNERS, Roi
from .face import Face

DARK = 30.0
"""Mean lightness (L of Lab, 0 to 255) below which a crop's contrast is raised for 2dfan4. facefusion's."""
_CONTRAST = 2.0
"""The clip limit of that."""
SURE = 0.9
"""Mean height of 2dfan4's heatmaps that counts as certain. facefusion's."""
_FAN_CELLS = 64
"""Side of 2dfan4's heatmaps, in whose cells its points are told."""
_FIVE_OF_68 = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (30,), (48,), (54,))
"""The rims of both eyes, the tip of the nose, the corners of the mouth."""
_FIVE_OF_106 = ((38,), (88,), (86,), (52,), (61,))
"""Both pupils, the tip of the nose, the corners of the mouth; the same as Deep-Live-Cam takes."""


def square(face: Face, reach: float) -> Roi:
    """The square around the middle of a face's box, `reach` times its longer side.

    It stands as the frame does, for so the models were trained; a head that lies on its side is turned by
    whole quarters.
    """
    x0, y0, x1, y1 = map(float, face.box)
    (rx, ry), (lx, ly) = face.points[EYE_CORNERS, :2].tolist()
    quarters = round(atan2(ly - ry, lx - rx) / (pi / 2))
    side = max(reach * max(x1 - x0, y1 - y0), 1.0)
    return Roi((x0 + x1) / 2, (y0 + y1) / 2, side, quarters * pi / 2)


def crop(pixels: Pixels, roi: Roi, side: int) -> Pixels:
    """The square as `side` x `side` pixels (BGR), black outside of the frame; sampled as in training, bilinearly."""
    return np.asarray(
        cv2.warpAffine(pixels, roi.matrix(side), (side, side), flags=cv2.INTER_LINEAR), np.uint8
    )


def brightened(picture: Pixels) -> Pixels:
    """A dark crop with more contrast; any other as it is."""
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2Lab)
    lightness = cv2.extractChannel(lab, 0)
    if cv2.mean(lightness)[0] >= DARK:
        return picture
    lightness = cv2.createCLAHE(clipLimit=_CONTRAST).apply(lightness)
    cv2.insertChannel(lightness, lab, 0)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2BGR), np.uint8)


def decode_106(numbers: Points, side: int) -> Points:
    """212 numbers of one face -> 106 x 2 in crop pixels; -1 and 1 are the crop's borders."""
    return np.asarray((numbers.reshape(106, 2) + 1) * np.float32(side // 2), np.float32)


def decode_68(numbers: Points, side: int) -> Points:
    """3309 numbers of one face -> 68 x 3 in crop pixels: of 1103 points of a head the last; z from its middle."""
    points = numbers.reshape(-1, 3)[-68:] + np.array([1, 1, 0], np.float32)
    return np.asarray(points * np.float32(side // 2), np.float32)


def decode_fan(numbers: Points, heatmaps: Points, side: int) -> tuple[Points, float]:
    """68 x 3 (x, y in cells, height) and 68 heatmaps of one face -> 68 x 2 in crop pixels, and how sure it is."""
    points = numbers[:, :2] * np.float32(side / _FAN_CELLS)
    height = float(heatmaps.max(axis=(1, 2)).mean())
    return np.asarray(points, np.float32), min(max(height / SURE, 0.0), 1.0)


def five_of(points: Points) -> Points:
    """ArcFace's five points (5 x 2) of 68 or of 106 landmarks, in their space."""
    groups = _FIVE_OF_106 if len(points) == 106 else _FIVE_OF_68
    return np.array([points[list(group), :2].mean(axis=0) for group in groups], np.float32)
