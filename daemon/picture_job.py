"""One picture into another: the same chain, and everything beside its pixels kept."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..capture.picture import load
from ..core.frame import Frame, Pixels
from ..core.meter import Meter
from ..sinks.picture import save, write
from ..trust.failclosed import UNSEEN
from .film_frames import Told
from .offline import processed
from .studio import Studio


@dataclass(slots=True)
class PictureJob:
    """Pictures one by one; `run` may be called by several threads at once."""

    studio: Studio
    quality: int | None = None
    """Of JPEG, WebP and AVIF, 0 to 100; None keeps the original's."""
    watch: Callable[[Pixels, Pixels], None] = lambda _before, _after: None
    _tracking: threading.Lock = field(default_factory=threading.Lock)

    def run(self, source: Path, target: Path, meter: Meter) -> Told:
        """Raises what reading, processing and writing raise; the picture is there as a whole or not at all."""
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
        if same and self.quality is None and source.suffix.lower() == target.suffix.lower():
            write(target, source.read_bytes())  # as good as it was
            _took(meter, "encode", began_ns)
            return told
        quality = self.quality if self.quality is not None else original.quality
        told.notes = save(
            target,
            original.with_changes(picture.pixels),
            original.metadata,
            quality=quality,
            sampling=original.sampling,
            lossless=original.lossless and self.quality is None,
        )
        _took(meter, "encode", began_ns)
        return told


def _took(meter: Meter, stage: str, began_ns: int) -> int:
    now_ns = time.monotonic_ns()
    meter.time(stage, now_ns - began_ns)
    return now_ns
