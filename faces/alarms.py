"""Boxes that a detector takes for faces though there are none: a poster's blot, a lamp. Pure; one thread at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.frame import Points
from .align import Roi, iou

SAME_BOX = 0.5
"""Two boxes that overlap more (intersection over union) are one, which may move."""
FORGOTTEN = 24
"""After so many frames in which nobody has looked there, a box is as good as new: twice those between two looks for
newcomers."""


@dataclass(slots=True, eq=False)
class _Alarm:
    box: Points
    frame: int
    """In which it was last looked at."""
    turn: int = 0
    """How often it was, since it showed no face in any crop."""


class FalseAlarms:
    """Where no crop of a box has shown a face, only two are tried at each later look.

    One is the most likely, and always the same: who stands as expected is found at once. The other is each of the rest
    in turn: a face is found as it stands within as many looks as there are others.
    """

    def __init__(self) -> None:
        self._all: list[_Alarm] = []

    def worth(self, box: Points, rois: Sequence[Roi], frame: int, angle: float = 0.0) -> Sequence[Roi]:
        """Those of a box's crops that are to be tried in this frame; `angle`, radians: how a face may stand there."""
        self._all = [alarm for alarm in self._all if frame - alarm.frame <= FORGOTTEN]
        alarm = self._near(box)
        if alarm is None or len(rois) < 3:
            return rois
        upright = Roi(0.0, 0.0, 1.0, angle)
        likely, *others = sorted(rois, key=lambda roi: roi.turn(upright))
        return likely, others[(alarm.turn - 1) % len(others)]

    def note(self, box: Points, frame: int, *, face: bool) -> None:
        """What a look has shown."""
        alarm = self._near(box)
        if alarm is not None:
            self._all.remove(alarm)
        if not face:
            self._all.append(_Alarm(box, frame, 1 if alarm is None else alarm.turn + 1))

    def clear(self) -> None:
        """The next frame has nothing to do with the last one."""
        self._all.clear()

    def _near(self, box: Points) -> _Alarm | None:
        near = max(self._all, key=lambda alarm: iou(alarm.box, box), default=None)
        return near if near is not None and iou(near.box, box) > SAME_BOX else None
