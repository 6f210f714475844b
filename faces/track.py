"""Which face of this frame is which face of the frames before it. Pure; called by one thread at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import hypot, inf

from ..core.frame import Points
from .align import Roi, box_of_points, eye_distance, iou, roi_of_points
from .detection import Detection
from .face import Face
from .light import Lit
from .smooth import Smoother

SAME_FACE = 0.5
"""Two meshes whose boxes overlap more (intersection over union) lie on one face."""
EXPLAINS = 0.3
"""A detection that overlaps a mesh's box more is that face."""
REACH = 0.75
"""How far, in sides of its crop, a face may have jumped and still be the same one."""
REACH_PER_S = 2.0
"""What is added to that for every second that the face was not seen,"""
REACH_MOST = 1.5
"""up to this."""
STILL = 0.02
"""Motion a frame, in sides of the crop, that is not worth predicting: the crop stays calm."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was found in one frame, before it is sure whose face it is."""

    points: Points
    """478 x 3, frame space, as measured: not smoothed."""
    score: float
    meshed: bool = True
    """The points are the mesh model's; else a neutral face laid over a detection."""
    track: "Track | None" = None
    """The face it is taken for; None: a new one."""
    lit: Lit | None = None
    """Its skin, where its crop was looked at."""
    roi: Roi = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "roi", roi_of_points(self.points))

    @property
    def box(self) -> Points:
        """x0, y0, x1, y1 around the points."""
        return box_of_points(self.points)


class Track:
    """One face over time, in frame space."""

    def __init__(self, number: int, sight: Found, now_ns: int) -> None:
        self.id = number
        self._smooth = Smoother()
        self.velocity = (0.0, 0.0)
        """Of the crop's centre, pixels a second."""
        self.roi, self.seen_ns = sight.roi, now_ns
        self.appearance = 0
        """See `Face.appearance`."""
        self._lit: Lit | None = None
        self.see(sight, now_ns)

    def expected(self, now_ns: int) -> Roi:
        """Where the face should be now, if it went on as it did."""
        elapsed_s = (now_ns - self.seen_ns) / 1e9
        dx, dy = self.velocity[0] * elapsed_s, self.velocity[1] * elapsed_s
        way = hypot(dx, dy) / self.roi.side
        if way < STILL:
            return self.roi
        # Nobody flies on for ever: half a crop is as far as a guess goes.
        reach = min(1.0, 0.5 / way)
        return self.roi.shifted(dx * reach, dy * reach)

    def see(self, sight: Found, now_ns: int) -> None:
        """Takes over what was found in this frame."""
        before, elapsed_s = self.roi, (now_ns - self.seen_ns) / 1e9
        self.roi, self.score, self.meshed, self.seen_ns = sight.roi, sight.score, sight.meshed, now_ns
        if sight.lit is not None:
            if self._lit is not None and sight.lit.another(self._lit):
                self.appearance += 1
                self._smooth = Smoother()
            self._lit = sight.lit
        if elapsed_s > 0:
            self.velocity = ((self.roi.x - before.x) / elapsed_s, (self.roi.y - before.y) / elapsed_s)
        self.points = self._smooth(sight.points, eye_distance(sight.points), now_ns)
        self.box = box_of_points(self.points)

    def face(self, now_ns: int) -> Face:
        """What the rest of the house gets to see: the smoothed points."""
        held_ns = now_ns - self.seen_ns
        return Face(self.id, self.box, self.points, self.score, held_ns, appearance=self.appearance)


class Tracks:
    """All faces that are followed or held, oldest first. Ids are never used again."""

    def __init__(self) -> None:
        self.all: list[Track] = []
        self._ids = count(1)

    def take(self, found: Sequence[Found], now_ns: int) -> None:
        """Ends a frame: what was found goes to its track or begins a new one."""
        for sight in found:
            if sight.track is not None:
                sight.track.see(sight, now_ns)
            else:
                self.all.append(Track(next(self._ids), sight, now_ns))

    def drop(self, unseen_since_ns: int) -> None:
        """Forgets the faces that were last seen before a time."""
        self.all = [track for track in self.all if track.seen_ns >= unseen_since_ns]


def distinct(found: Sequence[Found], now_ns: int) -> list[Found]:
    """One of each: where two meshes lie on one face, it is the one's that was expected there.

    Two faces that cross: the crop of the one behind finds the one in front.
    """
    if len(found) < 2:
        return list(found)

    def surprise(sight: Found) -> float:
        return inf if sight.track is None else sight.track.expected(now_ns).drift(sight.roi)

    out: list[Found] = []
    for sight in sorted(found, key=surprise):
        if all(iou(sight.box, other.box) <= SAME_FACE for other in out):
            out.append(sight)
    return out


def unexplained(detections: Iterable[Detection], boxes: Sequence[Points]) -> list[Detection]:
    """The detections that none of the boxes (of meshes, or of other detections) stands for, largest first."""
    new = [d for d in detections if all(iou(d.box, box) <= EXPLAINS for box in boxes)]
    return sorted(new, key=lambda d: -d.roi.side)


def owner(detection: Detection, lost: Iterable[Track], now_ns: int) -> Track | None:
    """The lost face that a detection is most likely to be; None if none is near and alike in size."""
    roi = detection.roi
    best, shortest = None, 1.0
    for track in lost:
        # It may have gone on, or stopped: whichever fits better.
        way = min(track.expected(now_ns).drift(roi), track.roi.drift(roi))
        way /= min(REACH + REACH_PER_S * (now_ns - track.seen_ns) / 1e9, REACH_MOST)
        if 0.5 < roi.side / track.roi.side < 2 and way < shortest:
            best, shortest = track, way
    return best
