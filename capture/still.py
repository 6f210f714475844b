"""A picture as a source: the same frame for ever."""

from pathlib import Path

from ..core.frame import Pixels
from ..core.settings import Size
from .picture import load
from .source import Shot


def load_picture(path: Path) -> Pixels:
    """A picture file as BGR, turned upright as it says; transparency is dropped.

    Raises MissingInputError when there is no such readable file, BadInputError when it is no picture.
    """
    return load(path).pixels


class Still:
    """Gives one picture at `fps`, for ever. All shots share one read-only array."""

    paced = True

    def __init__(self, path: Path, fps: float = 30.0) -> None:
        self.name = str(path)
        self.fps = fps
        self._path = path
        self._pixels: Pixels | None = None
        self._n = 0

    @property
    def size(self) -> Size:
        """(width, height) of the picture, upright."""
        assert self._pixels is not None, "not open"
        return self._pixels.shape[1], self._pixels.shape[0]

    def open(self) -> None:
        """Reads the file. Raises MissingInputError or BadInputError."""
        self._pixels = load_picture(self._path)
        self._pixels.flags.writeable = False

    def read(self) -> Shot:
        """The picture, at once."""
        assert self._pixels is not None, "not open"
        n = self._n
        self._n += 1
        return Shot(self._pixels, n / self.fps)

    def close(self) -> None:
        """Forgets the picture."""
        self._pixels = None
