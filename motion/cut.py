"""What two pictures that follow each other are to each other: the same, the next moment, or another scene."""

import cv2
import numpy as np

from .between import Passage
from .flow import Grey, fetched

_BINS = 64
_ANOTHER = 0.6
"""Mismatch after motion was taken out, as a share of the picture's contrast: from here on it is a cut. In three films
no two pictures that follow each other came above 0.25 but at a cut; of 60 made cuts none came below 0.7."""
_CONTRAST = 8.0
"""Of 255, as a standard deviation: in a picture with less there is nothing to match."""
_SPREAD = 0.6
"""What counts instead there: how much of the brightness lies elsewhere."""
_SAME = 1
"""Of 255, around every pixel: a picture that differs by no more from the one before is that one, held."""
_AROUND = (5, 5)


def cut(passage: Passage) -> bool:
    """A new scene begins with the second picture: nothing lies between the two.

    So does, for who asks, motion that is too wide to be followed.
    """
    first, second = passage.first, passage.second
    if not first.size:
        return False
    if min(first.std(), second.std()) < _CONTRAST:
        return _spread(first, second) > _SPREAD
    return min(_mismatch(way, second) for way in (fetched(first, passage.motion.back), first)) > _ANOTHER


def held(first: Grey, second: Grey) -> bool:
    """The second picture is the first once more, but for what an encoder adds; of one size, as `reduced` gives."""
    return int(cv2.blur(cv2.absdiff(first, second), _AROUND).max(initial=0)) <= _SAME


def _mismatch(first: Grey, second: Grey) -> float:
    """How little two pictures match, as a share of the contrast, once they are equally bright and deep: a fade or a
    flash changes every pixel and is no cut."""
    (mean, deviation), (mean2, deviation2) = (
        (float(v.ravel()[0]) for v in cv2.meanStdDev(picture)) for picture in (first, second)
    )
    gain = deviation2 / max(deviation, 1.0)
    alike = cv2.addWeighted(first, gain, first, 0, mean2 - gain * mean)
    return float(cv2.blur(cv2.absdiff(alike, second), _AROUND).mean()) / deviation2


def _spread(first: Grey, second: Grey) -> float:
    """How much of the brightness lies in other bins, from 0 to 1."""
    one, two = (
        np.histogram(picture, bins=_BINS, range=(0, 256))[0] / picture.size for picture in (first, second)
    )
    return float(np.abs(one - two).sum()) / 2
