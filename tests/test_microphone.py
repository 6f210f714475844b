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
    microphone = Microphone(clock, "desk", delay_s=0.1, stream=FakeStream).ear()
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


def test_two_listeners_share_one_stream_and_hear_the_same() -> None:
    clock = ManualClock()
    microphone, made = Microphone(clock, stream=FakeStream), len(FakeStream.made)
    first, second = microphone.ear(), microphone.ear()
    first.open()
    stream = FakeStream.made[-1]
    stream.give(np.full((4800, 1), 0.25, np.float32), heard_s_ago=0.1)
    second.open()
    clock.advance(0.1)
    stream.give(np.full((4800, 1), 0.5, np.float32), heard_s_ago=0.1)

    one, two = first.take(clock.ns), second.take(clock.ns)
    assert one is not None
    assert two is not None
    assert two.captured_ns - one.captured_ns == 100_000_000
    assert one.samples[6000:9000] == pytest.approx(0.5, abs=0.01)
    assert two.samples[1000:4000] == pytest.approx(0.5, abs=0.01)
    first.close()
    assert stream.log == ["start"]
    second.close()
    assert stream.log == ["start", "close"]
    assert len(FakeStream.made) == made + 1
    first.open()
    assert first.take(clock.ns) is None  # nothing of before
    assert len(FakeStream.made) == made + 2


def test_a_microphone_that_could_not_be_opened_can_be_tried_again() -> None:
    errors: list[Exception] = [PortAudioError("Device unavailable")]

    def stream(**asked: Any) -> FakeStream:
        if errors:
            raise errors.pop()
        return FakeStream(**asked)

    ear = Microphone(ManualClock(), stream=stream).ear()
    with pytest.raises(BusyError):
        ear.open()
    ear.open()
    ear.close()
    assert FakeStream.made[-1].log == ["start", "close"]


def refusing(error: Exception) -> Any:
    def stream(**_: Any) -> None:
        raise error

    return stream


def test_a_microphone_that_cannot_be_had_is_said() -> None:
    with pytest.raises(NoDeviceError, match="desk: No input device"):
        Microphone(
            ManualClock(), "desk", stream=refusing(ValueError("No input device matching 'desk'"))
        ).ear().open()
    with pytest.raises(BusyError, match=r"microphone cannot be opened \(Device unavailable\)"):
        Microphone(ManualClock(), stream=refusing(PortAudioError("Device unavailable"))).ear().open()
    with pytest.raises(KeyError):  # a bug stays one
        Microphone(ManualClock(), stream=refusing(KeyError("x"))).ear().open()


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NoDeviceError, match=r"faceswapd\[sound\]"):
        Microphone(ManualClock()).ear().open()
