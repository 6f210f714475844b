"""The frame: what flows from a source to the sinks."""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""BGR, uint8, height x width x 3, C-contiguous."""

Points: TypeAlias = NDArray[np.float32]
Matrix: TypeAlias = NDArray[np.float32]
"""2x3 affine, column vectors (x, y, 1), pixel centres at integers, as OpenCV has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture with its identity and its times. Pixels are read-only by agreement: see `pixels.writable`."""

    seq: int
    """Counts the frames of one source from 0; a gap is a frame that was dropped."""
    captured_ns: int
    """When it was taken, as far as its source tells, else when the source handed it over: on the clock of
    `core.clock` (monotonic)."""
    pixels: Pixels
    pts_s: float | None = None
    """Presentation time within a film or stream, in seconds; None for a camera."""
    marks: tuple[tuple[str, int], ...] = ()
    """(stage, end of the stage in ns), in order: what `Meter.observe` reads."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def marked(self, stage: str, at_ns: int) -> "Frame":
        """The same frame, with the end of one more stage noted."""
        return replace(self, marks=(*self.marks, (stage, at_ns)))

    def showing(self, pixels: Pixels) -> "Frame":
        """The same moment with another picture."""
        return replace(self, pixels=pixels)
