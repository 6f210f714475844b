import sys
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from fakes import ManualClock

from faceswapd.capture.microphone import Microphone
from faceswapd.core.errors import BusyError, NoDeviceError
from faceswapd.core.sound import RATE


class PortAudioError(Exception):
    """Named as the package's own."""


class FakeStream:
    """What `sounddevice.InputStream` does, when a test says so."""

    made: ClassVar[list["FakeStream"]] = []

    def __init__(self, **asked: Any) -> None:
        self.asked = asked
        self.log: list[str] = []
        FakeStream.made.append(self)

    def start(self) -> None:
        self.log.append("start")

    def close(self) -> None:
        self.log.append("close")

    def give(self, samples: Any, heard_s_ago: float) -> None:
        times = SimpleNamespace(currentTime=100.0, inputBufferAdcTime=100.0 - heard_s_ago)
        self.asked["callback"](samples, len(samples), times, None)


def test_what_is_heard_comes_at_the_time_it_was_heard() -> None:
    clock = ManualClock()
    clock.ns = 50_000_000_000
    microphone = Microphone(clock, "desk", delay_s=0.1, stream=FakeStream)
    microphone.open()
    stream = FakeStream.made[-1]
    assert (stream.asked["device"], stream.asked["samplerate"]) == ("desk", RATE)
    tone = np.sin(np.arange(RATE) * 0.05).astype(np.float32)[:, None]
    for n in range(0, RATE, 480):
        clock.advance(0.01)
        shared = tone[n : n + 480].copy()
        stream.give(shared, heard_s_ago=0.03)
        shared[:] = 9  # PortAudio uses the buffer again

    block = microphone.take(clock.ns + 10**9)
    assert block is not None
    assert block.captured_ns == 50_000_000_000 + 10_000_000 - 30_000_000 + 100_000_000
    assert len(block.samples) == pytest.approx(RATE, abs=16)
    middle = slice(1000, 40_000)
    assert np.abs(block.samples[middle] - tone[middle]).max() < 0.001
    assert microphone.take(clock.ns + 10**9) is None
    microphone.close()
    assert stream.log == ["start", "close"]


def refusing(error: Exception) -> Any:
    def stream(**_: Any) -> None:
        raise error

    return stream


def test_a_microphone_that_cannot_be_had_is_said() -> None:
    with pytest.raises(NoDeviceError, match="desk: No input device"):
        Microphone(
            ManualClock(), "desk", stream=refusing(ValueError("No input device matching 'desk'"))
        ).open()
    with pytest.raises(BusyError, match=r"microphone cannot be opened \(Device unavailable\)"):
        Microphone(ManualClock(), stream=refusing(PortAudioError("Device unavailable"))).open()
    with pytest.raises(KeyError):  # a bug stays one
        Microphone(ManualClock(), stream=refusing(KeyError("x"))).open()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoDeviceError, match=r"faceswapd\[sound\]"):
        Microphone(ManualClock()).open()
