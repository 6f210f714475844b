"""How the light on a face has changed from one frame to another: gains that vary slowly over its crop.

The same places of the skin, found by the mesh, are looked at in both frames. What has changed in most of them, alike
or more and more from one side to the other, is light; what has changed in some only (a hand, hair, a frown) is
something else. Eyes, brows and mouth are not looked at, so neither a blink nor a word is light. All is in BGR as
displayed: the curve of displays is nearly a power, so a gain of the light is a gain there. Pure; any thread.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels, Points
from . import masks
from .canonical import canonical

Gains = NDArray[np.float32]
"""CELLS x CELLS x 3 over a crop, BGR: what each level is multiplied by."""

CELLS = 12
LIMIT = 3.0
"""No gain is larger, or smaller than its inverse: these are three stops and a half of light."""
STEADY = 0.015
"""A gain that is nearer to 1 is 1: those that a camera's noise makes (0.01 at most, at 8 levels) are not to be seen."""
ALIKE = 0.15
"""By which part of its level a place may differ from what was found of the light and have nothing but light on it."""
MANY, FEW = 0.8, 0.65
"""Parts of the places: where so many are alike the light is known, and where so few it is not. Eight frames after a
network's run lights leave 0.86 alike or more, on a drawn beard 0.73, a hand before a third of the face 0.8 or less."""
OTHER = 0.09
"""By which part of its level half of all places differ, from one frame to a next one, where it is somebody else's
face: between four people it was 0.103 and more, on one talking head 0.02 in the next frame and 0.06 a second later,
with hard shadows that come at once 0.09."""
_SIDE = 32
"""Of the picture that is looked at: a camera's noise is gone in it."""
_APART = 20
"""Cells of the canonical face's texture, side by side, in each of which it is looked at most once."""
_WITHIN = -0.16
"""By which part of its distance from the middle the oval is drawn in: hair and background stay outside."""
_BESIDE = 21
"""Side of a square, of 256 for that texture, in which nothing of eyes, brows and lips may lie around a place: lids
and lips move, and glasses have rims."""
_FLOOR = 2.0
"""Levels added to all: in the dark one level more is no light."""
_NEAR = 0.07
"""So far from the light that is found a place has at least a quarter of its say."""
_ROUNDS = 3
"""Of fitting: what has little say in one has less in the next."""
_EVEN = 1e-3
"""Part of all places' say that is for a light which is the same everywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """The skin of a face as it is lit in one frame."""

    colours: Points
    """3 x P: the logarithms of the levels of its P places."""
    places: Points
    """2 x P, in parts of the crop's side."""

    @classmethod
    def of(cls, crop: Pixels | Points, points: Points, levels: float = 1.0) -> "Lit":
        """points: the mesh in parts of the crop's side, N x 2 or more; `levels`: 255 where the crop is 0 to 1."""
        # Every pixel of a large crop would take longer than all else here; four samples of each are enough.
        samples = cv2.resize(crop, (2 * _SIDE, 2 * _SIDE), interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(samples, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        places = np.ascontiguousarray(points[:, :2].T)[:, _skin().T].sum(axis=1) / np.float32(3)
        x, y = places * np.float32(_SIDE) - np.float32(0.5)
        seen = cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        colours = seen.reshape(-1, 3).T.astype(np.float32) * np.float32(levels)
        return cls(np.log(colours + np.float32(_FLOOR)), places)

    def another(self, before: "Lit") -> bool:
        """It is somebody else's face, for all that its skin tells: no light on the one before looks like that.

        For two frames that follow each other, or nearly so; the crops must be of one channel order.
        """
        change = self.colours - before.colours
        away = np.abs(change - _median(change)).max(axis=0)
        # Nearly always that is all; what is more on one side than on the other takes a look more.
        return bool(_median(away)[0] > OTHER and _median(self._light_since(before)[1])[0] > OTHER)

    def since(self, before: "Lit") -> Gains | None:
        """What another light on the same face does to its levels, in the crop of this frame.

        None where it is the same light, or nobody can tell.
        """
        fit, away = self._light_since(before)
        (x0, y0), (rx, ry) = self._middle
        alike = np.count_nonzero(away < ALIKE) / len(away)
        if alike <= FEW:
            return None
        x, y = (_COLUMNS - x0) / rx, (_ROWS - y0) / ry
        # Beyond the last place the light is what it is there: a curve would run away.
        within = 1 / np.sqrt(np.maximum(x * x + y * y, np.float32(1)))
        field = fit @ _terms(x * within, y * within)
        field *= np.float32(min((alike - FEW) / (MANY - FEW), 1))
        # Shrunk by the less the larger it is: nothing jumps, and a light that is seen is followed all the way.
        field *= 1 - (STEADY / np.maximum(np.abs(field), np.float32(STEADY))) ** 2
        if not field.any():
            return None
        most = np.float32(np.log(LIMIT))
        return np.asarray(np.exp(np.clip(field, -most, most)).T.reshape(CELLS, CELLS, 3), np.float32)

    @property
    def _middle(self) -> tuple[Points, Points]:
        """The middle of its places, and how far they reach from it, x and y."""
        low, high = self.places.min(axis=1), self.places.max(axis=1)
        return (low + high) / 2, np.maximum(high - low, np.float32(1e-3)) / 2

    def _light_since(self, before: "Lit") -> tuple[Points, Points]:
        """As `_fitted`."""
        (x0, y0), (rx, ry) = self._middle
        return _fitted(
            _terms((self.places[0] - x0) / rx, (self.places[1] - y0) / ry), self.colours - before.colours
        )


def relit(picture: Pixels, gains: Gains) -> Pixels:
    """A crop of any size in another light; a new array."""
    field = cv2.resize(gains, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(picture, field, dtype=cv2.CV_8U), np.uint8)


def _fitted(terms: Points, change: Points) -> tuple[Points, Points]:
    """What most places agree on, as parts of the terms (3 x 6), and how far each place is from it (P).

    Least squares, each place weighted by how near it was to the last fit. It begins at the median, from which not
    even a hand before a third of the face leads it away.
    """
    even = np.diag([0.0] + [_EVEN * terms.shape[1]] * (len(terms) - 1)).astype(np.float32)
    away = np.abs(change - _median(change)).max(axis=0)
    fit = np.zeros((3, len(terms)), np.float32)
    for _ in range(_ROUNDS):
        near = 1 + (away / max(_NEAR, float(_median(away)[0]))) ** 2
        said = terms / (near * near)
        fit = np.linalg.solve(said @ terms.T + even, said @ change.T).T
        away = np.abs(change - fit @ terms).max(axis=0)
    return fit, away


def _terms(x: Points, y: Points) -> Points:
    """6 x N for places -1 to 1 across the face: the same everywhere, two slopes, three bends."""
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])


