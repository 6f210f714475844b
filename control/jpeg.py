"""Pictures for the wire: JPEG, made small enough."""

import cv2
import numpy as np

from ..core.frame import Frame, Pixels
from ..core.settings import Size
from .protocol import preview


def within(size: Size, bound: Size) -> Size:
    """The size of a picture made to fit into `bound`, of the same shape, never enlarged."""
    scale = min(bound[0] / size[0], bound[1] / size[1], 1.0)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def encode(pixels: Pixels, bound: Size, quality: int) -> tuple[bytes, Size]:
    """JPEG of a BGR picture made to fit into `bound`, and its size. For a worker thread: some ms."""
    height, width = pixels.shape[:2]
    size = within((width, height), bound)
    if size != (width, height):
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes(), size


def packed(frame: Frame, bound: Size, quality: int) -> bytes:
    """A whole preview message. For a worker thread."""
    data, size = encode(frame.pixels, bound, quality)
    return preview(frame.seq, frame.captured_ns, size, data)
