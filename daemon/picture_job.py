"""One picture into another: the same chain, and everything beside its pixels kept."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..capture.dimensions import dimensions_of
from ..capture.picture import load
from ..core.errors import BadInputError
from ..core.frame import Frame, Pixels
from ..core.meter import Meter
from ..core.picture_format import named
from ..sinks.picture import save, write
from ..trust.failclosed import UNSEEN
from .film_frames import Told
from .offline import processed
from .room import Room
from .studio import Studio

BYTES_PER_PIXEL = 20
"""Of a picture under way: as it is stored (up to 8), BGR (3), the processors' copy (3), for the encoder (up to 8)."""
LEAST_BYTES_PER_PIXEL = 6
"""BGR, and the processors' copy."""


@dataclass(slots=True)
class PictureJob:
    """Pictures one by one; `run` may be called by several threads at once."""

    studio: Studio
    quality: int | None = None
    """Of JPEG, WebP and AVIF, 0 to 100; None keeps the original's."""
    watch: Callable[[Pixels, Pixels], None] = lambda _before, _after: None
    _tracking: threading.Lock = field(default_factory=threading.Lock)
    _room: Room = field(init=False)

    def __post_init__(self) -> None:
        self._room, _ = self.studio.room(0)

    def run(self, source: Path, target: Path, meter: Meter) -> Told:
        """Raises what reading, processing and writing raise; the picture is there as a whole or not at all.

        Where memory is limited it waits until there is room for it. BadInputError for one that alone takes more.
        """
        cost = 0 if self.studio.max_bytes is None else _cost(source, self.studio.max_bytes)
        self._room.take(cost)
        try:
            return self._done(source, target, meter)
        finally:
            self._room.give(cost)

    def _done(self, source: Path, target: Path, meter: Meter) -> Told:
        began_ns = time.monotonic_ns()
        original = load(source)
        began_ns = _took(meter, "decode", began_ns)
        pixels, chain = original.pixels, self.studio.chain
        sighting = UNSEEN
        if chain.tracks:
            with self._tracking:  # one at a time: a model's own threads are as many as there are cores
                began_ns = time.monotonic_ns()
                # A tracker that knows nothing: the picture before has nothing to do with this one.
                sighting = self.studio.tracker().track(Frame(0, 0, pixels), chain.detect_every_frame)
                began_ns = _took(meter, "detect", began_ns)
        picture = processed(chain, self.studio.disclosure, pixels, sighting, f"picture {source}")
        began_ns = _took(meter, "swap", began_ns)
        self.watch(pixels, picture.pixels)
        height, width = picture.pixels.shape[:2]
        told = Told(1, 1, len(picture.treated), total=1, size=(width, height))
        same = not picture.treated and np.array_equal(picture.pixels, pixels)
        # What else there is in a file was not looked at: it comes along only where nothing is to be done.
        whole = original.single or not chain.enabled
        alike = named(target.suffix) is original.kind
        if same and whole and alike and self.quality is None:
            write(target, source.read_bytes())  # as good as it was
            _took(meter, "encode", began_ns)
            return told
        quality = self.quality if self.quality is not None else original.quality
        told.notes = original.remarks + save(
            target,
            original.with_changes(picture.pixels),
            original.metadata,
            quality=quality,
            coding=original.coding if alike else (),
            lossless=original.lossless and self.quality is None,
        )
        _took(meter, "encode", began_ns)
        return told


def _cost(path: Path, most: int) -> int:
    """About how many bytes a picture takes; all there are where its file does not tell. Raises BadInputError where
    `most` are too few for its pixels alone."""
    try:
        size = dimensions_of(path)
        length = path.stat().st_size
    except OSError:
        return 0  # reading it says why
    if size is None:
        return sys.maxsize
    width, height = size
    if (least := width * height * LEAST_BYTES_PER_PIXEL) > most:
        raise BadInputError(
            f"picture {path} has {width}x{height} pixels",
            f"allow it more memory than {least / 1e6:.0f} MB (--max-memory), or make it smaller",
        )
    return width * height * BYTES_PER_PIXEL + 2 * length


def _took(meter: Meter, stage: str, began_ns: int) -> int:
    now_ns = time.monotonic_ns()
    meter.time(stage, now_ns - began_ns)
    return now_ns
