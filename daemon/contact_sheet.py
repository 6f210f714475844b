"""A contact sheet: some frames before and after, side by side."""

import threading
from pathlib import Path

import cv2
import numpy as np

from ..core.frame import Pixels
from ..sinks.picture import save

WIDTH = 480
"""Of one picture on the sheet."""
_GAP = 8


class ContactSheet:
    """Collects pairs of pictures. Any thread."""

    def __init__(self, pairs: int) -> None:
        self._most = pairs
        self._pairs: dict[int, tuple[Pixels, Pixels]] = {}
        self._lock = threading.Lock()

    def wants(self, n: int, total: int | None) -> bool:
        """Frame `n` of `total` is to be on it: they are spread evenly; without a total it is the first ones."""
        with self._lock:
            if len(self._pairs) >= self._most:
                return False
        return total is None or n in {(2 * i + 1) * total // (2 * self._most) for i in range(self._most)}

    def add(self, n: int, before: Pixels, after: Pixels) -> None:
        """A pair, BGR of any size."""
        with self._lock:
            self._pairs[n] = (_small(before), _small(after))

    def save(self, path: Path) -> bool:
        """Writes the sheet, replacing an old one; False if there was nothing to put on it."""
        with self._lock:
            pairs = [self._pairs[n] for n in sorted(self._pairs)]
        if not pairs:
            return False
        rows = [np.hstack([before, _space(before), after]) for before, after in pairs]
        height = max(row.shape[0] for row in rows)
        rows = [
            cv2.copyMakeBorder(row, 0, height - row.shape[0] + _GAP, 0, 0, cv2.BORDER_CONSTANT)
            for row in rows
        ]
        save(path, np.asarray(np.vstack(rows)[:-_GAP], np.uint8))
        return True


def _small(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    size = WIDTH, max(1, round(height * WIDTH / width))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _space(beside: Pixels) -> Pixels:
    return np.zeros((beside.shape[0], _GAP, 3), np.uint8)
