"""Which frames a new film has: all of the original's, a part of them, or an even rate; and where it is parted."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import msgspec
from av.video.frame import VideoFrame

from ..capture.film import Picture, Reader, Shape
from ..capture.hwaccel import AUTO
from ..sinks.encoders import QUALITY
from .line import Shot

SEGMENT_S = 20.0
"""A segment ends at the first key frame after so long, where decoding can begin again; without one, after
three times as long. Faces are looked for anew at its beginning, so that a film that was interrupted there
is the same film."""


class FilmOptions(msgspec.Struct, frozen=True):
    """How a film is to be written."""

    encoder: str = "auto"
    quality: int = QUALITY
    preset: str = ""
    """Of the encoder's own names; empty: the one of its table."""
    hwaccel: str = AUTO
    """What decodes: `auto`, `none` or a device of `capture.hwaccel.NAMES`."""
    sound: bool = True
    sound_codec: str = "copy"
    start_s: float | None = None
    end_s: float | None = None
    """The part that is wanted, in seconds from the film's beginning."""
    fps: float | None = None
    """A constant rate; None: every frame at its own time."""
    interpolate: Fraction | None = None
    """A constant rate with frames drawn between those of the original; not with `fps`."""
    interpolate_model: str = ""
    """What draws them instead of optical flow."""
    temporal_blend: float = 0.0
    """How much of a processed place is taken from the frame before."""
    batch: int | None = None
    """Frames that are rendered together; None: as many as prove fastest."""
    segment_s: float = SEGMENT_S

    @property
    def even_fps(self) -> Fraction | None:
        """The constant rate of the new film, if it has one."""
        return self.interpolate or (Fraction(self.fps).limit_denominator(1001) if self.fps else None)


@dataclass(slots=True)
class Told:
    """What a job tells of itself while it works and at its end."""

    frames_in: int = 0
    frames_out: int = 0
    faces: int = 0
    """Faces hidden or replaced, over all frames."""
    resumed: int = 0
    """Frames that were there from an interrupted run."""
    interpolated: int = 0
    """Frames that were drawn between two of the original's."""
    total: int | None = None
    total_in: int | None = None
    """Of the original's frames that are wanted."""
    decoder: str = ""
    encoder: str = ""
    audio: str = "none"
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    peak_bytes: int = 0
    batch: int = 1
    """Frames that were rendered together, at its end."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A frame of the new film, ready for the encoder."""

    image: VideoFrame
    pts: int
    duration: int
    part: int
    begin: int
    """The original's time at which reading begins for this part (with `fps`, the tick)."""
    interpolated: bool = False


@dataclass(slots=True)
class Tally:
    """What has come out of the chain, by part."""

    frames: Counter[int] = field(default_factory=Counter)
    faces: Counter[int] = field(default_factory=Counter)


LATE = Fraction(1, 4)
"""Of a tick: a frame that comes so little after it is still shown at it, for times are rounded in some files."""


def frames(
    film: Reader, shape: Shape, options: FilmOptions, told: Told, begin: int | None = None, part: int = 0
) -> Iterator[Shot[VideoFrame]]:
    """The frames of the new film from the one at `begin` (in its ticks) on, which opens `part`.

    What was read is counted in `told`. Called in the decoder's thread.
    """
    if options.fps:
        told.frames_in = 0  # they are all read again: which are shown when does not depend on the break
        base, wanted = 1 / Fraction(options.fps).limit_denominator(1001), _evenly(film, shape, options, told)
    else:
        base, wanted = shape.time_base, _wanted(film, shape, options, told, begin)
    n, opened_pts = (told.frames_in if options.interpolate else told.resumed), begin
    for picture, pts in wanted:
        if begin is not None and pts < begin:
            continue
        if opened_pts is None:
            opened_pts = pts
        age_s = float((pts - opened_pts) * base)
        if age_s >= options.segment_s and (picture.key or age_s >= 3 * options.segment_s):
            part, opened_pts = part + 1, pts
        yield Shot(n, pts, float(pts * base), part, picture.image)
        n += 1


def _wanted(
    film: Reader, shape: Shape, options: FilmOptions, told: Told, begin: int | None
) -> Iterator[tuple[Picture, int]]:
    """The original's frames that are wanted, with their times."""
    start_s, end_s, base = options.start_s or 0.0, options.end_s, shape.time_base
    if begin is not None:
        film.seek(begin)
    elif start_s:
        film.seek_before(shape.start_pts + round(start_s / base))
    for picture in film.pictures():
        time_s = float((picture.pts - shape.start_pts) * base)
        if time_s < start_s or (begin is not None and picture.pts < begin):
            continue
        if end_s is not None and time_s >= end_s:
            return
        told.frames_in += 1
        yield picture, picture.pts


def _evenly(film: Reader, shape: Shape, options: FilmOptions, told: Told) -> Iterator[tuple[Picture, int]]:
    """The same at a constant rate: at each tick the newest frame, again if there is no newer one."""
    fps = Fraction(options.fps or 0).limit_denominator(1001)
    shown: Picture | None = None
    tick = end = 0
    for picture, pts in _wanted(film, shape, options, told, None):
        at = math.ceil(pts * shape.time_base * fps - LATE)
        if shown is None:
            tick = at
        while shown is not None and tick < at:
            yield shown, tick
            tick += 1
        length = picture.image.duration or round(1 / shape.fps / shape.time_base)
        shown, end = picture, round((pts + length) * shape.time_base * fps)
    while shown is not None and tick < max(end, tick):
        yield shown, tick
        tick += 1
