"""The sound of a film that is being recorded: samples at their times into one encoded stream."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet

from ..core.sound import RATE, Samples

_PER_CHANNEL = 80_000
"""Bits per second: speech and music without a loss that is heard, with AAC and with Opus."""
_LAYOUTS = {1: "mono", 2: "stereo"}
LATE_S = 0.5
"""What was not heard so long after its picture is silence."""


class Soundtrack:
    """One stream of AAC, or Opus in WebM. It has no holes: what was not heard is silence. One thread."""

    def __init__(self, file: OutputContainer, channels: int) -> None:
        """Adds a stream to `file`, which is not begun, for 1 or 2 channels."""
        name = "libopus" if file.format.name == "webm" else "aac"
        stream: Any = file.add_stream(name, rate=RATE)
        stream.layout = _LAYOUTS[channels]
        stream.bit_rate = _PER_CHANNEL * channels
        self.stream = stream
        self._channels = channels
        self._next = 0

    @property
    def seconds(self) -> float:
        """How far it is."""
        return self._next / RATE

    def put(self, samples: Samples, at_s: float) -> list["Packet[Any]"]:
        """Encodes samples whose first one belongs at `at_s` of the film; what is before its end so far is cut."""
        begin = round(at_s * RATE)
        packets = self.silence(at_s) if begin > self._next else []
        samples = samples[max(0, self._next - begin) :]
        return packets + self._encode(samples)

    def silence(self, until_s: float) -> list["Packet[Any]"]:
        """Fills up to `until_s`, a second at a time."""
        packets: list[Packet[Any]] = []
        while (missing := round(until_s * RATE) - self._next) > 0:
            packets += self._encode(np.zeros((min(missing, RATE), self._channels), np.float32))
        return packets

    def flush(self) -> list["Packet[Any]"]:
        """The end."""
        return list(self.stream.encode(None)) if self._next else []

    def _encode(self, samples: Samples) -> list["Packet[Any]"]:
        if not len(samples):
            return []
        planes = np.ascontiguousarray(samples.T, np.float32)
        sound = av.AudioFrame.from_ndarray(planes, format="fltp", layout=_LAYOUTS[self._channels])
        sound.sample_rate, sound.time_base, sound.pts = RATE, Fraction(1, RATE), self._next
        self._next += len(samples)
        return list(self.stream.encode(sound))
