"""Sound: blocks of samples with their time, and who gives them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
"""Samples a second of everything that is recorded."""

Samples = NDArray[np.float32]
"""samples x channels, -1 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some sound."""

    samples: Samples
    captured_ns: int
    """When its first sample was heard, on the clock of `core.clock`."""


class Ear(Protocol):
    """Where sound comes from: `capture.microphone.Microphone`. One thread, that of the recording."""

    @property
    def name(self) -> str:
        """What a user calls it."""

    @property
    def channels(self) -> int:
        """How many; known before it is open."""

    def open(self) -> None:
        """Begins to listen. Raises NoDeviceError, BusyError."""

    def take(self, until_ns: int) -> Block | None:
        """What was heard since the last call and before `until_ns`, a stretch of it; None if nothing is left.

        Exactly `RATE` samples a second of the clock: blocks that follow each other fit without a seam, but
        where nothing was heard for more than a second.
        """

    def close(self) -> None:
        """Listens no more."""
