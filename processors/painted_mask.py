"""The painted mask: nobody's face, a carnival mask of porcelain and gold that the project draws itself.

It is drawn as the canonical face is seen from the front, in its centimetres (x to the face's left, y up): the
left half, which is then mirrored. Every number below is a place on that face or a colour (red, green, blue).
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points
from ..faces.canonical import canonical
from ..faces.masks import FACE_OVAL, LEFT_EYE, LIPS_INNER, LIPS_OUTER, fill
from ..faces.texture import Texture

_SIDE = 1024
_SCALE = 46.0
"""Pixels a centimetre: the face and its skirt fill the sheet."""
_MIDDLE = np.array([-0.5, (_SIDE - 1) / 2 - 0.57 * _SCALE], np.float32)
"""The face's origin, in pixels of the left half."""

Layer = NDArray[np.float32]
"""How much of each pixel of the left half a shape covers, 0 to 1, side x side / 2."""
Line = Sequence[tuple[float, float]]

_PORCELAIN, _SHADE, _BLUSH = (233, 224, 210), (196, 178, 158), (210, 122, 102)
_NIGHT, _TEAL = (16, 27, 58), (14, 92, 104)
_GOLD, _GOLD_LIGHT = (203, 152, 62), (250, 218, 142)
_LIP, _LIP_LIGHT, _INK = (150, 30, 48), (196, 62, 74), (22, 14, 16)

# The domino around the eyes, from the bridge of the nose over the temple and back.
_DOMINO = ((0.0, 3.9), (0.9, 4.5), (2.1, 5.35), (3.7, 5.75), (5.3, 5.75), (7.2, 6.35), (6.75, 4.9), (6.4, 3.2),
           (5.7, 1.7), (4.5, 0.95), (3.0, 0.95), (1.9, 1.35), (1.1, 1.75), (0.0, 1.2))  # fmt: skip
_SWIRL = ((1.25, 5.55), (2.3, 6.25), (3.7, 6.7), (5.0, 6.65), (5.9, 6.9))
_SWIRL_UP = ((0.55, 6.0), (0.95, 6.75), (1.75, 7.1), (2.45, 6.95), (2.55, 6.5), (2.2, 6.3))
_TEAR = ((3.2, 0.45), (3.5, -0.35), (3.2, -1.3), (2.9, -0.35))
_JEWEL = ((0.0, 7.3), (0.5, 6.1), (0.0, 4.75), (-0.5, 6.1))
_CHEEK = ((6.35, 0.9), (5.9, -1.0), (5.0, -2.6), (4.1, -3.3), (3.5, -3.2), (3.45, -2.75), (3.8, -2.6))


@lru_cache(maxsize=1)
def painted_mask() -> Texture:
    """Draws it; the same on every machine."""
    sheet = _Sheet()
    # Smaller than the face, so that its rim lies on the side of the face that is seen.
    oval = _cm(FACE_OVAL) * np.array([0.925, 0.955], np.float32)
    rim = smooth(oval)
    whole = sheet.area(rim)
    eyes = sheet.area(_hole(LEFT_EYE))

    sheet.paint(np.ones_like(whole), _PORCELAIN)
    sheet.paint(0.75 * (1 - _blur(sheet.area(rim * 0.93), 1.1)), _SHADE)
    sheet.paint(0.34 * sheet.glow((4.6, -1.3), (1.7, 1.3)), _BLUSH)
    sheet.paint(0.25 * sheet.glow((1.5, -1.3), (0.5, 0.5)), _SHADE)

    domino = sheet.area(smooth(_DOMINO, corners=(0, 5, 13)))
    sheet.paint(domino, _NIGHT)
    sheet.paint(domino * sheet.glow((3.2, 2.6), (2.9, 1.7)), _TEAL)
    sheet.paint(domino * 0.8 * sheet.lattice(), _NIGHT)
    jewel = sheet.area(np.array(_JEWEL, np.float32))
    sheet.paint(jewel, _TEAL)
    tear = sheet.area(np.array(_TEAR, np.float32))
    sheet.paint(tear, _TEAL)
    lips = sheet.area(smooth(_cm(LIPS_OUTER), corners=(0, 10)))
    sheet.paint(lips, _LIP)
    sheet.paint(lips * 0.8 * sheet.glow((0.6, -4.95), (0.8, 0.3)), _LIP_LIGHT)
    sheet.paint(_blur(sheet.area(_cm(LIPS_INNER)), 0.06), _INK)

    trim = np.maximum.reduce([
        sheet.stroke(smooth(_DOMINO, corners=(0, 5, 13)), 0.17),
        sheet.stroke(_hole(LEFT_EYE), 0.2),
        sheet.stroke(smooth(_SWIRL, closed=False), 0.13, closed=False),
        sheet.stroke(smooth(_SWIRL_UP, closed=False), 0.11, closed=False),
        sheet.stroke(smooth(_CHEEK, closed=False), 0.12, closed=False),
        sheet.stroke(np.array(_JEWEL, np.float32), 0.13),
        sheet.stroke(np.array(_TEAR, np.float32), 0.09),
        sheet.stroke(smooth(_cm(LIPS_OUTER), corners=(0, 10)), 0.09),
        sheet.stroke(rim, 0.3),
    ])  # fmt: skip
    sheet.gild(trim)
    return sheet.texture(whole * (1 - eyes))


