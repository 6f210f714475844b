"""What is bent over a face: a picture with its mesh."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from .skin import skin_mask
from .warp import skirted

LARGEST = 640
"""No more pixels from chin to forehead: sharper than any face in a video call."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A picture of a face in several sizes, and where the corners of the mesh lie in it. Immutable."""

    levels: tuple[NDArray[np.uint8], ...]
    """BGRA, each half as large as the one before; transparency is the picture's own."""
    values: Points
    """504 x 3: u, v of the skirted mesh, from the upper left corner (0, 0) to the lower right one (1, 1); and 1."""
    height: float
    """From chin to forehead in the first level, pixels."""
    painted: bool
    """It has colours of its own, which the scene only lights; else it takes on the colours of the face below."""

    @classmethod
    def of_picture(cls, picture: NDArray[np.uint8], points: Points, painted: bool) -> "Texture":
        """picture: BGRA. points: 468 or 478 x 2+ of the mesh, in its pixels.

        The skirt of a face in a photo shows the face's last pixels drawn out: beside it is somebody's hair and
        a room, which the soft edge must not bring along.
        """
        height, width = picture.shape[:2]
        corners = (skirted(points) if painted else skirted(points, 0))[:, :2] + np.float32(0.5)
        values = np.column_stack(
            [corners / np.array([width, height], np.float32), np.ones(len(corners), np.float32)]
        )
        levels = [picture]
        while min(levels[-1].shape[:2]) >= 16:
            shape = levels[-1].shape
            half = (-(-shape[1] // 2), -(-shape[0] // 2))
            levels.append(np.asarray(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA)))
        span = float(np.linalg.norm(points[10, :2] - points[152, :2]))
        return cls(tuple(levels), np.asarray(values, np.float32), span, painted)

    @classmethod
    def of_photo(cls, photo: Pixels, points: Points) -> "Texture":
        """The face of a photo, cut out; points: 478 x 3 in its pixels. Hair across it is transparent."""
        corners = skirted(points)[:, :2]
        low, high = np.floor(corners.min(axis=0)) - 2, np.ceil(corners.max(axis=0)) + 3
        scale = min(1.0, LARGEST / max(1.0, float(np.linalg.norm(points[10, :2] - points[152, :2]))))
        # Cut first: a photo may be much larger than its face.
        x0, y0 = np.maximum(low, 0).astype(int)
        x1, y1 = np.minimum(high, photo.shape[1::-1]).astype(int)
        cut = photo[y0:y1, x0:x1]
        left, top = np.maximum(-low, 0).astype(int)
        right, below = np.maximum(high - photo.shape[1::-1], 0).astype(int)
        whole = cv2.copyMakeBorder(cut, top, below, left, right, cv2.BORDER_REPLICATE)
        size = (max(1, round(whole.shape[1] * scale)), max(1, round(whole.shape[0] * scale)))
        ratio = np.array([size[0] / whole.shape[1], size[1] / whole.shape[0]], np.float32)
        if scale < 1:
            whole = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        local = np.asarray((points[:, :2] - low.astype(np.float32) + 0.5) * ratio - 0.5, np.float32)
        face = np.dstack([whole, skin_mask(np.asarray(whole, np.uint8), local)])
        return cls.of_picture(face, local, painted=False)

    def level(self, height: float) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """The level for a face of `height` pixels from chin to forehead, and its (width, height).

        The next larger one, unless the next smaller one is nearer by far: no aliasing, and no blur to see.
        """
        depth = round(np.log2(max(self.height / max(height, 1e-3), 1)) - 0.2)
        level = self.levels[min(max(depth, 0), len(self.levels) - 1)]
        return level, (level.shape[1], level.shape[0])
