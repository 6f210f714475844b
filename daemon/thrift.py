"""What is held in memory, and how a run gets by with less."""

import sys
from collections.abc import Callable
from dataclasses import replace

from ..core.settings import Size
from ..sinks.encoders import Encoder

_BYTES = 3.0
"""Of a picture that x264 holds, by pixel: 4:2:0 and its borders, its half-size copy, its motion. Measured with
version 165 at 3840x2160: 24 MB a picture."""
_LOOK_AHEAD = {
    "ultrafast": 0,
    "superfast": 0,
    "veryfast": 10,
    "faster": 20,
    "fast": 30,
    "medium": 40,
    "slow": 50,
}
"""Of x264 by preset, in pictures."""
_REST = 12
"""References, B-frames and pictures between threads."""
_SHARE = 0.35
"""Of the limit that an encoder may take; the rest is for models and frames under way."""
_LARGE = 1 << 20
"""Bytes: smaller than most pictures, larger than what is asked for often."""
_MMAP_THRESHOLD = -3
"""glibc's M_MMAP_THRESHOLD."""
NEAR = 0.6
"""Of the memory limit: from there on what is free is given back at once."""
TIGHT = 0.9
"""Of the memory limit: from there on frames pass one by one."""


class Pressure:
    """Whether memory is nearly full. Near its limit the process begins to give back at once what is free. Any thread.

    glibc keeps what each thread has freed for that thread, with eight threads as much again as was in use. Giving it
    back costs time (see `docs/offline.md`), which is for runs that need the room.
    """

    def __init__(self, limit: int, held: Callable[[], float], give_back: Callable[[], None]) -> None:
        """`limit` in bytes; `held` tells how many the process holds."""
        self._limit, self._held, self._give_back = limit, held, give_back
        self._near = False

    def __call__(self) -> bool:
        """From now on frames pass one by one, until there is room again."""
        held = self._held()
        if not self._near and held > NEAR * self._limit:
            self._near = True
            self._give_back()
            held = self._held()
        return held > TIGHT * self._limit


def give_back_at_once() -> None:
    """What is free goes back to the system now, and pictures from now on as soon as nobody has them. Does nothing where
    there is no glibc."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    libc = ctypes.CDLL(None)
    mallopt, trim = getattr(libc, "mallopt", None), getattr(libc, "malloc_trim", None)  # musl has neither
    if mallopt is not None and trim is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        trim(0)


def at_once(workers: int, left: int, frame: int, work: int) -> int:
    """Of so many workers, those that `left` bytes have room for: each has a picture of `frame` bytes and holds `work`
    more while it is at it. One always works."""
    return max(1, min(workers, left // max(1, frame + work)))


def held(encoder: Encoder, size: Size) -> int:
    """About how many bytes an encoder holds."""
    preset = encoder.options.get("preset", "medium")
    ahead = int(encoder.options.get("rc-lookahead", _LOOK_AHEAD.get(preset, 40)))
    return round(size[0] * size[1] * _BYTES * (ahead + encoder.threads + _REST))


def thrifty(encoder: Encoder, size: Size, limit: int) -> Encoder:
    """The encoder with a preset and a look-ahead that fit into its share of `limit` bytes.

    Hardware encoders keep their pictures elsewhere and stay as they are.
    """
    if encoder.name not in ("libx264", "libx265"):
        return encoder
    if held(encoder, size) <= _SHARE * limit:
        return encoder
    for preset, ahead, threads in (("veryfast", 10, 2), ("veryfast", 2, 1), ("ultrafast", 0, 1)):
        options = {**encoder.options, "preset": preset, "rc-lookahead": str(ahead)}
        if encoder.name == "libx265":
            del options["rc-lookahead"]
            options["x265-params"] = (
                f"{options.get('x265-params', '')}:rc-lookahead={ahead + 1}:frame-threads=1".strip(":")
            )
        small = replace(encoder, options=options, threads=min(encoder.threads, threads))
        if held(small, size) <= _SHARE * limit:
            break
    return small
