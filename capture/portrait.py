"""`portrait:`, the bundled portrait moved as a person moves in a call: the camera of the demo."""

import numpy as np

from ..core.errors import UsageError
from ..core.frame import Pixels
from ..core.settings import Size
from .motion import Motion
from .person import Person
from .source import Shot

MOST_FACES = 4
MIN_SIZE = (64, 64)


class Portrait:
    """Frame `n` is a pure function of `n`, the size, the rate and the seed; it never ends.

    With more than one face, as many equal tiles stand side by side, as a call's gallery shows them, and
    everybody moves on their own.
    """

    paced = True

    def __init__(self, size: Size, fps: float, faces: int = 1, seed: int = 0) -> None:
        """Raises UsageError for a number of faces or a size that cannot be shown."""
        if not 1 <= faces <= MOST_FACES:
            raise UsageError(f"portrait of {faces} faces", f"from 1 to {MOST_FACES}")
        if size[0] < MIN_SIZE[0] * faces or size[1] < MIN_SIZE[1]:
            raise UsageError(
                f"portrait of {size[0]}x{size[1]}", "a face takes at least {}x{}".format(*MIN_SIZE)
            )
        self.name = "portrait:" if faces == 1 else f"portrait:{faces}"
        self.size = size
        self.fps = fps
        self._edges = [size[0] * i // faces for i in range(faces + 1)]
        self._motions = [Motion(seed + 1000 * i) for i in range(faces)]
        self._people: dict[Size, Person] = {}
        self._n = 0

    def open(self) -> None:
        """Prepares the picture: about a tenth of a second."""
        for size in {self._tile(i) for i in range(len(self._motions))}:
            self._people[size] = Person(size)

    def read(self) -> Shot:
        """The next frame at once; a fresh array."""
        n = self._n
        self._n += 1
        return Shot(self.draw(n), n / self.fps)

    def close(self) -> None:
        """Lets the picture go."""
        self._people.clear()

    def draw(self, n: int) -> Pixels:
        """Frame `n`; a fresh array. The source must be open."""
        tiles = [self._people[self._tile(i)].paint(m.at(n / self.fps)) for i, m in enumerate(self._motions)]
        return tiles[0] if len(tiles) == 1 else np.concatenate(tiles, axis=1)

    def _tile(self, i: int) -> Size:
        return self._edges[i + 1] - self._edges[i], self.size[1]
