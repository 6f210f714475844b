"""What a model takes the sex and the age of a face for: one look, and what several looks agree on."""

from collections import Counter, deque
from dataclasses import dataclass
from statistics import median_low
from typing import Literal

import numpy as np

from ..core.frame import Points

Sex = Literal["female", "male"]
LOOKS = 9
"""So many looks at a face are remembered; each new one takes the place of the oldest."""
_BUCKETS = (1, 6, 15, 25, 35, 45, 55, 65, 75)
"""The middle of fairface's spans of age: 0 to 2, 3 to 9, 10 to 19 and so on, 70 and more."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """A guess of a model, not a fact about a person."""

    sex: Sex
    age: int
    """Years."""


def decode_genderage(numbers: Points) -> Attributes:
    """Three numbers of one face: how female, how male, age in centuries."""
    sex: Sex = "male" if numbers[1] > numbers[0] else "female"
    return Attributes(sex, int(np.round(numbers[2] * 100)))


def decode_fairface(gender: int, age: int) -> Attributes:
    """The indices of fairface: 1 is female; the span of age, told by its middle."""
    return Attributes("female" if gender == 1 else "male", _BUCKETS[min(max(age, 0), len(_BUCKETS) - 1)])


class Vote:
    """What several looks at one face agree on. Called by one thread at a time."""

    def __init__(self) -> None:
        self._looks: deque[Attributes] = deque(maxlen=LOOKS)
        self._sex: Sex | None = None

    @property
    def looks(self) -> int:
        """How many count, `LOOKS` at most."""
        return len(self._looks)

    def add(self, look: Attributes) -> Attributes:
        """The sex that most looks say (where they are even, what it was before) and the median age."""
        self._looks.append(look)
        counts = Counter(one.sex for one in self._looks)
        first, *others = counts.most_common()
        if self._sex is None or not others or first[1] > others[0][1]:
            self._sex = first[0]
        return Attributes(self._sex, median_low(one.age for one in self._looks))
