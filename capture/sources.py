"""What the words after `--source` mean."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..core.errors import MissingInputError, NoDeviceError, UsageError
from ..core.settings import Size
from .camera import Camera
from .desktop import desktop_source
from .devices import Device, System, cameras, find_camera, find_virtual_camera, first_camera
from .moving import Moving
from .pattern import Pattern
from .picture import animated, is_still
from .portrait import MOST_FACES, Portrait
from .source import Source
from .still import Still
from .stream import SCHEMES, URL, Stream

WAYS = "name a film, a picture or a URL, or use `portrait:` or `pattern:`"
DEVICE = re.compile(r"/dev/|\d+$")
GIF = ".gif"
"""The moving picture that is decoded as a film is; like the others it is played over and over."""


def make_source(
    spec: str, size: Size, fps: float, loop: bool = False, system: System | None = None
) -> Source:
    """The source of a run, not open yet.

    `auto` is the first camera; else a camera's name or path, a file, a URL, `screen:`, `pattern:`, `portrait:`
    or `portrait:N` with N faces. Cameras are asked for `size` and `fps`, drawn sources have them exactly,
    films and moving pictures keep their own. Raises UsageError for a word that means nothing, NoDeviceError for
    a camera and MissingInputError for a file that is not there.
    """
    if not spec:
        raise UsageError("an empty source", WAYS)
    if spec == "auto":
        return _camera(first_camera(system), NoDeviceError("no camera on this machine", WAYS), size, fps)
    if spec == "pattern:":
        return Pattern(size, fps)
    if spec.startswith("screen:"):
        return desktop_source(spec, fps)
    if spec.startswith("portrait:"):
        return Portrait(size, fps, _faces(spec))
    if spec.startswith("file:"):
        return _file(
            Path(unquote(urlsplit(spec).path) if spec.startswith("file://") else spec[5:]), fps, loop
        )
    if URL.match(spec):
        scheme = spec.partition("://")[0].lower()
        if scheme not in SCHEMES:
            raise UsageError(f"source {scheme}://", f"known are {', '.join(sorted(SCHEMES))}")
        return Stream(spec, loop=loop)
    if not DEVICE.match(spec) and Path(spec).exists():
        return _file(Path(spec), fps, loop)
    if not DEVICE.match(spec) and (Path(spec).suffix or len(Path(spec).parts) > 1):
        missing = MissingInputError(f"source {spec}", "there is no such file")
        return _camera(find_camera(spec, system), missing, size, fps)
    return _camera(find_camera(spec, system), _unknown(spec, system), size, fps)


def _camera(device: Device | None, missing: Exception, size: Size, fps: float) -> Source:
    if device is None:
        raise missing
    return Camera(device, size, fps)


def _file(path: Path, fps: float, loop: bool) -> Source:
    if animated(path):
        return Moving(path)
    if is_still(path):
        return Still(path, fps)
    return Stream(str(path), loop=loop or path.suffix.lower() == GIF)


def _faces(spec: str) -> int:
    number = spec.removeprefix("portrait:") or "1"
    if not number.isdecimal():
        raise UsageError(f"source {spec}", f"say portrait:N with N faces from 1 to {MOST_FACES}")
    return int(number)


def _unknown(spec: str, system: System | None) -> NoDeviceError:
    if find_virtual_camera(spec, system) is not None:
        return NoDeviceError(f"virtual camera {spec} is no source now", "nobody writes to it")
    names = ", ".join(f"{d.name} ({d.path})" for d in cameras(system))
    return NoDeviceError(
        f"no camera is called {spec!r}", f"there is {names}" if names else f"there is none; {WAYS}"
    )
