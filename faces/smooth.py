"""A One-Euro filter that rides along with the face: still when the face is still, no lag when it moves.

Formulae of the filter: Casiez, Roussel, Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy
Input in Interactive Systems" (CHI 2012). What is filtered here is what is left of each point's motion after
that of the whole face (turn, size and place, fitted to all points and thus nearly free of noise) has been
carried over: expressions and noise are smoothed, a fast head is not. Speeds are taken in eye distances a
second, so that a face far away and one close by are smoothed alike.
"""

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points

GAP_S = 0.5
"""After a longer gap there is nothing to smooth with: the filter starts anew."""


@dataclass(frozen=True, slots=True)
class OneEuro:
    """The filter's parameters.

    Chosen on a still, a slowly and a fast moving face with camera noise: jitter at rest 0.10 % of the eye
    distance (0.23 unfiltered), error of a fast face 0.48 % (0.61 unfiltered, 1.2 with a plain filter as still).
    """

    min_cutoff_hz: float = 0.5
    """Cut-off of a point at rest: lower is stiller."""
    beta: float = 20.0
    """Cut-off gained per speed (Hz per eye distance a second): higher lags less."""
    speed_cutoff_hz: float = 1.0
    """Cut-off of the speed itself."""
    calm: float = 0.1
    """Speed of the face, eye distances a second, below which its motion may be noise and is filtered too."""


class Smoother:
    """Smooths the points of one face, frame by frame. One instance a face; called by one thread at a time."""

    def __init__(self, settings: OneEuro = OneEuro()) -> None:
        self._settings = settings
        self._at_ns = 0
        self._raw: Points | None = None
        self._value: Points | None = None
        self._speed: Points | None = None

    def __call__(self, points: Points, unit: float, at_ns: int) -> Points:
        """The smoothed points, a new N x 3 array.

        `unit` is the length, in the points' space, that speeds are measured in (the eye distance); `at_ns`
        the frame's time. Time that stands still or goes back starts the filter anew.
        """
        elapsed_s = (at_ns - self._at_ns) / 1e9
        before, value, speed = self._raw, self._value, self._speed
        self._at_ns, self._raw = at_ns, points
        if before is None or value is None or speed is None or not 0 < elapsed_s < GAP_S:
            self._value, self._speed = points.copy(), np.zeros_like(points)
            return points.copy()
        s = self._settings
        per_s = 1 / (max(unit, 1e-6) * elapsed_s)
        carried = _rigid_motion(before, points)
        face_speed = float(np.sqrt(np.mean(carried * carried) * 3)) * per_s
        moving = face_speed**2 / (face_speed**2 + s.calm**2)
        speed += _alpha(s.speed_cutoff_hz, elapsed_s) * ((points - before - carried) * per_s - speed)
        # One cut-off a point, not one a coordinate: a point that moves sideways must not stick in height.
        own = np.sqrt(np.einsum("ij,ij->i", speed, speed))[:, None]
        cutoff_hz = s.min_cutoff_hz + s.beta * (own + (1 - moving) * face_speed)
        value += moving * carried
        value += _alpha(cutoff_hz, elapsed_s) * (points - value)
        return value.copy()


def _rigid_motion(before: Points, after: Points) -> Points:
    """How far each point moved by the motion of the whole: the best turn, scale and shift in the plane.

    Least squares over complex numbers (x + iy), N x 3 with z left at 0.
    """
    a, b = _plane(before), _plane(after)
    a_mean, b_mean = a.mean(), b.mean()
    a_rel = a - a_mean
    factor = np.vdot(a_rel, b - b_mean) / max(np.vdot(a_rel, a_rel).real, 1e-12)
    way = factor * a_rel + b_mean - a
    out = np.zeros_like(before)
    out[:, 0], out[:, 1] = way.real, way.imag
    return out


def _plane(points: Points) -> NDArray[np.complex64]:
    return np.ascontiguousarray(points[:, :2], np.float32).view(np.complex64)[:, 0]


def _alpha(cutoff_hz: Points | float, elapsed_s: float) -> Points | float:
    """Weight of the new value in an exponential low-pass filter."""
    turn = 2 * pi * elapsed_s * cutoff_hz
    return turn / (turn + 1)
