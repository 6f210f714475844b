"""Moving pictures (WebP, PNG, AVIF) as films."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from av.video.frame import VideoFrame

from ..core.errors import BadInputError, MissingInputError
from ..core.frame import Pixels
from .film import Colour, Picture, Shape

_SHORTEST_MS = 20
"""Browsers show a frame that wants less for a tenth of a second; nobody means it."""
_UNSAID_MS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Cel:
    """One picture of those that a moving one consists of."""

    pixels: Pixels
    """BGR; transparency is laid on white."""
    ms: int
    """How long it is shown; at least 20."""


def load_animation(path: Path) -> list[Cel]:
    """All pictures of a moving one. Raises MissingInputError or BadInputError."""
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise MissingInputError(f"picture {path}", f"it cannot be read ({error.strerror})") from None
    try:
        done, found = cv2.imdecodeanimation(raw)
    except cv2.error:
        done, found = False, cv2.Animation()
    if not done or not len(found.frames):
        raise BadInputError(f"picture {path}", "it is damaged or in an unknown format")
    return [
        Cel(_opaque(np.asarray(frame, np.uint8)), int(ms) if ms >= _SHORTEST_MS else _UNSAID_MS)
        for frame, ms in zip(found.frames, found.durations, strict=True)
    ]


class Animation:
    """A moving picture, read as `Film` reads a film. All frames are in memory."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._frames: list[Pixels] = []
        self._times: list[int] = []
        self._end = 0
        self.mended = 0
        self.damaged = 0
        self.decoder = "opencv"

    def open(self) -> Shape:
        """Decodes all of it. Raises MissingInputError or BadInputError."""
        cels = load_animation(self._path)
        self._frames = [cel.pixels for cel in cels]
        lengths = [cel.ms for cel in cels]
        self._times = [sum(lengths[:n]) for n in range(len(lengths))]
        self._end = sum(lengths)
        height, width = self._frames[0].shape[:2]
        return Shape(
            size=(width, height),
            fps=Fraction(1000 * len(lengths), self._end),
            time_base=Fraction(1, 1000),
            frames=len(lengths),
            duration_s=self._end / 1000,
            start_pts=0,
            colour=Colour(rgb=True),
            interlaced=False,
            plain=False,
        )

    def seek(self, pts: int) -> None:
        """`pictures` begins at the beginning: it is all there."""

    def seek_before(self, pts: int) -> None:
        """As `seek`."""

    def pictures(self) -> Iterator[Picture]:
        """All frames; each has its own time."""
        for n, (pixels, pts) in enumerate(zip(self._frames, self._times, strict=True)):
            image = VideoFrame.from_ndarray(pixels, "bgr24")
            image.pts, image.time_base = pts, Fraction(1, 1000)
            image.duration = (self._times[n + 1] if n + 1 < len(self._times) else self._end) - pts
            yield Picture(n, pts, key=True, image=image)

    def pixels(self, image: VideoFrame) -> Pixels:
        """BGR. Any thread."""
        return np.ascontiguousarray(np.asarray(image.to_ndarray(), np.uint8))

    def close(self) -> None:
        """Forgets the frames."""
        self._frames, self._times = [], []


def _opaque(frame: Pixels) -> Pixels:
    if frame.ndim == 2:
        return np.repeat(frame[..., None], 3, axis=2)
    if frame.shape[2] == 3:
        return frame
    alpha = frame[..., 3:].astype(np.uint16)
    return ((frame[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
