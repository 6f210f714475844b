"""Who of the people in a picture wears a face."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from ..core.errors import UsageError
from ..faces.attributes import Sex
from ..faces.face import Face
from .processor import Workshop

Who = Annotated[
    str,
    Meta(extra_json_schema={"examples": ["all", "first", "female", "male", "age:18-40", "female,age:18-40"]}),
]
# Under one half the wearer is recognised, and what is called treated would not be.
Opacity = Annotated[
    float,
    Meta(ge=0.5, le=1, description="How much of it covers the face.", extra_json_schema={"step": 0.05}),
]
KeepMouth = Annotated[bool, Meta(description="Leaves the inside of the wearer's own mouth.")]
WHO = (
    "Who wears it: all, first (who was there first), female, male, or an age (age:18-40); joined by commas, all of it "
    "has to hold. All others are shown as they are."
)
WHOSE = (
    "Whose face: all, first (who was there first), female, male, or an age (age:18-40); joined by commas, all of it "
    "has to hold."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What somebody has to be to wear a face; nothing said is everybody."""

    first: bool = False
    sex: Sex | None = None
    ages: tuple[int, int] | None = None
    """Years, both included."""

    @property
    def judges(self) -> bool:
        """It asks for what only a model tells."""
        return self.sex is not None or self.ages is not None

    def holds(self, face: Face) -> bool | None:
        """Sex and age are asked for; None where nobody knows them (yet)."""
        if not self.judges:
            return True
        if face.attributes is None:
            return None
        low, high = self.ages or (0, 1000)
        return self.sex in (None, face.attributes.sex) and low <= face.attributes.age <= high


@lru_cache(maxsize=64)
def selection(who: Who) -> Selection:
    """What the words mean. Raises UsageError for one that means nothing, or that stands there twice."""
    words = [word.strip() for word in who.split(",")]
    first = sex = ages = None
    for word in words:
        years = re.fullmatch(r"age:(\d{1,3})-(\d{1,3})", word)
        match word:
            case "all" if len(words) == 1:
                return Selection()
            case "first" if first is None:
                first = True
            case "female" | "male" if sex is None:
                sex = word
            case _ if years and ages is None and int(years[1]) <= int(years[2]):
                ages = int(years[1]), int(years[2])
            case _:
                known = years or word in ("all", "first", "female", "male")
                raise UsageError(
                    f"faces: {who!r} says nobody" if known else f"faces: {word!r} is no word",
                    "write all, or first, female or male, age:18-40, joined by commas",
                )
    return Selection(bool(first), sex, ages)


def check_who(who: Who, workshop: Workshop) -> None:
    """Raises UsageError for words that mean nothing, or that need the model of attributes that is not chosen."""
    known = workshop.analysis is not None and bool(workshop.analysis.settings.attributes)
    if selection(who).judges and not known:
        raise UsageError(
            f"faces: {who!r} needs a model that tells sex and age",
            "choose one: --attributes genderage (`faceswapd models list`)",
        )


class UnwearableError(UsageError):
    """A processor cannot wear a face that another one can."""


def wearers(faces: Iterable[Face], who: Who) -> tuple[list[Face], list[Face]]:
    """Those who wear it, the farther first, so that a nearer one covers it; and those who are spared.

    Before all of them come those who are only held: whoever is seen in the place of one covers it.

    The first is the one with the lowest id, not the largest: somebody who leans towards the camera would
    take the wearer's face away. Whose sex or age is asked for and not known is neither: such a frame is not shown.
    """
    wanted = selection(who)
    ordered = sorted(faces, key=lambda face: (face.held_ns == 0, face.area))
    chosen = [face for face in ordered if wanted.holds(face)]
    spared = [face for face in ordered if wanted.holds(face) is False]
    if wanted.first and chosen:
        first = min(chosen, key=lambda face: face.id)
        spared = [face for face in ordered if face is not first and wanted.holds(face) is not None]
        chosen = [first]
    return chosen, spared
