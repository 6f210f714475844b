"""High dynamic range made ordinary, for processors and for films that are written with 8 bits; and the way back."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from ..core.frame import Pixels, Points

PQ, HLG = 16, 18
"""Transfer functions as ITU-T H.273 numbers them: SMPTE ST 2084, ARIB STD-B67."""
WHITE_NITS = 203.0
"""What counts as a sheet of paper in high dynamic range (ITU-R BT.2408)."""
_PEAK = 1000.0 / WHITE_NITS
"""From here on everything is white: few films are mastered brighter than 1000 cd/m2."""
LIGHT_BYTES = 24
"""Of a pixel while it is converted: its light as numbers, before and after the curve."""
_GAIN = 1.6
"""Paper white, which the curve alone would halve, comes out at five sixths."""
_BRIGHTEST = 2.0
"""The way back never gets here: white is at 1.4 times `WHITE_NITS`."""
# BT.2020 to BT.709 primaries in linear light (ITU-R BT.2087), here for columns B, G, R.
_TO_709 = np.array(
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]], np.float32
)


def tone_mapped(pixels: Pixels, transfer: int) -> Pixels:
    """BGR as BT.2020 with `transfer` -> BGR as BT.709: bright parts are pressed together, hues stay. Any thread."""
    linear = cv2.transform(cv2.LUT(pixels, _linear(transfer)), _TO_709)
    blue, green, red = cv2.split(np.maximum(linear, 0, out=linear))
    brightest = cv2.max(cv2.max(blue, green), red)
    # Reinhard's curve with a white point: x (1 + x / w^2) / (1 + x), here as a factor for all three colours.
    factor = cv2.divide(brightest * np.float32(1 / _PEAK**2) + 1, brightest + 1, scale=_GAIN * 1023)
    codes: Any = cv2.merge(
        [cv2.multiply(channel, factor, dtype=cv2.CV_16U) for channel in (blue, green, red)]
    )
    return np.asarray(_gamma().take(codes, mode="clip"), np.uint8)


def restored(pixels: Pixels, transfer: int) -> Points:
    """The way back, for what was drawn into a tone-mapped picture: BGR as BT.709 -> codes 0 to 1 of `transfer`, BGR as
    BT.2020, float32 of the same shape. What was brighter than white is not brought back. Any thread."""
    linear = cv2.LUT(pixels, _light())
    brightest = np.maximum(linear.max(axis=2, keepdims=True), np.float32(1e-6))
    # x (1 + x / w^2) / (1 + x) = y solved for x.
    y = brightest / np.float32(_GAIN)
    square = np.float32(_PEAK**2)
    x = (np.sqrt((1 - y) ** 2 + 4 * y / square) - (1 - y)) * (square / 2)
    wide = cv2.transform(linear * (x / brightest), np.linalg.inv(_TO_709).astype(np.float32))
    steps = np.sqrt(np.clip(wide / np.float32(_BRIGHTEST), 0, 1)) * np.float32(65535)
    return np.asarray(_codes(transfer)[steps.astype(np.uint16)], np.float32)


@lru_cache(maxsize=2)
def _codes(transfer: int) -> Points:
    """The code of linear light, in 65536 steps of its square root up to `_BRIGHTEST`."""
    nits = _BRIGHTEST * WHITE_NITS * (np.arange(65536, dtype=np.float64) / 65535) ** 2
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = (nits / 10_000) ** m1
        return (((c1 + c2 * power) / (1 + c3 * power)) ** m2).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = (nits / 1000) ** (1 / 1.2)
    bright = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright).astype(np.float32)


@lru_cache(maxsize=1)
def _light() -> Points:
    """Linear light of each of 256 codes of BT.709's curve; one column."""
    code = np.arange(256, dtype=np.float64) / 255
    return np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45)).astype(np.float32)


@lru_cache(maxsize=2)
def _linear(transfer: int) -> Points:
    """Linear light of each of 256 codes, 1 being `WHITE_NITS`; one column."""
    code = np.arange(256, dtype=np.float64) / 255
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = code ** (1 / m2)
        nits = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        return (nits / WHITE_NITS).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return (1000 * scene**1.2 / WHITE_NITS).astype(np.float32)


@lru_cache(maxsize=1)
def _gamma() -> Pixels:
    """BT.709's curve as 1024 steps of linear light to 8 bits."""
    light = np.arange(1024, dtype=np.float64) / 1023
    curve = np.where(light < 0.018, 4.5 * light, 1.099 * light**0.45 - 0.099)
    return np.asarray(np.rint(255 * curve), np.uint8)
