"""High dynamic range made ordinary: for films that are written with 8 bits."""

from functools import lru_cache

import cv2
import numpy as np

from ..core.frame import Pixels, Points

PQ, HLG = 16, 18
"""Transfer functions as ITU-T H.273 numbers them: SMPTE ST 2084, ARIB STD-B67."""
WHITE_NITS = 203.0
"""What counts as a sheet of paper in high dynamic range (ITU-R BT.2408)."""
_PEAK = 1000.0 / WHITE_NITS
"""From here on everything is white: few films are mastered brighter than 1000 cd/m2."""
# BT.2020 to BT.709 primaries in linear light (ITU-R BT.2087), here for columns B, G, R.
_TO_709 = np.array(
    [[1.1187, -0.1006, -0.0182], [-0.0083, 1.1329, -0.1246], [-0.0728, -0.5876, 1.6605]], np.float32
)


def tone_mapped(pixels: Pixels, transfer: int) -> Pixels:
    """BGR as BT.2020 with `transfer` -> BGR as BT.709: bright parts are pressed together, hues stay. Any thread."""
    linear = cv2.transform(cv2.LUT(pixels, _linear(transfer)), _TO_709)
    linear = np.maximum(linear, 0, out=linear)
    brightest = linear.max(axis=2, keepdims=True)
    # Reinhard's curve with a white point: x (1 + x / w^2) / (1 + x), here as a factor for all three colours.
    linear *= (1 + brightest / _PEAK**2) / (1 + brightest) * np.float32(1.6)
    codes = np.minimum(linear * 1023, 1023).astype(np.uint16)
    return np.asarray(_gamma()[codes], np.uint8)


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