def _median(rows: Points) -> Points:
    """Of each row, as a column; `np.median` takes longer than all else here."""
    half = rows.shape[-1] // 2
    return np.partition(rows, half)[..., half : half + 1]


@lru_cache(maxsize=1)
def _skin() -> NDArray[np.int32]:
    """P x 3: the corners of the triangles in whose middle it is looked, evenly over the canonical face's texture."""
    face, side = canonical(), 256
    texture = face.uv * np.float32(side)
    beside = np.zeros((side, side), np.uint8)
    for part in (masks.LEFT_EYE, masks.RIGHT_EYE, masks.LEFT_EYEBROW, masks.RIGHT_EYEBROW, masks.LIPS_OUTER):
        masks.fill(beside, masks.polygon(texture, part))
    beside = np.asarray(cv2.dilate(beside, np.ones((_BESIDE, _BESIDE), np.uint8)), np.uint8)
    shown = cv2.min(masks.oval_mask(texture, (side, side), _WITHIN), cv2.bitwise_not(beside))
    middles = texture[face.triangles].mean(axis=1)
    x, y = middles.astype(int).T
    within = np.flatnonzero(shown[y, x] > 127)
    _, first = np.unique((middles[within] * (_APART / side)).astype(int), axis=0, return_index=True)
    return face.triangles[within[first]]


_COLUMNS, _ROWS = (
    np.indices((CELLS, CELLS), np.float32)[::-1].reshape(2, -1) + np.float32(0.5)
) / np.float32(CELLS)
"""The middles of all cells, in parts of the crop's side."""
