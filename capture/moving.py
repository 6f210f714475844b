"""A moving picture as a source: over and over, as a browser shows it."""

import math
from pathlib import Path

from ..core.settings import Size
from .animation import Cel, load_animation
from .source import Shot

_AGAIN_S = 0.1
"""A cel that lasts longer is given again after at most so long: what is switched meanwhile is seen soon."""


class Moving:
    """Plays a WebP, PNG or AVIF that moves, each of its pictures for its own time, for ever. All are in memory.

    How often it is to be repeated (files may say "once") is not obeyed: a picture as a source has no end.
    """

    paced = True

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._cels: list[Cel] = []
        self._n = self._again = self._at_ms = 0

    @property
    def size(self) -> Size:
        """(width, height) of the picture."""
        assert self._cels, "not open"
        return self._cels[0].pixels.shape[1], self._cels[0].pixels.shape[0]

    @property
    def fps(self) -> float:
        """Shots per second on average."""
        assert self._cels, "not open"
        return 1000 * sum(_shots(cel) for cel in self._cels) / sum(cel.ms for cel in self._cels)

    def open(self) -> None:
        """Decodes all of it. Raises MissingInputError or BadInputError."""
        self._cels = load_animation(self._path)
        for cel in self._cels:
            cel.pixels.flags.writeable = False
        self._n = self._again = self._at_ms = 0

    def read(self) -> Shot:
        """The next picture, or once more the one that lasts, at once. All shots of a cel share one array."""
        cel = self._cels[self._n]
        shot = Shot(cel.pixels, (self._at_ms + cel.ms * self._again / _shots(cel)) / 1000)
        self._again += 1
        if self._again == _shots(cel):
            self._at_ms += cel.ms
            self._n, self._again = (self._n + 1) % len(self._cels), 0
        return shot

    def close(self) -> None:
        """Forgets the pictures."""
        self._cels = []


def _shots(cel: Cel) -> int:
    return math.ceil(cel.ms / 1000 / _AGAIN_S)
