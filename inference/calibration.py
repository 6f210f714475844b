"""Faces to judge a precision by before the daemon has seen any: the bundled portrait, as a camera might show it."""

from pathlib import Path

import cv2
import numpy as np

from ..core.errors import ModelError
from ..core.frame import Pixels, Points
from ..faces.align import five_points
from ..faces.crop import take
from ..faces.templates import crop_matrix

_ASSETS = Path(__file__).parent.parent / "capture/assets"
_VIEWS = (
    # turn in degrees, scale, shift in parts of the crop, light, contrast
    (0.0, 1.0, 0.0, 0.0, 0, 1.0),
    (6.0, 0.93, 0.02, -0.02, 0, 1.0),
    (-8.0, 1.06, -0.03, 0.01, 40, 0.9),
    (12.0, 1.0, 0.0, 0.03, 30, 0.85),
    (-3.0, 0.88, 0.04, 0.02, -45, 1.0),
    (-14.0, 1.1, -0.02, -0.03, -20, 1.25),
)
"""Neighbours differ in the same ways: int8 is calibrated on every other one, and judged by the rest."""


def portrait_crops(template: str, side: int) -> list[Pixels]:
    """Six crops (BGR, `side` x `side`) of the bundled portrait, aligned by a template, turned, moved and relit.

    Raises ModelError where the portrait cannot be read.
    """
    photo, points = _portrait()
    straight = crop_matrix(five_points(points), template, side)
    centre = (side - 1) / 2
    crops = []
    for turn, scale, right, down, light, contrast in _VIEWS:
        move = cv2.getRotationMatrix2D((centre, centre), turn, scale)
        move[:, 2] += np.array([right * side, down * side])
        matrix = (move @ np.vstack([straight, (0, 0, 1)])).astype(np.float32)
        crop = take(photo, matrix, side).astype(np.float32)
        relit = (crop - 128) * contrast + 128 + light
        crops.append(np.asarray(np.clip(np.rint(relit), 0, 255), np.uint8))
    return crops


def _portrait() -> tuple[Pixels, Points]:
    """Its pixels, and the mesh in it."""
    path = _ASSETS / "portrait.jpg"
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        with np.load(_ASSETS / "portrait.npz") as data:
            points = data["points"]
    except (OSError, ValueError, cv2.error) as error:
        raise ModelError(f"the bundled portrait {path} cannot be read", "reinstall faceswapd") from error
    if picture is None:
        raise ModelError(f"the bundled portrait {path} cannot be read", "reinstall faceswapd")
    return np.asarray(picture, np.uint8), points
