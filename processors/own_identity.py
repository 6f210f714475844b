"""Whose face it is that is worn over: the wearer's own identity, towards or away from which the worn one is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from ..core.frame import Pixels
from ..faces.face import Face
from ..inference.swapper import Identity, Styles, Swapper, drawn, mixed

LOOK_EVERY = 60
"""Frames between two looks at a wearer: who somebody is does not change, but one frame may show it badly."""
REMEMBERED = 16
"""Wearers, and looks at each; who was not seen for longest is forgotten first."""


@dataclass(slots=True)
class _Wearer:
    """One face over time."""

    looks: list[Identity]
    styles: Styles
    frames: int = 0
    """Since the last look."""


@dataclass(slots=True, eq=False)
class OwnIdentities:
    """What a swapper is told for each wearer. Any thread."""

    swapper: Swapper
    worn: Identity
    strength: float
    """See `inference.swapper.drawn`."""
    keep: bool
    """Live: a wearer, known by the id and the appearance of the face, is looked at rarely. Else in every frame, which
    then depends on nothing but itself."""
    _wearers: dict[tuple[int, int], _Wearer] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def styles(self, face: Face, pixels: Pixels) -> Styles:
        """For the face of a frame; `pixels` shows it as it came. Raises InferenceError."""
        who = face.id, face.appearance
        known = self._known(who) if self.keep else None
        if known is not None and (known.frames < LOOK_EVERY or face.held_ns > 0):
            return known.styles
        # Outside the lock: a recogniser takes as long as a frame. Two threads may look at a newcomer at once.
        own = self.swapper.identity([(pixels, face.anchors, 1.0)])
        looks = [*(known.looks if known else ()), own]
        styles = self.swapper.told(drawn(self.worn, _mean(looks), self.strength))
        if self.keep:
            with self._lock:
                self._wearers.pop(who, None)
                self._wearers[who] = _Wearer(looks[-REMEMBERED:], styles)
                while len(self._wearers) > REMEMBERED:
                    del self._wearers[next(iter(self._wearers))]
        return styles

    def _known(self, who: tuple[int, int]) -> _Wearer | None:
        with self._lock:
            wearer = self._wearers.pop(who, None)
            if wearer is not None:
                self._wearers[who] = wearer
                wearer.frames += 1
            return wearer


def _mean(looks: Sequence[Identity]) -> Identity:
    return tuple(mixed(embeddings, [1.0] * len(looks)) for embeddings in zip(*looks, strict=True))
