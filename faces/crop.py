"""A face taken out of a frame upright, and laid back: affines both ways, without the moiré of plain sampling.

Matrices are 2x3 affines, frame -> crop (`faces.templates`), pixel centres at integers. Pure functions.
"""

from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Matrix, Pixels, Points
from . import masks
from .paste import paste

GROWN = 0.06
"""The oval of the mesh ends at the skin of the forehead; what a network makes of a face reaches a little beyond."""


def take(pixels: Pixels, matrix: Matrix, side: int) -> Pixels:
    """The crop of `side` x `side`; beyond the frame's border its edge goes on.

    A face more than twice as large as its crop is halved first, as often as that is so: sampling every third
    pixel would make a pattern of its skin.
    """
    shrunk = 1
    while scale_of(matrix) * shrunk < 0.5:
        shrunk *= 2
    if shrunk > 1:
        x0, y0, x1, y1 = _around(matrix, side, (pixels.shape[1], pixels.shape[0]), margin=2 * shrunk)
        if x1 > x0 and y1 > y0:
            # The corner and the size are multiples of the step: the centres of the small pixels are known.
            part = pixels[y0:y1, x0:x1]
            small = cv2.resize(
                part, (-(-(x1 - x0) // shrunk), -(-(y1 - y0) // shrunk)), interpolation=cv2.INTER_AREA
            )
            step = np.array([(x1 - x0) / small.shape[1], (y1 - y0) / small.shape[0]])
            pixels, matrix = (
                np.asarray(small, np.uint8),
                _composed(matrix, step, np.array([x0, y0]) + (step - 1) / 2),
            )
    return np.asarray(
        cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def lay_back(pixels: Pixels, crop: Pixels, alpha: masks.Mask, matrix: Matrix) -> bool:
    """Blends a crop over its place in the frame, in place; False where nothing of it lies within the frame.

    alpha: as large as the crop, 0 keeps the frame. Only the part of the frame under the crop is touched.
    """
    side = crop.shape[0]
    x0, y0, x1, y1 = _around(matrix, side, (pixels.shape[1], pixels.shape[0]))
    if x1 <= x0 or y1 <= y0:
        return False
    while scale_of(matrix) >= 2 and side > 2:  # the crop is finer than its place: it is halved first
        side //= 2
        matrix = enlarged(matrix, side / crop.shape[0])
        crop = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    local = _composed(matrix, np.ones(2), np.array([x0, y0]))
    size, flags = (x1 - x0, y1 - y0), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    worn = cv2.warpAffine(crop, local, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(alpha, local, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    paste(pixels, x0, y0, worn, weight)
    return True


def moved(points: Points, matrix: Matrix) -> Points:
    """N x 2 or more points of the frame, their x and y in the crop (N x 2)."""
    return np.asarray(points[:, :2] @ matrix[:, :2].T + matrix[:, 2], np.float32)


def soft_box(side: int, feather: float) -> masks.Mask:
    """255 within, falling to 0 at the crop's border over `feather` of its side."""
    width = max(1.0, feather * side)
    ramp = np.clip((np.minimum(np.arange(side), np.arange(side)[::-1]) / width), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.rint(255 * np.minimum.outer(ramp, ramp)), np.uint8)


def face_alpha(points: Points, box: masks.Mask, feather: float, opacity: float = 1.0) -> masks.Mask:
    """How much of a crop is laid back: the face's oval within a soft box of the crop's size.

    points: the mesh in the crop. feather: half the width of the oval's soft edge, in sides of the crop.
    """
    side = box.shape[0]
    oval = masks.oval_mask(points, (side, side), GROWN, feather * side / 2)
    alpha = np.asarray(cv2.min(oval, box), np.uint8)
    return alpha if opacity >= 1 else np.asarray(cv2.convertScaleAbs(alpha, alpha=opacity), np.uint8)


def enlarged(matrix: Matrix, factor: float) -> Matrix:
    """The affine into the same crop with `factor` times as many pixels each way."""
    out = matrix.astype(np.float64) * factor
    out[:, 2] += (factor - 1) / 2
    return out.astype(np.float32)


def interleaved(tiles: list[Pixels], times: int) -> Pixels:
    """The picture whose every `times`-th pixel, in both directions, is one of `times` x `times` tiles."""
    height, width = tiles[0].shape[:2]
    out = np.empty((height * times, width * times, 3), np.uint8)
    for n, tile in enumerate(tiles):
        out[n // times :: times, n % times :: times] = tile
    return out


def sampled(picture: Pixels, times: int) -> list[Pixels]:
    """`times` x `times` small pictures, each of every `times`-th pixel: the inverse of `interleaved`."""
    return [np.ascontiguousarray(picture[y::times, x::times]) for y in range(times) for x in range(times)]


def scale_of(matrix: Matrix) -> float:
    """Crop pixels per frame pixel."""
    return sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def _around(matrix: Matrix, side: int, size: tuple[int, int], margin: int = 0) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the frame's pixels that the crop covers, cut to the frame."""
    back = np.asarray(cv2.invertAffineTransform(matrix.astype(np.float64)), np.float64)
    corners = np.array([[-0.5, -0.5], [side - 0.5, -0.5], [-0.5, side - 0.5], [side - 0.5, side - 0.5]])
    corners = corners @ back[:, :2].T + back[:, 2]
    low = np.clip(np.floor(corners.min(axis=0)) - margin, 0, size).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 1 + margin, 0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _composed(matrix: Matrix, step: NDArray[np.float64], origin: NDArray[np.float64]) -> Matrix:
    """The affine for pixels that lie at origin + step * index."""
    out = matrix.astype(np.float64)
    out[:, 2] += out[:, :2] @ origin
    out[:, :2] *= step
    return out.astype(np.float32)
