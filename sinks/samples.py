"""The samples of a frame as arrays, in its own pixel format: nothing is converted."""

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

Samples = tuple[NDArray[Any], ...]
"""One array a plane, as they lie in the frame: H x W, or H x W x 2 for the colours of nv12 and p010."""


def samples(frame: VideoFrame) -> Samples:
    """Views of the planes of a 4:2:0 frame of 8 or 10 bits, uint8 or uint16; a decoder's are only read."""
    out = []
    planes: Any = frame.planes
    wide = 2 if deep(frame) else 1
    for n, plane in enumerate(planes):
        half = 1 if n else 0
        height, width = -(-frame.height >> half), -(-frame.width >> half)
        pairs = 2 if n and len(planes) == 2 else 1
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, : width * pairs * wide]
        values = lines.view(np.uint16) if wide == 2 else lines
        out.append(values.reshape(height, width, 2) if pairs == 2 else values)
    return tuple(out)


def deep(frame: VideoFrame) -> bool:
    """It has more than eight bits a sample."""
    return frame.format.components[0].bits > 8


def brightness(frame: VideoFrame) -> NDArray[np.uint8]:
    """The first plane in eight bits, H x W."""
    luma = samples(frame)[0]
    if not deep(frame):
        return np.asarray(luma, np.uint8)
    high = frame.format.name.startswith("p0")  # p010 keeps its ten bits at the upper end of sixteen
    return np.asarray(cv2.convertScaleAbs(luma, alpha=1 / 256 if high else 1 / 4), np.uint8)


def blank(like: VideoFrame) -> VideoFrame:
    """A new frame of the same format and colours, its samples yet to be written."""
    frame = VideoFrame(like.width, like.height, like.format.name)
    frame.color_range, frame.colorspace = int(like.color_range), int(like.colorspace)
    frame.color_primaries, frame.color_trc = int(like.color_primaries), int(like.color_trc)
    return frame
