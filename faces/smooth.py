"""The One-Euro filter over a face's points: still when the face is still, without lag when it moves.

Formulae: Casiez, Roussel, Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems" (CHI 2012). Speeds are taken in eye distances a second, so that a face far away and one
close by are smoothed alike.
"""

from dataclasses import dataclass
from math import pi

import numpy as np

from ..core.frame import Points

GAP_S = 0.5
"""After a longer gap there is nothing to smooth with: the filter starts anew."""


@dataclass(frozen=True, slots=True)
class OneEuro:
    """The filter's parameters."""

    min_cutoff_hz: float = 1.0
    """Cut-off of a point at rest: lower is stiller."""
    beta: float = 8.0
    """Cut-off gained per speed (Hz per eye distance a second): higher lags less."""
    speed_cutoff_hz: float = 1.0
    """Cut-off of the speed itself."""


class Smoother:
    """Smooths the points of one face, frame by frame. One instance a face; called by one thread at a time."""

    def __init__(self, settings: OneEuro = OneEuro()) -> None:
        self._settings = settings
        self._at_ns = 0
        self._raw: Points | None = None
        self._value: Points | None = None
        self._speed: Points | None = None

    def __call__(self, points: Points, unit: float, at_ns: int) -> Points:
        """The smoothed points, a new N x D array.

        `unit` is the length, in the points' space, that speeds are measured in (the eye distance); `at_ns`
        the frame's time. Time that stands still or goes back starts the filter anew.
        """
        elapsed_s = (at_ns - self._at_ns) / 1e9
        self._at_ns = at_ns
        if self._raw is None or self._value is None or self._speed is None or not 0 < elapsed_s < GAP_S:
            self._raw, self._value, self._speed = points, points.copy(), np.zeros_like(points)
            return points.copy()
        speed = (points - self._raw) / (max(unit, 1e-6) * elapsed_s)
        self._raw = points
        self._speed = self._speed + _alpha(self._settings.speed_cutoff_hz, elapsed_s) * (speed - self._speed)
        # One cut-off a point, not one a coordinate: a point that moves sideways must not stick in height.
        cutoff = self._settings.min_cutoff_hz + self._settings.beta * np.linalg.norm(
            self._speed, axis=1, keepdims=True
        )
        self._value = (self._value + _alpha(cutoff, elapsed_s) * (points - self._value)).astype(np.float32)
        return self._value.copy()


def _alpha(cutoff_hz: "Points | float", elapsed_s: float) -> "Points | float":
    """Weight of the new value in an exponential low-pass filter."""
    turn = 2 * pi * elapsed_s * cutoff_hz
    return turn / (turn + 1)
