"""The 478-point face mesh: its crop, its points in frame space, and a stand-in where it sees no face.

Pure numpy and OpenCV; safe in any thread.
"""

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
    square = cv2.warpAffine(pixels, roi.matrix(SIDE), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    tensor = np.empty((1, SIDE, SIDE, 3), np.float32)
    np.multiply(cv2.cvtColor(square, cv2.COLOR_BGR2RGB), np.float32(1 / 255), out=tensor[0])
    return tensor


def decode(landmarks: Points, roi: Roi) -> Points:
    """The model's 1434 numbers (x, y, z in crop pixels) -> 478 x 3 in frame space."""
    return roi.to_frame(landmarks.reshape(POINTS, 3), SIDE)


def presence(logit: Points) -> float:
    """How sure the model is that the crop holds a face, 0 to 1."""
    return float(1 / (1 + np.exp(-np.clip(logit.reshape(-1)[0], -60, 60))))


def stand_in(keypoints: Points, box: Points) -> Points:
    """A neutral mesh (478 x 3) laid over a detector's six points (6 x 2) and over all of its box, in their space.

    For a face that has to be covered though the mesh model does not see it (half hidden, in profile).
    """
    face = canonical()
    flat = face.xyz[:, :2] * np.array([1, -1], np.float32)
    marks = np.stack([flat[[33, 133]].mean(axis=0), flat[[263, 362]].mean(axis=0), flat[1],
                      flat[[13, 14]].mean(axis=0), flat[234], flat[454]])  # fmt: skip
    # The ears lie behind the face's plane: they tell of its size, less of its place.
    matrix = similarity(marks, keypoints, (1, 1, 1, 1, 0.3, 0.3))
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
