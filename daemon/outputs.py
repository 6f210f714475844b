"""What the words after `--output` mean."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ..capture.devices import find_virtual_camera, first_virtual_camera
from ..core.clock import SystemClock
from ..core.errors import NoDeviceError, UsageError
from ..core.settings import Size
from ..sinks.memory import MemorySink
from ..sinks.mjpeg import PORT, MjpegSink
from ..sinks.pipewire import PipeWireSink
from ..sinks.push import FORMATS, PushSink
from ..sinks.recorder import Recorder
from ..sinks.sink import Sink
from ..sinks.v4l2 import V4l2Sink
from ..sinks.video import CONTAINERS
from ..sinks.virtualcam import VirtualcamSink

HOW = {
    "linux": "load one: sudo modprobe v4l2loopback exclusive_caps=1 card_label=faceswapd",
    "win32": "install OBS Studio, which brings one",
    "darwin": "install OBS Studio 30 or newer and start its virtual camera once",
}
"""How a user gets a virtual camera."""


Film = Callable[[Path], Sink]
"""A film's path -> what writes it."""


def make_outputs(
    words: Iterable[str], size: Size, fps: float, film: Film, *, overwrite: bool = False
) -> list[Sink]:
    """The sinks of a run, the first one being its main one; none of them is open yet.

    `none` and `memory:` keep no frame, they count them. Raises NoDeviceError for a virtual camera that is
    not there, UsageError for a word that means nothing or a film that exists, unless `overwrite`.
    """
    named = tuple(words)
    for word in named:
        if named.count(word) > 1:
            raise UsageError(f"output {word} is named twice", "name it once")
    return [_output(word, size, fps, film, overwrite) for word in named] or [MemorySink("none", keep=0)]


def how_to_get_one() -> str:
    """The remedy for a missing virtual camera on this system."""
    return HOW.get(sys.platform, "this system has none that is known")


def kind(sink: Sink) -> str:
    """What a sink is, in the words of the state document."""
    if isinstance(sink, Recorder):
        return "film"
    if isinstance(sink, MjpegSink | PushSink):
        return "stream"
    return "memory" if isinstance(sink, MemorySink) else "virtual-camera"


def _port(text: str, word: str) -> int:
    if not text:
        return PORT
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UsageError(f"output {word}", "say mjpeg: or mjpeg:PORT")
    return int(text)


def _else() -> str:
    return "pipewire: for the desktop's own, or none" if sys.platform.startswith("linux") else "none"


def _output(word: str, size: Size, fps: float, film: Film, overwrite: bool) -> Sink:
    if word in ("none", "memory:"):
        return MemorySink(word, keep=0)
    scheme, colon, rest = word.partition(":")
    if colon and scheme in FORMATS:
        return PushSink(word, size, fps, SystemClock())
    if colon and scheme == "mjpeg":
        return MjpegSink(_port(rest, word))
    if word.startswith("pipewire:"):
        return PipeWireSink(size, fps, word.removeprefix("pipewire:") or "faceswapd")
    if Path(word).suffix.lower() in CONTAINERS:
        if Path(word).exists() and not overwrite:
            raise UsageError(f"{word} exists", "give another name, or say --overwrite")
        return film(Path(word))
    if not sys.platform.startswith("linux"):
        return VirtualcamSink("" if word == "auto" else word, size, fps)
    device = first_virtual_camera() if word == "auto" else find_virtual_camera(word)
    if device is not None:
        return V4l2Sink(device.path, size, fps)
    if word == "auto":
        raise NoDeviceError(
            "no virtual camera on this machine", f"{how_to_get_one()}, or say --output {_else()}"
        )
    if word.startswith("/dev/"):
        return V4l2Sink(word, size, fps)  # its own refusal says what is wrong with the path
    if Path(word).is_dir():
        raise UsageError(f"output {word} is a folder", "name a film in it")
    if Path(word).suffix:
        raise UsageError(f"output {word}", f"a film ends with one of {', '.join(CONTAINERS)}")
    raise NoDeviceError(f"no virtual camera is called {word!r}", "`faceswapd devices` lists them")
