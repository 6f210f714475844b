"""The picture while there is nothing to show: drawn here, calm, in any size."""

from enum import Enum
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels
from ..core.settings import Size

_TOP, _BOTTOM = (58, 46, 40), (24, 18, 15)  # BGR
_INK = (176, 166, 158)
_LIGHT = 0.35  # how much brighter the middle is than the edges
_FINE = 4  # the glyph is drawn so many times finer, then averaged: soft edges at 320x240 too


class Reason(Enum):
    """Why there is nothing to show; the value is the line under the glyph."""

    STARTING = "camera starting"
    PAUSED = "camera paused"
    NO_FACE = "no face"
    LOST = "no camera"
    ERROR = "picture withheld"


@lru_cache(maxsize=32)
def placeholder(size: Size, reason: Reason) -> Pixels:
    """A camera that is off, and the reason in one line. `size` is (width, height) in pixels.

    The array is the same at every call with the same arguments, and read-only. Any thread.
    """
    width, height = size
    unit = min(width / 10, height / 9)
    canvas = _backdrop(width, height)
    glyph = _glyph(unit)
    rows, columns = (min(a, b) for a, b in zip(glyph.shape, (height, width), strict=True))
    top, left = max(0, round(height / 2 - 0.55 * unit) - rows // 2), (width - columns) // 2
    under = canvas[top : top + rows, left : left + columns]
    under += glyph[:rows, :columns, None] * (np.array(_INK, np.float32) - under)
    picture = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    _write(picture, reason.value, round(height / 2 + 1.65 * unit), max(13, round(0.44 * unit)))
    picture.flags.writeable = False
    return picture


def _backdrop(width: int, height: int) -> NDArray[np.float32]:
    """A dark gradient with a little light in the middle: height x width x 3, BGR, 0..255."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    light = 1 + _LIGHT * np.exp(-6 * (down - 0.45) ** 2) * np.exp(-6 * (across - 0.5) ** 2)
    colour = (1 - down) * np.array(_TOP, np.float32) + down * np.array(_BOTTOM, np.float32)
    # Half a level of noise: a gradient over so few levels would show as bands.
    noise = np.random.default_rng(0).random((height, width, 1), np.float32) - 0.5
    return np.asarray(colour * light + noise, np.float32)


def _glyph(unit: float) -> NDArray[np.float32]:
    """A struck-out camera as coverage 0..1, in a square of 3 units, `unit` in pixels."""
    side = max(1, round(3 * unit))
    mask = np.zeros((side * _FINE, side * _FINE), np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round((x * unit + side / 2) * _FINE), round((y * unit + side / 2) * _FINE)

    def wide(units: float) -> int:
        return max(1, round(units * unit * _FINE))

    corner, left, right, high = 0.26, -1.2, 0.55, 0.72
    cv2.rectangle(mask, at(left + corner, -high), at(right - corner, high), 255, -1)
    cv2.rectangle(mask, at(left, corner - high), at(right, high - corner), 255, -1)
    for x in (left + corner, right - corner):
        for y in (corner - high, high - corner):
            cv2.circle(mask, at(x, y), wide(corner), 255, -1)
    lens = np.array([at(0.78, -0.16), at(1.16, -0.44), at(1.16, 0.44), at(0.78, 0.16)])
    cv2.fillPoly(mask, [lens], 255)
    cv2.polylines(mask, [lens], isClosed=True, color=255, thickness=wide(0.14))  # rounds its corners
    cv2.line(mask, at(-1.22, -1.02), at(1.12, 1.02), 0, wide(0.36))
    cv2.line(mask, at(-1.22, -1.02), at(1.12, 1.02), 255, wide(0.13))
    coverage = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(coverage, np.float32) / np.float32(255)


def _write(picture: Pixels, text: str, baseline_y: int, height: int) -> None:
    """One centred line, in the font that OpenCV carries."""
    font = cv2.FontFace("sans")
    rows, columns = picture.shape[:2]
    x, _, width, _ = cv2.getTextSize((columns, rows), text, (0, 0), font, height, 400)
    cv2.putText(picture, text, ((columns - width) // 2 - x, baseline_y), _INK, font, height, 400)
