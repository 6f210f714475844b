"""Who of the people in a picture wears a face."""

from collections.abc import Iterable
from typing import Literal

from ..core.errors import UsageError
from ..faces.face import Face

Who = Literal["all", "first"]
WHO = "Who wears it: everybody, or only who was there first; all others are shown as they are."


class Unwearable(UsageError):
    """A processor cannot wear a face that another one can."""


def wearers(faces: Iterable[Face], who: Who) -> tuple[list[Face], list[Face]]:
    """Those who wear it, the farther first, so that a nearer one covers it; and those who are spared.

    The first is the one with the lowest id, not the largest: somebody who leans towards the camera would
    take the wearer's face away.
    """
    ordered = sorted(faces, key=lambda face: face.area)
    if who == "all" or not ordered:
        return ordered, []
    first = min(ordered, key=lambda face: face.id)
    return [first], [face for face in ordered if face is not first]
