"""Eyelids and jaw of the bundled portrait: every level of a blink and of an opened mouth, painted once."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points

LEVELS = 12
LIDS = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)
"""Upper and lower lid of each eye in the mesh, from left to right in the picture."""
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The inner edge of the lower lip."""
CHIN = 152
LASHES = 0.5
"""Height of the upper lashes under the lid's landmarks, in pixels of the picture: they move with the lid."""
FOLD = 7.5
"""How much skin above the lid is stretched when it closes; as much as there is below the brow."""
OPENING = 6.5
"""How far the jaw falls at most, a sixth of the mouth's width."""
TEETH = 1.8
"""How far the teeth's edge in the middle is above the landmarks of the lip, in pixels of the picture."""
JAW = 44.0
"""Half of the width that moves at the chin."""
NECK = 28.0
"""Length of the neck under the chin in which the movement fades."""
DARK = (30, 24, 56)
"""The inside of the mouth, BGR."""
LASH = (38, 48, 74)
"""The line of the lashes on a closed eye, BGR."""

NO_MAP: Any = None
"""Tells `cv2.remap` that both coordinates are in its first map; its stubs do not know of that."""

Patch = tuple[slice, slice, Pixels]


class Expressions:
    """Puts eyelids and jaw into an enlarged picture, in place."""

    def __init__(self, picture: Pixels, points: Points, scale: float) -> None:
        """`points` (478 x 3) are in the picture before it was enlarged by `scale`."""
        self._picture = picture
        at_rest = picture.copy()
        shares = np.linspace(0, 1, LEVELS)
        self._eyes = [[_lids(at_rest, points, scale, eye, share) for share in shares] for eye in (0, 1)]
        self._mouths = [_jaw(at_rest, points, scale, share) for share in shares]

    def put(self, blink: float, mouth: float) -> None:
        """`blink` 0 open to 1 closed, `mouth` 0 at rest to 1 opened."""
        blinking, speaking = round(blink * (LEVELS - 1)), round(mouth * (LEVELS - 1))
        for rows, columns, pixels in (
            self._eyes[0][blinking],
            self._eyes[1][blinking],
            self._mouths[speaking],
        ):
            self._picture[rows, columns] = pixels


def _grid(
    scale: float, left: float, top: float, right: float, bottom: float
) -> tuple[slice, slice, NDArray[np.float32], NDArray[np.float32]]:
    """A part of the enlarged picture and its pixels' x (1 x w) and y (h x 1) in the picture."""
    x0, y0, x1, y1 = (round(v * scale) for v in (left, top, right, bottom))
    x = (np.arange(x0, x1, dtype=np.float32)[None] + 0.5) / scale - 0.5
    y = (np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5) / scale - 0.5
    return slice(y0, y1), slice(x0, x1), x, y


def _moved(picture: Pixels, scale: float, x: NDArray[np.float32], y: NDArray[np.float32]) -> Pixels:
    """The enlarged picture's colours at (x, y) of the picture."""
    to_x = np.broadcast_to((x + 0.5) * scale - 0.5, y.shape)
    lookup = np.stack([to_x, (y + 0.5) * scale - 0.5], axis=-1).astype(np.float32)
    return np.asarray(
        cv2.remap(picture, lookup, NO_MAP, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _lids(picture: Pixels, points: Points, scale: float, eye: int, share: float) -> Patch:
    """One eye with its lids closed by `share`: column by column, the open part is pressed to nothing."""
    upper, lower = (points[list(ids), :2] for ids in LIDS[eye])
    rows, columns, x, y = _grid(
        scale, upper[0, 0] - 2, upper[:, 1].min() - FOLD - 1, upper[-1, 0] + 2, lower[:, 1].max() + 5
    )
    lid, below = np.interp(x, *upper.T) + LASHES, np.interp(x, *lower.T) + 0.3
    below = np.maximum(below, lid + 0.05)
    meet = lid + 0.85 * (below - lid)
    new_lid, new_below = lid + share * (meet - lid), below + share * (meet + 0.05 - below)
    top, bottom = np.interp(x, *upper.T) - FOLD, below + 4
    source = np.where(
        y < new_lid,
        top + (y - top) * (lid - top) / (new_lid - top),
        np.where(
            y < new_below,
            lid + (y - new_lid) * (below - lid) / (new_below - new_lid),
            below + (y - new_below) * (bottom - below) / (bottom - new_below),
        ),
    )
    source = np.where((y <= top) | (y >= bottom), y, source)
    line = np.exp(-(((y - new_lid) / 0.8) ** 2)) * np.clip((below - lid) / 3, 0, 1)
    return (
        rows,
        columns,
        _blended(_moved(picture, scale, x, source), LASH, line * max(0.0, 2 * share - 1) * 0.75),
    )


def _jaw(picture: Pixels, points: Points, scale: float, share: float) -> Patch:
    """The mouth opened by `share`: the jaw falls, the gap under the teeth is dark."""
    lip, chin = points[list(LOWER_LIP), :2], points[CHIN, :2]
    middle, half = float(lip[:, 0].mean()), float(np.ptp(lip[:, 0])) / 2
    rows, columns, x, y = _grid(
        scale, middle - JAW, lip[:, 1].min() - 3, middle + JAW, chin[1] + OPENING + NECK
    )
    edge = np.interp(x, *lip.T) - TEETH * np.clip(1 - ((x - middle) / half) ** 2, 0, 1)
    fall = OPENING * share
    down = np.clip((y - edge) / (chin[1] - edge), 0, 1)
    reach = half + (JAW - half) * down * down * (3 - 2 * down)
    bulge = np.clip(1 - ((x - middle) / reach) ** 2, 0, 1)
    gap = fall * np.clip(1 - ((x - middle) / half) ** 2, 0, 1) ** 0.75
    fade = np.clip((chin[1] + OPENING + NECK - y) / NECK, 0, 1)
    drop = fall * bulge * fade * fade * (3 - 2 * fade)
    source = y - drop * np.clip((y - edge) / np.maximum(gap, 1.0), 0, 1)
    inside = (
        np.clip((y - edge) / 1.2, 0, 1) * np.clip((edge + gap - y) / 1.2 + 0.5, 0, 1) * np.clip(gap / 2, 0, 1)
    )
    return rows, columns, _blended(_moved(picture, scale, x, source), DARK, inside)


def _blended(pixels: Pixels, colour: tuple[int, int, int], share: NDArray[np.floating[Any]]) -> Pixels:
    """Pixels with `share` (h x w, 0 to 1) of a colour mixed in."""
    mixed = pixels + (np.array(colour, np.float32) - pixels) * share[..., None].astype(np.float32)
    return np.asarray(mixed.round(), np.uint8)
