"""A picture as a source: the same frame for ever."""

from pathlib import Path

import cv2
import numpy as np

from ..core.errors import BadInputError, MissingInputError
from ..core.frame import Pixels
from ..core.settings import Size
from .source import Shot

SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".jpe", ".png", ".tif", ".tiff", ".webp"})
"""What is taken for a picture by its name; everything else is tried as a film."""
FORMATS = "JPEG, PNG, WebP, AVIF, TIFF and BMP"
"""The same for people."""


def load_picture(path: Path) -> Pixels:
    """A picture file as BGR, turned upright as its EXIF orientation says; transparency is dropped.

    The file is read by numpy, because OpenCV's own reader fails on non-ASCII paths on Windows.
    Raises MissingInputError when there is no such readable file, BadInputError when it is no picture.
    """
    try:
        raw = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise MissingInputError(f"picture {path}", "there is no such file") from None
    except IsADirectoryError:
        raise MissingInputError(f"picture {path}", "that is a folder; name a file in it") from None
    except OSError as error:
        raise MissingInputError(f"picture {path}", f"it cannot be read ({error.strerror})") from None
    try:
        pixels = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file, or more pixels than OpenCV allows
        pixels = None
    if pixels is None:
        raise BadInputError(f"picture {path}", f"it is damaged or in an unknown format; {FORMATS} work")
    return np.asarray(pixels, np.uint8)


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
