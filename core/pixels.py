"""Conversions between pictures: sizes and pixel formats. All functions are pure and safe in any thread."""

from typing import Literal

import cv2
import numpy as np

from .frame import Pixels
from .settings import Size


def contiguous(pixels: Pixels) -> Pixels:
    """The same picture in C order; copies only if it must."""
    return np.ascontiguousarray(pixels)


def writable(pixels: Pixels) -> Pixels:
    """The one copy of a frame that processors may draw into."""
    return pixels.copy()


def fit(pixels: Pixels, into: Size, mode: Literal["letterbox", "crop"] = "letterbox") -> Pixels:
    """The picture in exactly `into` = (width, height); the same array if it has that size already."""
    h, w = pixels.shape[:2]
    if (w, h) == into:
        return pixels
    tw, th = into
    pick = min if mode == "letterbox" else max
    scale = pick(tw / w, th / h)
    nw, nh = max(1, round(w * scale)), max(1, round(h * scale))
    resized = cv2.resize(pixels, (nw, nh), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if mode == "crop":
        x, y = (nw - tw) // 2, (nh - th) // 2
        return contiguous(np.asarray(resized[y : y + th, x : x + tw], np.uint8))
    canvas = np.zeros((th, tw, 3), np.uint8)
    x, y = (tw - nw) // 2, (th - nh) // 2
    canvas[y : y + nh, x : x + nw] = resized
    return canvas


def bgr_to_i420(pixels: Pixels, out: Pixels | None = None) -> Pixels:
    """Planar 4:2:0 (BT.601, limited range, as webcams speak it): height*3/2 x width, uint8. Even sizes only.

    Writes into `out` where it is given and has that shape.
    """
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2YUV_I420, out), np.uint8)


def i420_to_bgr(planes: Pixels) -> Pixels:
    """The way back: height*3/2 x width -> height x width x 3."""
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8)
