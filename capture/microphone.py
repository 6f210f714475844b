"""A microphone, by PortAudio (package sounddevice)."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import structlog

from ..core.clock import Clock
from ..core.errors import BusyError, NoDeviceError
from ..core.sound import RATE, Block
from .straighten import Straightener

log = structlog.get_logger(__name__)

_KEPT_BLOCKS = 6000  # a minute of blocks of 10 ms: a camera that is away for longer loses sound, too
_BLOCK = RATE // 100

OpenStream = Callable[..., Any]
"""`sounddevice.InputStream`, or a test's."""


class Microphone:
    """The default microphone, or one by a part of its name, in mono, for as many ears as are made of it.

    It is open while one of them is. Sound is laid `delay_s` later than it was heard: what the camera takes
    that the frames' times do not know, so that lips and voice meet.
    """

    channels = 1

    def __init__(
        self, clock: Clock, device: str = "", delay_s: float = 0.0, stream: OpenStream | None = None
    ) -> None:
        self.name = device or "microphone"
        self._clock, self._device, self._delay_ns = clock, device, round(delay_s * 1e9)
        self._open_stream = stream
        self._stream: Any = None
        self._changing = threading.Lock()
        self._ears: tuple[MicrophoneEar, ...] = ()

    def ear(self) -> "MicrophoneEar":
        """One more listener."""
        return MicrophoneEar(self)

    def join(self, ear: "MicrophoneEar") -> None:
        """Begins to listen for an ear; raises as `MicrophoneEar.open`. Any thread."""
        with self._changing:
            if self._stream is None:
                self._begin()
            self._ears = (*self._ears, ear)

    def leave(self, ear: "MicrophoneEar") -> None:
        """Listens no more for an ear. Any thread."""
        with self._changing:
            self._ears = tuple(other for other in self._ears if other is not ear)
            if not self._ears and self._stream is not None:
                stream, self._stream = self._stream, None
                stream.close()

    def _begin(self) -> None:
        opener = self._open_stream or _sounddevice(self.name)
        try:
            stream = opener(
                device=self._device or None, samplerate=RATE, channels=self.channels, dtype="float32",
                blocksize=_BLOCK, callback=self._on_block,
            )  # fmt: skip
            stream.start()
        except ValueError as error:  # the name fits none, or several
            raise NoDeviceError(f"microphone {self.name}: {error}", "name another one") from error
        except Exception as error:
            if type(error).__name__ != "PortAudioError":  # the package may not be there to name the class
                raise
            raise BusyError(
                f"{self.name} cannot be opened ({error})", "is another program using it?"
            ) from error
        self._stream = stream

    def _on_block(self, samples: Any, _count: int, times: Any, status: Any) -> None:
        """In PortAudio's thread; it must be quick."""
        if status:
            log.debug("microphone.status", name=self.name, status=str(status))
        ago_ns = round((times.currentTime - times.inputBufferAdcTime) * 1e9)
        heard_ns = self._clock.now_ns() - ago_ns + self._delay_ns
        block = Block(np.array(samples, np.float32), heard_ns)
        for ear in self._ears:
            ear.hear(block)


class MicrophoneEar:
    """What one listener hears of a microphone: implements `core.sound.Ear`."""

    def __init__(self, microphone: Microphone) -> None:
        self.name, self.channels = microphone.name, microphone.channels
        self._microphone = microphone
        self._blocks: deque[Block] = deque(maxlen=_KEPT_BLOCKS)
        self._straightener = Straightener(self.channels)

    def open(self) -> None:
        """Begins to listen.

        Raises NoDeviceError when there is no such microphone or the package is missing, BusyError when
        another program has it for itself.
        """
        self._blocks.clear()
        self._straightener = Straightener(self.channels)
        self._microphone.join(self)

    def hear(self, block: Block) -> None:
        """In the microphone's thread: keeps a block until it is taken."""
        self._blocks.append(block)

    def take(self, until_ns: int) -> Block | None:
        """What was heard since the last call and before `until_ns`, on our clock's own samples."""
        while self._blocks:
            self._straightener.put(self._blocks.popleft())
        return self._straightener.take(until_ns)

    def close(self) -> None:
        """Listens no more."""
        self._microphone.leave(self)


def _sounddevice(name: str) -> OpenStream:
    try:
        import sounddevice
    except ImportError:
        raise NoDeviceError(
            f"{name} needs the package sounddevice", "pip install 'faceswapd[sound]'"
        ) from None
    except OSError as error:  # the package is there, its library is not
        raise NoDeviceError(f"{name} needs PortAudio ({error})", "sudo apt install libportaudio2") from error
    stream: OpenStream = sounddevice.InputStream
    return stream
