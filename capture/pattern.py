"""`pattern:`, a test picture that tells its own number: colour bars, a moving square, a counter strip."""

import cv2
import numpy as np

from ..core.errors import UsageError
from ..core.frame import Pixels
from ..core.settings import Size
from .source import Shot

BITS = 16
STRIP = 32
"""Height of the counter strip in pixels."""
BARS = ((255, 255, 255), (0, 255, 255), (255, 255, 0), (0, 255, 0),
        (255, 0, 255), (0, 0, 255), (255, 0, 0), (0, 0, 0))  # fmt: skip
"""White, yellow, cyan, green, magenta, red, blue, black, from left to right; BGR."""
MIN_SIZE = (64, 64)


class Pattern:
    """Frame `n` is a pure function of `n` and the size; it never ends.

    Rows 0 to 31 are 16 cells of equal width, cell k white where bit k of `n` modulo 65536 is 1, else
    black. Under them stand the eight bars; a grey square walks over their lower third, four pixels a frame.
    """

    name = "pattern:"
    paced = True

    def __init__(self, size: Size, fps: float) -> None:
        """Raises UsageError for a size that the counter does not fit into."""
        width, height = size
        if width < MIN_SIZE[0] or height < MIN_SIZE[1]:
            raise UsageError(f"pattern of {width}x{height}", "at least {}x{}".format(*MIN_SIZE))
        self.size = size
        self.fps = fps
        self._n = 0
        self._still = np.empty((height, width, 3), np.uint8)
        for i, colour in enumerate(BARS):
            self._still[:, width * i // len(BARS) : width * (i + 1) // len(BARS)] = colour
        self._edges = [width * k // BITS for k in range(BITS + 1)]

    def open(self) -> None:
        """Nothing to acquire."""

    def read(self) -> Shot:
        """The next frame at once; a fresh array."""
        n = self._n
        self._n += 1
        return Shot(self.draw(n), n / self.fps)

    def close(self) -> None:
        """Nothing to release."""

    def draw(self, n: int) -> Pixels:
        """Frame `n`; a fresh array."""
        pixels = self._still.copy()
        height, width = pixels.shape[:2]
        for k in range(BITS):
            pixels[:STRIP, self._edges[k] : self._edges[k + 1]] = 255 * (n >> k & 1)
        side = max(8, (height - STRIP) // 6)
        x, y = 4 * n % (width - side), height - 2 * side
        cv2.rectangle(pixels, (x, y), (x + side - 1, y + side - 1), (128, 128, 128), cv2.FILLED)
        return pixels


def counter(pixels: Pixels) -> int:
    """The number that a frame of the pattern carries (0 to 65535), also after a lossy codec.

    The strip's own height must have survived: a resized picture reads as long as its strip does.
    """
    width = pixels.shape[1]
    row = pixels[STRIP // 4 : STRIP // 2].mean(axis=(0, 2))
    middles = [(2 * k + 1) * width // (2 * BITS) for k in range(BITS)]
    return sum(1 << k for k, x in enumerate(middles) if row[x - 1 : x + 2].mean() > 127)
