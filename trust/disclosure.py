"""The visible badge: the last stage of every picture, with no road to a sink around it."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..core.effect import Effect
from ..core.errors import DisclosureError
from ..core.frame import Pixels, Points
from ..core.settings import Size

TEXT = "AI MODIFIED"
"""The label of the European code of practice on marking (2026) for pictures that were changed, not generated."""
CAP_HEIGHT = 0.05
"""Of the picture's shorter side; 5 % is the least that labelling rules ask for (GB 45438-2025)."""
_WIDEST = 0.9
"""Of the picture's width: in a narrow picture the badge shrinks rather than being cut."""
_INK = (255, 255, 255)
_PLATE = (24, 20, 18)
_PLATE_OPACITY = 0.72
_RIM_OPACITY = 0.85
_SMOOTH = 4
"""The plate is drawn so many times larger, for its round corners."""


@dataclass(frozen=True, slots=True, eq=False)
class _Badge:
    """Ready to be laid over a picture: out = under * keep + colour, read-only arrays, h x w x 3."""

    keep: Pixels
    colour: Pixels
    x: int
    y: int


_SAID = Effect.SWAPPED | Effect.RESTORED
"""What a viewer is told of. A restored face looks like its owner, but its skin and eyes are invented; an anonymised
one tells by itself."""


class Disclosure:
    """Marks pictures in which a face is not what the camera saw. Keeps no state: several threads may call it."""

    def __init__(self, on: bool = True) -> None:
        self.on = on

    def apply(self, pixels: Pixels, effect: Effect) -> None:
        """Draws the badge that `effect` asks for into `pixels`, in place, and touches nothing outside of it.

        Raises DisclosureError when it cannot: the picture must not be shown.
        """
        if not self.on or not effect & _SAID:
            return
        try:
            if not pixels.flags.writeable:
                raise ValueError("the picture is read-only")
            height, width, _ = pixels.shape
            badge = _badge(TEXT, (width, height))
            h, w = badge.keep.shape[:2]
            under = pixels[badge.y : badge.y + h, badge.x : badge.x + w]
            cv2.add(cv2.multiply(under, badge.keep, scale=1 / 255), badge.colour, dst=under)
        except (cv2.error, ValueError, TypeError, AttributeError) as error:
            raise DisclosureError("a picture could not be marked as changed", str(error)) from error


@lru_cache(maxsize=16)
def _badge(text: str, size: Size) -> _Badge:
    """The badge for a picture of `size` (width, height), in its upper right corner."""
    width, height = size
    cap = max(3.0, CAP_HEIGHT * min(size))
    badge = _drawn(text, cap)
    most = _WIDEST * width
    if badge.shape[1] > most:
        badge = _drawn(text, cap * most / badge.shape[1])
    badge = badge[:height, :width]
    h, w = badge.shape[:2]
    gap = round(0.03 * min(size))
    opacity = badge[..., 3:].astype(np.float32) / 255
    keep = np.repeat(np.rint(255 * (1 - opacity)), 3, axis=2).astype(np.uint8)
    colour = np.rint(badge[..., :3] * opacity).astype(np.uint8)
    for array in (keep, colour):
        array.flags.writeable = False
    return _Badge(keep, colour, max(0, width - w - gap), min(gap, height - h))


def _drawn(text: str, cap: float) -> Pixels:
    """The badge as BGRA: white letters with capitals of `cap` pixels on a dark plate with a light rim, so that it
    stands out on light and on dark alike."""
    ink = _letters(text, cap)
    side, above = round(0.7 * cap), round(0.55 * cap)
    ink = np.pad(ink, ((above, above), (side, side)))
    height, width = ink.shape
    large = np.zeros((height * _SMOOTH, width * _SMOOTH), np.uint8)
    rim = max(1.0, cap / 14)
    _plate(large, 0, 255)
    outer = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    large[:] = 0
    _plate(large, round(rim * _SMOOTH), 255)
    inner = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    light = np.maximum(ink, outer - inner)[..., None]
    colour = light * _INK + (1 - light) * _PLATE
    opacity = np.maximum(inner * _PLATE_OPACITY, (outer - inner) * _RIM_OPACITY)
    opacity = np.maximum(opacity, ink)
    return np.asarray(np.rint(np.dstack([colour, 255 * opacity])), np.uint8)


def _letters(text: str, cap: float) -> Points:
    """How much ink is on each pixel, 0 to 1, cut close around the letters."""
    font = cv2.FontFace("sans")
    em = max(4, round(cap / 0.75))  # its capitals are three quarters of its size
    canvas = np.zeros((2 * em, em * len(text), 3), np.uint8)
    cv2.putText(canvas, text, (em // 2, 3 * em // 2), _INK, font, em, 600)
    x, y, w, h = cv2.boundingRect(canvas[..., 0])
    return np.asarray(canvas[y : y + h, x : x + w, 0], np.float32) / np.float32(255)


def _plate(mask: Pixels, inset: int, value: int) -> None:
    """A rectangle with round corners, `inset` pixels within the mask."""
    h, w = mask.shape
    radius = round(0.28 * h) - inset
    x0, y0, x1, y1 = inset, inset, w - 1 - inset, h - 1 - inset
    cv2.rectangle(mask, (x0 + radius, y0), (x1 - radius, y1), (value,), -1)
    cv2.rectangle(mask, (x0, y0 + radius), (x1, y1 - radius), (value,), -1)
    for x in (x0 + radius, x1 - radius):
        for y in (y0 + radius, y1 - radius):
            cv2.circle(mask, (x, y), radius, (value,), -1)
