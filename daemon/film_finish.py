"""From frames that are processed to the frames of the new film."""

from collections.abc import Generator, Iterable

from av.video.frame import VideoFrame

from ..capture.film import Shape
from ..core.frame import Pixels
from ..core.meter import Meter
from ..inference.interpolator import Interpolator
from ..sinks.develop import Developer
from ..sinks.segments import Print
from .film_frames import FilmOptions, Shown, Tally
from .interpolation import Draw, Interpolation, reserve
from .line import Done, Shot
from .room import Room
from .steadying import Steadying
from .studio import Studio

_SHARE = 0.15
"""Of the memory limit that frames drawn between others may take; with less room, one is drawn at a time."""
_LOOK = 6
"""Bytes of a pixel: what `Steadying` keeps of a frame, and of a third of it as numbers."""
_CARRY = 36
"""Bytes of a pixel that `Steadying` holds while it looks for a frame's motion, where nearly all of the picture was
processed: 31.9 after the 3.9 of a look."""
_DRAWN = 24
"""The same while it draws: 23.9."""


class Finish:
    """What is left to do once frames come out of the chain, in order. Used in the thread that writes."""

    def __init__(
        self, options: FilmOptions, shape: Shape, print_: Print, studio: Studio, meter: Meter
    ) -> None:
        """Loads the model that draws frames, where one does. Raises ModelError and UsageError."""
        self._options, self._shape, self._print = options, shape, print_
        self._studio, self._meter = studio, meter
        self._step = max(1, round(1 / print_.fps / print_.time_base))
        self.tally = Tally()
        most, workers = studio.max_bytes, studio.pool.workers
        ahead, deep = workers + 2, "10" in print_.encoder.pix_fmt
        if most is not None and reserve(print_.size, ahead, workers, deep=deep) > _SHARE * most:
            ahead = 1
        self._ahead = ahead
        self._draw = _drawing(options.interpolate_model, print_, studio)
        self._steadied = Steadying(options.temporal_blend) if options.temporal_blend else None
        self.reserve = reserve(print_.size, ahead, workers, deep=deep) if options.interpolate else 0
        """Bytes that it holds."""
        self.per_pixel = self.at_work = 0
        """Bytes of a pixel that it holds of each frame under way, and that a worker holds while it looks at one."""
        if options.temporal_blend:
            self.per_pixel, self.at_work = _LOOK, _CARRY
            self.reserve += print_.size[0] * print_.size[1] * _DRAWN

    def frames(self, pictures: Iterable[Done[VideoFrame]], room: Room) -> Generator[Shown, None, None]:
        """The frames of the new film. A picture's room is given back when it is written, or held here."""
        counted = self._counted(self._steadied.run(pictures) if self._steadied else pictures)
        if self._options.interpolate is None:
            for picture in counted:
                yield self._plain(picture)
                room.give(picture.cost)
            return
        base = self._shape.time_base
        yield from Interpolation(
            self._options.interpolate,
            base,
            max(1, round(1 / self._shape.fps / base)),
            self._studio.pool,
            self._meter,
            ahead=self._ahead,
            draw=self._draw,
        ).run(_left(counted, room))

    def watch(self, shot: Shot[VideoFrame], before: Pixels, after: Pixels) -> None:
        """Sees every frame before and after the processors; called by several threads at once."""
        if self._steadied is not None:
            self._steadied.watch(shot, before, after)

    def _counted(self, pictures: Iterable[Done[VideoFrame]]) -> Generator[Done[VideoFrame], None, None]:
        for picture in pictures:
            self.tally.frames[picture.shot.part] += 1
            self.tally.faces[picture.shot.part] += picture.faces
            yield picture

    def _plain(self, picture: Done[VideoFrame]) -> Shown:
        shot = picture.shot
        duration = 0 if self._options.fps else shot.image.duration
        return Shown(picture.image, shot.pts, duration or self._step, shot.part, shot.pts)


def _drawing(model: str, print_: Print, studio: Studio) -> Draw | None:
    if not model:
        return None
    assert studio.models is not None, "a run with models"
    interpolator, developer = Interpolator(studio.models, model), Developer(print_, plain=False)

    def draw(first: VideoFrame, second: VideoFrame, at: float) -> VideoFrame:
        drawn = interpolator.between(developer.pixels(first), developer.pixels(second), at)
        return developer.develop(first, drawn, drawn)

    return draw


def _left(pictures: Iterable[Done[VideoFrame]], room: Room) -> Generator[Done[VideoFrame], None, None]:
    """What leaves the room for `Finish.reserve`: it waits for the frame after it, which may need its room."""
    for picture in pictures:
        room.give(picture.cost)
        yield picture