def smooth(line: Line | Points, closed: bool = True, corners: Sequence[int] = ()) -> Points:
    """A Catmull-Rom curve through the points, a dozen steps from each to the next; `corners` stay sharp."""
    points = np.asarray(line, np.float32)
    n = len(points)
    steps = np.linspace(0, 1, 12, endpoint=False, dtype=np.float32)[:, None]
    out = []
    for i in range(n if closed else n - 1):
        near, far = points[i], points[(i + 1) % n]
        before = near if i in corners or (not closed and i == 0) else points[i - 1]
        after = far if (i + 1) % n in corners or (not closed and i == n - 2) else points[(i + 2) % n]
        a, b = (far - before) / 2, (after - near) / 2
        t2, t3 = steps**2, steps**3
        out.append(
            (2 * t3 - 3 * t2 + 1) * near + (t3 - 2 * t2 + steps) * a + (3 * t2 - 2 * t3) * far + (t3 - t2) * b
        )
    if not closed:
        out.append(points[-1:])
    return np.asarray(np.concatenate(out), np.float32)


class _Sheet:
    """The left half of the picture under work: planes of red, green and blue, 0 to 1."""

    def __init__(self) -> None:
        self.planes = np.zeros((3, _SIDE, _SIDE // 2), np.float32)
        self.x = (np.arange(_SIDE // 2, dtype=np.float32)[None, :] - _MIDDLE[0]) / _SCALE
        self.y = (np.arange(_SIDE, dtype=np.float32)[:, None] - _MIDDLE[1]) / -_SCALE

    def area(self, contour: Points) -> Layer:
        """The inside of a contour in centimetres."""
        mask = np.zeros((_SIDE, _SIDE // 2), np.uint8)
        fill(mask, _pixels(contour))
        return np.asarray(mask, np.float32) / np.float32(255)

    def stroke(self, line: Points, width: float, closed: bool = True) -> Layer:
        """A line of a width in centimetres."""
        mask = np.zeros((_SIDE, _SIDE // 2), np.uint8)
        fixed = np.rint(_pixels(line) * 16).astype(np.int32)
        cv2.polylines(mask, [fixed], closed, (255,), max(1, round(width * _SCALE)), cv2.LINE_AA, 4)
        return np.asarray(mask, np.float32) / np.float32(255)

    def glow(self, at: tuple[float, float], size: tuple[float, float]) -> Layer:
        """A soft spot on either side, its width and height one standard deviation."""
        return np.asarray(
            np.exp(-0.5 * (((self.x - at[0]) / size[0]) ** 2 + ((self.y - at[1]) / size[1]) ** 2))
        )

    def lattice(self) -> Layer:
        """Every other field of a harlequin's lattice."""
        a, b = self.x / 0.62 + self.y / 1.05, self.x / 0.62 - self.y / 1.05
        edge = np.sin(np.pi * a) * np.sin(np.pi * b) * 9
        return np.asarray(np.clip(edge + 0.5, 0, 1), np.float32)

    def paint(self, layer: Layer, colour: tuple[int, int, int]) -> None:
        """Lays a colour over what is there."""
        for plane, value in zip(self.planes, colour, strict=True):
            plane += layer * (np.float32(value / 255) - plane)

    def gild(self, layer: Layer) -> None:
        """Raised gold under a light from above: its flanks are bright where they look up."""
        height = _blur(layer, 0.035)
        slope = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3) * np.float32(_SCALE * 0.012)
        fall = _blur(layer, 0.14)
        self.planes *= 1 - np.float32(0.45) * np.roll(fall, 4, axis=0) * (1 - layer)
        self.paint(layer, _GOLD)
        self.paint(layer * np.clip(np.float32(0.35) + slope, 0, 1), _GOLD_LIGHT)
        self.planes *= 1 - np.float32(0.55) * layer * np.clip(-slope, 0, 1)

    def texture(self, whole: Layer) -> Texture:
        """Cut out, with the shadow that it throws on the face behind."""
        shadow = np.float32(0.5) * np.roll(_blur(whole, 0.32), round(0.12 * _SCALE), axis=0)
        alpha = whole + (1 - whole) * shadow
        shown = whole / np.maximum(alpha, np.float32(1e-3))
        red, green, blue = (plane * shown for plane in self.planes)
        half = cv2.convertScaleAbs(cv2.merge([blue, green, red, alpha]), alpha=255)
        picture = np.asarray(cv2.hconcat([cv2.flip(half, 1), half]), np.uint8)
        points = _pixels(canonical().xyz[:, :2]) + np.array([_SIDE // 2, 0], np.float32)
        return Texture.of_picture(picture, points, painted=True)


def _pixels(cm: Points) -> Points:
    return np.asarray(cm * np.array([_SCALE, -_SCALE], np.float32) + _MIDDLE, np.float32)


def _cm(indices: Sequence[int]) -> Points:
    return np.asarray(canonical().xyz[list(indices), :2])


def _hole(eye: Sequence[int]) -> Points:
    """Wider than the eye, so that its lids move inside of it."""
    line = _cm(eye)
    middle = line.mean(axis=0)
    return smooth(
        middle + (line - middle) * np.array([1.22, 1.75], np.float32) + np.array([0, 0.05], np.float32)
    )


def _blur(layer: Layer, radius: float) -> Layer:
    """radius: one standard deviation, cm. A wide one is found on a smaller sheet, where it costs little."""
    sigma, mirror = radius * _SCALE, cv2.BORDER_REFLECT
    if sigma < 8:
        return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma, borderType=mirror), np.float32)
    size = layer.shape[1::-1]
    small = cv2.resize(layer, (size[0] // 4, size[1] // 4), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=mirror), size), np.float32
    )
