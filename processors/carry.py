"""A restored face carried to later frames: its detail, laid on what the face looks like now.

What a network has made of a face is kept in the space of its crop, never in that of the frame: it is laid back by
the alignment of the frame that it is shown in, and within the crop it follows what has moved since. Its low
frequencies are exchanged for those of the frame, so that light and slow changes go on, and where the frame shows
something else than it did (a lid over an eye, an open mouth, a hand) nothing of it is shown. Pure; any thread.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from ..faces import masks
from ..faces.crop import enlarged, moved, scale_of, soft_box
from .look import Look

SMALL = 128
"""Side of the picture of low frequencies: an eye is 30 pixels wide in it."""
SAME = 14.0
"""Levels by which what is seen may differ from what was seen and be the same; more than the noise of a camera and
the shift of a mesh make of it,"""
OTHER = 34.0
"""and those by which it is something else: a closed lid differs by 40 to 120 from the eye."""
MOST_OTHER = 0.3
"""Of the face: where more of it is something else, the whole is."""
TURNED = 0.012
"""Mean way of the mesh's points in the crop, in sides of it, from which on it is another view: that of a head that
turned by 17 degrees. An opened mouth is 0.003."""
GREW = 1.5
"""Times larger or smaller: detail of another size."""

NO_MAP: Any = None
"""Tells `cv2.remap` that both coordinates are in its first map; its stubs do not know of that."""


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """What a network has made of a face, ready to be carried on."""

    picture: Pixels
    number: int
    """The id of the face."""
    treated: bool
    scale: float
    """Crop pixels per frame pixel."""
    small: Pixels
    """The low frequencies of what it was made of, SMALL x SMALL."""
    points: Points
    """The mesh in parts of the crop's side, N x 2."""

    @classmethod
    def of(cls, result: Pixels, look: Look) -> "Restored":
        """`result` is kept no finer than its place in the frame: the rest would be thrown away in every frame anew."""
        into = enlarged(look.matrix, len(result) / len(look.crop))
        while scale_of(into) >= 2 and len(result) > SMALL:
            half = len(result) // 2
            result = np.asarray(cv2.resize(result, (half, half), interpolation=cv2.INTER_AREA), np.uint8)
            into = enlarged(into, 0.5)
        return cls(result, look.face.id, look.treated, scale_of(look.matrix), _small(look.crop), _parts(look))

    def now(self, look: Look) -> tuple[Pixels, masks.Mask] | None:
        """As the same face has to be shown now, and how much of it may be (255 all), both of the picture's size.

        None where it is another face, or no longer the same view of it.
        """
        grew, points = scale_of(look.matrix) / self.scale, _parts(look)
        # Nothing of somebody's own face is ever laid on the one that hides it.
        if (look.face.id, look.treated) != (self.number, self.treated) or not 1 / GREW < grew < GREW:
            return None
        if float(np.linalg.norm(points - self.points, axis=1).mean()) > TURNED:
            return None
        small = _small(look.crop)
        where = _moved_from(small, self.small)
        change = small.astype(np.int16) - _sampled(self.small, where)
        within = _within(points)
        # A light that was switched on changes all of the face alike, and nothing of what it is.
        light = np.array(cv2.mean(change.astype(np.float32), within)[:3], np.float32)
        away = np.abs(change - light).max(axis=2)
        if float((away[within > 127] > OTHER).mean()) > MOST_OTHER:
            return None
        share = np.clip((OTHER - away) * np.float32(255 / (OTHER - SAME)), 0, 255).astype(np.uint8)
        # What is beside a lid belongs to it, and where it ends the two meet softly.
        share = np.asarray(cv2.blur(cv2.erode(share, _NEAR), (3, 3)), np.uint8)
        side = len(self.picture)
        picture: Any = cv2.add(
            _sampled(self.picture, _sized(where, side)), _sized(change, side), dtype=cv2.CV_8U
        )
        return np.asarray(picture, np.uint8), np.asarray(_sized(share, side), np.uint8)


def _moved_from(now: Pixels, then: Pixels) -> Points:
    """Where each pixel of `now` was in `then`, as a part of the side (SMALL x SMALL x 2).

    The alignment says it to a pixel or two, for landmarks tremble and lag, and a cheek does not turn as an eye does.
    """
    still = np.zeros((SMALL, SMALL, 2), np.float32)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(
        cv2.cvtColor(now, cv2.COLOR_BGR2GRAY), cv2.cvtColor(then, cv2.COLOR_BGR2GRAY), still
    )
    flow = cv2.GaussianBlur(flow, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray((_GRID + flow + 0.5) / SMALL, np.float32)


def _sampled(picture: Pixels, where: Points) -> Pixels:
    place = where * np.float32(len(picture)) - np.float32(0.5)
    return np.asarray(
        cv2.remap(picture, place, NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _small(crop: Pixels) -> Pixels:
    """The low frequencies of a crop, SMALL x SMALL x 3."""
    shrunk = cv2.resize(crop, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(shrunk, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _parts(look: Look) -> Points:
    return np.asarray(moved(look.face.points, look.matrix) / np.float32(len(look.crop)))


def _sized(picture: NDArray[Any], side: int) -> NDArray[Any]:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR))


def _within(points: Points) -> masks.Mask:
    """Where the face is in the small picture."""
    oval = masks.oval_mask(points * np.float32(SMALL), (SMALL, SMALL), 0.0, 0.5)
    return np.asarray(cv2.min(oval, _BOX), np.uint8)


_NEAR = np.ones((5, 5), np.uint8)
_BOX = soft_box(SMALL, 0.01)
_GRID = np.stack(np.meshgrid(np.arange(SMALL), np.arange(SMALL)), axis=2).astype(np.float32)
