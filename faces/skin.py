"""What of a face in a photo is skin, and not hair, a hat or the room behind."""

import cv2
import numpy as np

from ..core.frame import Pixels, Points
from .masks import LEFT_EYEBROW, LIPS_OUTER, RIGHT_EYEBROW, Mask, feathered, fill

_SAMPLES = (50, 280, 101, 330, 205, 425, 36, 266, 118, 347, 117, 346, 4, 5, 195, 9)
"""On the cheeks, the nose and between the eyebrows: bare in almost every photo."""
_CORE = (*LEFT_EYEBROW, *RIGHT_EYEBROW, *LIPS_OUTER, 50, 280, 187, 411, 148, 152, 377)
"""Eyes, nose, mouth and chin lie between these, and eyebrows about: no skin all of it, but the face itself."""
_SPREAD = np.array([28.0, 9.0, 9.0], np.float32)
"""How far skin of one face strays from its median in CIELAB: light and shadow reach far, hues do not."""
_ROUGH = 9.0
"""Standard deviation of the lightness within a hundredth of a face: skin has less, hair more."""
_LAST, _FIRST = 1.3, 1.9
"""In these measures together: up to here it is skin, from there on it is not. Found on three portraits."""


def skin_mask(picture: Pixels, points: Points) -> Mask:
    """255 where the skin of this face is, and within the face's core; its edge is soft.

    points: 478 x 3 in the picture's pixels. The picture is taken to be little more than the face.
    """
    up = points[10, :2] - points[152, :2]
    height = max(1.0, float(np.linalg.norm(up)))
    lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB)
    even = cv2.GaussianBlur(lab, (0, 0), 0.012 * height)
    rough = cv2.GaussianBlur((lab[..., 0] - even[..., 0]) ** 2, (0, 0), 0.015 * height)
    limit = np.array(picture.shape[1::-1]) - 1
    at = np.clip(points[list(_SAMPLES), :2].round().astype(int), 0, limit)
    median = np.median(even[at[:, 1], at[:, 0]], axis=0)
    strange = np.sqrt((((even - median) / _SPREAD) ** 2).sum(axis=2) + rough / _ROUGH**2)
    skin = np.clip((_FIRST - strange) / (_FIRST - _LAST), 0, 1)
    # A strand or a speck decides nothing: what is small is closed or opened.
    side = max(1, round(0.03 * height)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    mask = np.rint(skin * 255).astype(np.uint8)
    mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    found = np.asarray(cv2.erode(mask, kernel), np.uint8)
    brows = points[[*LEFT_EYEBROW, *RIGHT_EYEBROW], :2] + np.float32(0.02) * up
    core = np.concatenate([points[list(_CORE), :2], brows]).astype(np.float32)
    fill(found, np.asarray(cv2.convexHull(core)[:, 0], np.float32))
    # What does not hang together with the face is something else in the colour of skin.
    labels = cv2.connectedComponents((found > 127).astype(np.uint8))[1]
    nose = np.clip(points[1, :2].round().astype(int), 0, limit)
    found[labels != labels[nose[1], nose[0]]] = 0
    return feathered(found, 0.04 * height)
