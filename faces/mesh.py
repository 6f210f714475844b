"""The 478-point face mesh: its crop, its points in frame space, and a stand-in where it sees no face.

Pure numpy and OpenCV; safe in any thread.
"""

from math import cos, sin

import cv2
import numpy as np

from ..core.frame import Pixels, Points
from .align import Roi, similarity
from .canonical import canonical

SIDE = 256
"""Side of the mesh model's crop."""
POINTS = 478
MIN_PRESENCE = 0.5
"""Below it there is no face in the crop (MediaPipe's default)."""
_IRIS_RIGHT = (33, 133, 159, 145)
_IRIS_LEFT = (263, 362, 386, 374)


def crop(pixels: Pixels, roi: Roi) -> Points:
    """The tensor of the mesh model, 1 x 256 x 256 x 3, RGB in [0, 1]; black outside of the frame."""
    matrix = roi.matrix(SIDE)
    patch, step, x, y = _patch(pixels, roi)
    # Pixel j of the patch has its centre at frame pixel step * j + x + (step - 1) / 2.
    matrix[:, 2] += matrix[:, :2] @ np.array([x + (step - 1) / 2, y + (step - 1) / 2], np.float32)
    matrix[:, :2] *= step
    square = cv2.warpAffine(patch, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    tensor = np.empty((1, SIDE, SIDE, 3), np.float32)
    np.multiply(cv2.cvtColor(square, cv2.COLOR_BGR2RGB), np.float32(1 / 255), out=tensor[0])
    return tensor


def _patch(pixels: Pixels, roi: Roi) -> tuple[Pixels, int, int, int]:
    """The part of the frame that a crop needs, by how much it was shrunk, and where its corner was.

    A large face is halved first, so that the warp leaves no pixel out. The copy of a smaller one is worth its
    time: after a run of a model the frame is in no near cache, and the warp's slanted reads would wait for
    every line of it (0.8 ms instead of 0.3).
    """
    height, width = pixels.shape[:2]
    reach = roi.side * (abs(cos(roi.angle)) + abs(sin(roi.angle))) / 2 + 2
    x0, x1 = (int(np.clip(v, 0, width)) for v in (roi.x - reach, roi.x + reach + 1))
    y0, y1 = (int(np.clip(v, 0, height)) for v in (roi.y - reach, roi.y + reach + 1))
    if x1 <= x0 or y1 <= y0:
        return np.zeros((1, 1, 3), np.uint8), 1, x0, y0
    patch, step, side = pixels[y0:y1, x0:x1], 1, roi.side
    while side >= 2 * SIDE and min(patch.shape[:2]) >= 2:
        h, w = patch.shape[0] // 2 * 2, patch.shape[1] // 2 * 2
        halved = cv2.resize(patch[:h, :w], (w // 2, h // 2), interpolation=cv2.INTER_AREA)
        patch, step, side = np.asarray(halved, np.uint8), step * 2, side / 2
    return (patch.copy() if step == 1 else patch), step, x0, y0


def decode(landmarks: Points, roi: Roi) -> Points:
    """The model's 1434 numbers (x, y, z in crop pixels) -> 478 x 3 in frame space."""
    return roi.to_frame(landmarks.reshape(POINTS, 3), SIDE)


def presence(logit: Points) -> float:
    """How sure the model is that the crop holds a face, 0 to 1."""
    # In float32 all that is surer than 17 would be equally sure.
    return float(1 / (1 + np.exp(-np.clip(float(logit.reshape(-1)[0]), -60, 60))))


def stand_in(keypoints: Points, box: Points) -> Points:
    """A neutral mesh (478 x 3) laid over a detector's five or six points and over all of its box, in their space.

    For a face that has to be covered though the mesh model does not see it (half hidden, in profile). Without points
    it stands upright in the box.
    """
    face = canonical()
    flat = face.xyz[:, :2] * np.array([1, -1], np.float32)
    marks = [flat[[33, 133]].mean(axis=0), flat[[263, 362]].mean(axis=0), flat[1]]
    if not len(keypoints):
        matrix = similarity(_corners(*flat.min(axis=0), *flat.max(axis=0)), _corners(*box))
    elif len(keypoints) == 5:  # the corners of the mouth
        matrix = similarity(np.stack([*marks, flat[61], flat[291]]), keypoints)
    else:
        marks += [flat[[13, 14]].mean(axis=0), flat[234], flat[454]]
        # The ears lie behind the face's plane: they tell of its size, less of its place.
        matrix = similarity(np.stack(marks), keypoints, (1, 1, 1, 1, 0.3, 0.3))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    out = np.empty((POINTS, 3), np.float32)
    out[:468, :2] = flat @ matrix[:, :2].T + matrix[:, 2]
    # In profile the points lie close together: what they say of the size is too little.
    low, high = out[:468, :2].min(axis=0), out[:468, :2].max(axis=0)
    to_low, to_high = np.minimum(low, box[:2]), np.maximum(high, box[2:])
    out[:468, :2] = to_low + (out[:468, :2] - low) * (to_high - to_low) / np.maximum(high - low, 1e-3)
    out[:468, 2] = (face.xyz[1, 2] - face.xyz[:, 2]) * scale
    for first, corners in ((468, _IRIS_RIGHT), (473, _IRIS_LEFT)):
        out[first : first + 5] = out[list(corners)].mean(axis=0)
    return out


def _corners(x0: float, y0: float, x1: float, y1: float) -> Points:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
