"""`--temporal-blend`: a film's processed places take a share of the frame before, along the way they moved."""

import threading
from collections.abc import Generator, Iterable

from av.video.frame import VideoFrame

from ..core.frame import Pixels
from ..motion.steady import Carry, Look, carry, look, steady
from ..sinks.samples import samples
from .line import Done, Shot


class Steadying:
    """What takes long, the motion between two frames, is done by whichever worker has the second of them ready;
    in order is only drawn. One run.

    It begins anew in each part and where a face comes in that was not treated in the frame before.
    """

    def __init__(self, weight: float) -> None:
        """`weight` from 0 (nothing) to 1: how much is taken of the frame before."""
        self._weight = weight
        self._lock = threading.Lock()
        self._looks: dict[int, tuple[int, Look | None]] = {}
        self._carries: dict[int, Carry | None] = {}

    def watch(self, shot: Shot[VideoFrame], before: Pixels, after: Pixels) -> None:
        """Sees every frame before and after the processors; several threads at once, in any order."""
        seen = (shot.part, look(before, after))
        with self._lock:
            self._looks[shot.n] = seen
            earlier, later = self._looks.get(shot.n - 1), self._looks.get(shot.n + 1)
        for n, pair in ((shot.n, (earlier, seen)), (shot.n + 1, (seen, later))):
            way = _carry(*pair)
            if way is not None:
                with self._lock:
                    self._carries[n] = way

    def run(self, pictures: Iterable[Done[VideoFrame]]) -> Generator[Done[VideoFrame], None, None]:
        """The same pictures, in order, drawn into."""
        before: Done[VideoFrame] | None = None
        for picture in pictures:
            n = picture.shot.n
            with self._lock:
                way = self._carries.pop(n, None)
                self._looks.pop(n - 1, None)
            # What a worker changed is a frame of our own, never one that the decoder still predicts from.
            if way is not None and before is not None and picture.treated <= before.treated:
                steady(samples(picture.image), samples(before.image), way, self._weight)
            before = picture
            yield picture


def _carry(first: tuple[int, Look | None] | None, second: tuple[int, Look | None] | None) -> Carry | None:
    if first is None or second is None or first[0] != second[0]:
        return None
    if first[1] is None or second[1] is None:
        return None
    return carry(first[1], second[1])
