"""What the user's models say of faces that are tracked: alignment points in each frame, sex and age now and then."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.frame import Pixels, Points
from ..core.settings import AnalysisSettings
from ..faces.align import eye_distance
from ..faces.attributes import Attributes, Vote
from ..faces.canonical import canonical
from ..faces.face import Face, Sighting
from ..faces.pose import Pose
from ..faces.smooth import Smoother
from ..inference.classifier import Classifier
from ..inference.engine import Models
from ..inference.landmarker import Landmarker

LOOK_AGAIN_NS = 1_000_000_000
"""Sex and age of a face are looked at when it is new, and then once in so long;"""
AT_FIRST_NS = 250_000_000
"""but sooner until there are three looks: one that is wrong is then outvoted."""
_ENOUGH_LOOKS = 3
SURE = 0.5
"""Landmarks that the model is less sure of are not taken: the mesh's own points stand. facefusion's default."""
FORGET_NS = 10_000_000_000
"""What is known of a face that was not seen for so long is dropped; its id does not come back."""


class FaceRefiner:
    """Adds `Face.five`, `Face.told_pose` and `Face.attributes`, each if a model for it is chosen.

    Stateful: called by one thread at a time, in the order of the frames.
    """

    def __init__(self, models: Models, analysis: AnalysisSettings) -> None:
        """Loads the models (blocks). Raises ModelError with the command that brings one, UsageError for a wrong one."""
        self._landmarker = Landmarker(models, analysis.landmarks) if analysis.landmarks else None
        self._classifier = Classifier(models, analysis.attributes) if analysis.attributes else None
        self._known: dict[int, _Known] = {}

    def reset(self) -> None:
        """Forgets all faces."""
        self._known.clear()

    def refine(self, pixels: Pixels, sighting: Sighting, now_ns: int) -> Sighting:
        """The sighting of a frame (BGR) with what the models say. Raises InferenceError.

        A face that is held, or that only the detector sees, keeps what was known of it, its points aside: there is
        no mesh to carry them.
        """
        if self._landmarker is None and self._classifier is None:
            return sighting
        self._known = {n: k for n, k in self._known.items() if 0 <= now_ns - k.seen_ns <= FORGET_NS}
        for face in sighting.faces:
            known = self._known.get(face.id)
            if known is None or known.appearance != face.appearance:
                known = self._known[face.id] = _Known(appearance=face.appearance)
            known.seen_ns = now_ns
        seen = [face for face in sighting.faces if face.score > 0 and not face.held_ns]
        self._align(pixels, seen, now_ns)
        faces = tuple(self._told(face) for face in sighting.faces)
        aligned = [face for face in faces if face.score > 0 and not face.held_ns]
        if self._judge(pixels, aligned, now_ns):
            faces = tuple(self._told(face) for face in faces)
        return replace(sighting, faces=faces)

    def _align(self, pixels: Pixels, faces: Sequence[Face], now_ns: int) -> None:
        if self._landmarker is None:
            return
        for face, found in zip(faces, self._landmarker.look(pixels, faces), strict=True):
            known = self._known[face.id]
            sure = found.score >= SURE
            known.five = known.carry(face.points, found.five, now_ns) if sure else None
            known.pose = found.pose if sure else None

    def _judge(self, pixels: Pixels, faces: Sequence[Face], now_ns: int) -> bool:
        """Looks at the faces whose turn it is; False where there is none."""
        if self._classifier is None:
            return False
        due = [f for f in faces if self._known[f.id].due(now_ns)]
        for face, look in zip(due, self._classifier.look(pixels, due), strict=True):
            known = self._known[face.id]
            known.attributes, known.looked_ns = known.vote.add(look), now_ns
        return bool(due)

    def _told(self, face: Face) -> Face:
        known = self._known[face.id]
        five, pose = (known.five, known.pose) if face.score > 0 else (None, None)
        return replace(face, five=five, attributes=known.attributes, told_pose=pose)


@dataclass(slots=True)
class _Known:
    """What is known of one face."""

    seen_ns: int = 0
    appearance: int = 0
    five: Points | None = None
    pose: Pose | None = None
    attributes: Attributes | None = None
    looked_ns: int = 0
    vote: Vote = field(default_factory=Vote)
    smooth: Smoother = field(default_factory=Smoother)

    def due(self, now_ns: int) -> bool:
        wait_ns = LOOK_AGAIN_NS if self.vote.looks >= _ENOUGH_LOOKS else AT_FIRST_NS
        return self.attributes is None or now_ns - self.looked_ns >= wait_ns

    def carry(self, mesh: Points, five: Points, now_ns: int) -> Points:
        """The five points as calm as the mesh.

        They are smoothed with the mesh's rigid points beside them: five alone would tell the face's own motion
        too badly to be carried by it.
        """
        rigid = mesh[canonical().rigid]
        flat = np.column_stack([five, np.zeros(5, np.float32)])
        both = np.concatenate([rigid, flat]).astype(np.float32)
        return self.smooth(both, eye_distance(mesh), now_ns)[-5:, :2].copy()
