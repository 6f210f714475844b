"""How a person moves in a call, as a pure function of a seed and the time."""

import math
from dataclasses import dataclass

import numpy as np

NOD_EVERY_S, NOD_S = 7.0, 1.0
BLINK_EVERY_S = 3.2
BLINK_S = (0.09, 0.05, 0.17)
"""Closing, closed, opening: people take 0.1 to 0.4 s for all of it."""
TALK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is and what the face does."""

    yaw: float
    """Radians; positive turns to the picture's right."""
    pitch: float
    """Radians; positive nods down."""
    roll: float
    """Radians; positive tilts clockwise in the picture."""
    x: float
    """Body to the right of its rest, in face widths."""
    y: float
    """Body below its rest, in face widths."""
    lean: float
    """Nearer to the camera: the body is larger by this share."""
    blink: float
    """0 open to 1 closed."""
    mouth: float
    """0 at rest to 1 opened as in speech."""


REST = Pose(0, 0, 0, 0, 0, 0, 0, 0)

SWAY = {
    "yaw": (math.radians(15), 0.05, 0.22),
    "pitch": (math.radians(5), 0.05, 0.25),
    "roll": (math.radians(5), 0.04, 0.15),
    "x": (0.12, 0.03, 0.12),
    "y": (0.05, 0.05, 0.20),
    "lean": (0.035, 0.03, 0.10),
}
"""{axis: (amplitude, lowest and highest frequency in Hz)} of the slow movements."""


class Motion:
    """The pose at any time; the same seed moves in the same way."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        draw = np.random.default_rng(seed)
        self._waves = {
            axis: (amplitude, draw.uniform(low, high, 3), draw.uniform(0, 2 * math.pi, 3))
            for axis, (amplitude, low, high) in SWAY.items()
        }
        self._phase = draw.uniform(0, 2 * math.pi)

    def at(self, t_s: float) -> Pose:
        """The pose `t_s` seconds after the beginning; microseconds of work."""
        sway = {axis: self._sway(axis, t_s) for axis in SWAY}
        sway["pitch"] += math.radians(6) * self._nod(t_s)
        return Pose(**sway, blink=self._blink(t_s), mouth=self._mouth(t_s))

    def _sway(self, axis: str, t_s: float) -> float:
        amplitude, hertz, phases = self._waves[axis]
        return amplitude * float(np.sin(2 * math.pi * hertz * t_s + phases).sum()) / 2

    def _window(self, kind: int, t_s: float, every_s: float) -> tuple[float, float, float]:
        """Time within the window that `t_s` falls into, and two random numbers of that window."""
        number = int(t_s // every_s)
        first, second = np.random.default_rng((self._seed, kind, number)).random(2)
        return t_s - number * every_s, float(first), float(second)

    def _nod(self, t_s: float) -> float:
        t, start, chance = self._window(1, t_s, NOD_EVERY_S)
        u = (t - start * (NOD_EVERY_S - NOD_S)) / NOD_S
        return (
            math.sin(2 * math.pi * 2 * u) * math.sin(math.pi * u) ** 2 if 0 < u < 1 and chance < 0.6 else 0.0
        )

    def _blink(self, t_s: float) -> float:
        t, start, _ = self._window(2, t_s, BLINK_EVERY_S)
        close_s, closed_s, open_s = BLINK_S
        t -= start * (BLINK_EVERY_S - sum(BLINK_S))
        if t < close_s:
            return _ease(t / close_s)
        return _ease(1 - (t - close_s - closed_s) / open_s)

    def _mouth(self, t_s: float) -> float:
        t, chance, pace = self._window(3, t_s, TALK_EVERY_S)
        if chance > 0.7:
            return 0.0
        speech = math.sin(2 * math.pi * (2.6 + 1.2 * pace) * t + self._phase) + 0.6 * math.sin(
            2 * math.pi * 1.3 * t
        )
        return max(0.0, speech) / 1.6 * _ease(4 * t / TALK_EVERY_S) * _ease(4 * (1 - t / TALK_EVERY_S))


def _ease(u: float) -> float:
    """0 below 0, 1 above 1, smooth between."""
    u = min(1.0, max(0.0, u))
    return u * u * (3 - 2 * u)
