"""A swapped face bent to later frames: what a network made of one frame, moved as the mesh of the face has moved since.

The mesh says where each part of the face is now: the head's movement, the lips and the lids follow at the camera's
rate, and so does the light on it, while the network has time for a few frames a second. Pure; any thread.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..core.frame import Pixels, Points
from ..faces import masks
from ..faces.crop import moved, scale_of
from ..faces.light import Lit, relit
from ..faces.warp import rasterise, skirted
from .look import Hidden, Look

CELLS = 96
"""Side of the grid on which the map is found; it is linear between the corners of a mesh whose triangles are larger."""
TURNED = 0.03
"""Mean way of the mesh's points in the crop, in sides of it, from which on it is another view: what the head has
turned to the camera was not seen before."""
GREW = 1.5
"""Times larger or smaller: detail of another size."""
UNSEEN = 0.1
"""Part of the mesh's points that lay beyond the frame's border and are in sight by now: the network knows nothing of
them."""
BLINK = 0.7
"""Of how far the eyes were open: a blink goes down to 0.3, and a smile to 0.85."""
_SKIRT = 0.3
"""Beyond the oval, as a part of the distance from its middle: the soft edge of a worn face ends within it."""
_ROOM = 3.0
"""The map reaches so many sides of the crop, the crop in their middle: a chin may lie below it."""


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """What a swapper has made of a face, ready to be bent."""

    picture: Pixels
    """S x S x 3, in the crop of the frame that it was made of."""
    mask: masks.Mask | None
    """Where it may be shown, S x S."""
    number: int
    """The id of the face."""
    scale: float
    """Crop pixels per frame pixel."""
    points: Points
    """The mesh in parts of the crop's side, N x 2."""
    lids: float
    """How far the eyes are open, by their width."""
    lit: Lit
    """The wearer's skin in the frame that it was made of."""
    appearance: int
    """See `Face.appearance`."""
    held: bool
    """It was made of what lay where the face was seen last: of a wall, or of who stepped there."""
    hidden: Hidden
    """See `Look.hidden`."""
    frame: int
    """The number of the frame that it was made of."""

    @classmethod
    def of(cls, picture: Pixels, mask: masks.Mask | None, look: Look, frame: int = 0) -> "Worn":
        """Of the swapped crop of a look."""
        face, parts = look.face, _parts(look)[:, :2]
        lit = Lit.of(look.crop, parts)
        return cls(
            picture, mask, face.id, scale_of(look.matrix), parts, _lids(parts), lit,
            face.appearance, face.held_ns > 0, look.hidden, frame,
        )  # fmt: skip

    def follows(self, before: "Worn", look: Look) -> bool:
        """It is worth more than what was made before, for `look` of which it was made."""
        if (self.appearance, self.frame) < (before.appearance, before.frame):
            return False  # the network was late: somebody else is there by now, or another view
        if not before.fits(look):
            return True
        return not self.held and not self.blinks(before)

    def blinks(self, before: "Worn") -> bool:
        """It was made of closed eyes and `before` of open ones: these can be bent shut, but shut ones not open."""
        return self.lids < BLINK * before.lids

    def fits(self, look: Look) -> bool:
        """Whether it is this face, seen from about the same side and distance: else the network has to look anew."""
        return self._fits(look, _parts(look))

    def now(self, look: Look) -> tuple[Pixels, masks.Mask | None] | None:
        """The same in the crop and in the light of another look at this face, and where it may be shown.

        None where it does not fit.
        """
        parts = _parts(look)
        if not self._fits(look, parts):
            return None
        side = self.picture.shape[0]
        place, covered = _map(parts, self.points)
        # Between the last cell that is known and the first that is not nothing is.
        covered = np.asarray(cv2.erode(covered, _NEAR, borderValue=255), np.uint8)
        x, y = cv2.split(cv2.resize(place * np.float32(side) - np.float32(0.5), (side, side)))
        picture = cv2.remap(self.picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        gains = Lit.of(look.crop, parts).since(self.lit)
        if gains is not None:
            picture = relit(np.asarray(picture, np.uint8), gains)
        shown = np.asarray(cv2.resize(covered, (side, side)), np.uint8)
        if self.mask is not None:
            bent = cv2.remap(self.mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            shown = np.asarray(cv2.min(shown, bent), np.uint8)
        return np.asarray(picture, np.uint8), shown

    def _fits(self, look: Look, parts: Points) -> bool:
        grew = scale_of(look.matrix) / self.scale
        face = look.face
        if (face.id, face.appearance) != (self.number, self.appearance) or (self.held and not face.held_ns):
            return False
        if not 1 / GREW < grew < GREW or not np.isfinite(parts).all():
            return False
        if self.hidden.any() and np.mean(self.hidden & ~look.hidden) > UNSEEN:
            return False
        return float(np.linalg.norm(parts[:, :2] - self.points, axis=1).mean()) <= TURNED


def _map(now: Points, then: Points) -> tuple[Points, masks.Mask]:
    """Where each cell of the crop was in the crop then, as a part of its side (CELLS x CELLS x 2), and 255 where
    that is known."""
    local = skirted(now, _SKIRT) * np.float32(CELLS)
    local[:, :2] -= np.float32(0.5)
    values = (skirted(then, _SKIRT) + np.float32((_ROOM - 1) / 2)) / np.float32(_ROOM)
    where, covered = rasterise(
        local, np.column_stack([np.clip(values, 0, 1), np.ones(len(values), np.float32)]), (CELLS, CELLS)
    )
    return np.asarray(where[..., :2] * np.float32(_ROOM) - np.float32((_ROOM - 1) / 2)), covered


def _parts(look: Look) -> Points:
    """The mesh in parts of the crop's side, x, y and depth (N x 3)."""
    points, side = look.face.points, np.float32(len(look.crop))
    depth = points[:, 2:3] * np.float32(scale_of(look.matrix))
    return np.column_stack([moved(points, look.matrix) / side, depth / side]).astype(np.float32)


def _lids(points: Points) -> float:
    """The mean distance of the lids by the width of the eye."""
    above, below, inner, outer = (points[list(corners)] for corners in _EYES)
    gaps, widths = (np.linalg.norm(a - b, axis=1) for a, b in ((above, below), (inner, outer)))
    return float((gaps / np.maximum(widths, 1e-6)).mean())


_NEAR = np.ones((3, 3), np.uint8)
_EYES = (159, 386), (145, 374), (133, 362), (33, 263)
"""Of both eyes: upper and lower lid in their middle, inner and outer corner."""
