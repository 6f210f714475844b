"""Detection, tracking and landmarks: from a frame to the faces in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.frame import Frame, Pixels
from ..faces import mesh
from ..faces.alarms import FalseAlarms
from ..faces.align import Roi, eye_distance
from ..faces.detection import Detection, Detector
from ..faces.face import Sighting
from ..faces.light import Lit
from ..faces.track import Found, Track, Tracks, distinct, owner, unexplained
from ..inference.detectors import BlazePair
from ..inference.engine import Models, Tensor
from ..inference.shaped_model import ShapedModel
from .refine_faces import FaceRefiner

STRAYED = 0.15
"""A face that lies farther from its crop's centre than this (in sides of the crop) is looked at again."""
TILTED = 0.25
"""So is one that stands at a larger angle (radians) in its crop."""
RETRY = 5
"""A face that only the detector sees is shown to the mesh model again every so many frames."""
SMALLEST_PX = 8.0
"""Eye distance in pixels under which a mesh means nothing."""


class FaceTracker:
    """Finds the faces of each frame and knows them again in the next.

    Stateful: `track` is called by one thread at a time, in the order of the frames.
    """

    def __init__(
        self,
        models: Models,
        hold_s: float = 0.4,
        remember_s: float = 1.0,
        detect_every: int = 12,
        max_faces: int = 8,
        detector: Detector | None = None,
        refiner: FaceRefiner | None = None,
    ) -> None:
        """Loads the models (blocks; raises ModelError).

        `hold_s`: for how long a lost face stays in the sighting, with `held_ns` above 0. `remember_s`: for
        how long it gets its id back if it turns up near by. `detect_every`: frames between two looks for
        newcomers while all known faces are in sight. `max_faces`: more are not looked at by the mesh model.
        `detector`: None takes the bundled pair. `refiner`: what adds to the faces that are found; it is this tracker's
        own.
        """
        self._detector = detector or BlazePair(models)
        self._refiner = refiner
        self._mesh = ShapedModel(models.load("mesh478"), mesh.SIDE, (1, 1, 1, 3 * mesh.POINTS), (1, 1, 1, 1))
        self._hold_ns = round(max(0.0, hold_s) * 1e9)  # a face of this very frame is never dropped
        self._remember_ns = round(max(hold_s, remember_s) * 1e9)
        self._detect_every = detect_every
        self._max_faces = max_faces
        self._tracks = Tracks()
        self._alarms = FalseAlarms()
        self._size = (0, 0)
        self._now_ns = 0
        self._since_detection = 0
        self._frames = 0

    def reset(self) -> None:
        """Forgets all faces: the next frame has nothing to do with the last one. Ids go on."""
        self._tracks.all.clear()
        self._alarms.clear()
        self._since_detection = 0
        if self._refiner is not None:
            self._refiner.reset()

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        """The faces of a frame, in its pixels' space, oldest id first.

        `every_frame` is for anonymising: the detector looks at this frame whatever is known, and a face that
        only it sees (half hidden, in profile, one too many) is in the sighting too, with a neutral mesh laid
        over it and score 0. Without it it looks when a face is missing, and less thoroughly every
        `detect_every` frames. Time is the frame's `pts_s` where it has one (a film may be worked on at any
        speed), else `captured_ns`. A change of size and time that goes back begin anew. Raises InferenceError.
        """
        now_ns = frame.captured_ns if frame.pts_s is None else round(frame.pts_s * 1e9)
        if frame.size != self._size or now_ns < self._now_ns:
            self.reset()
        last_ns, self._size, self._now_ns = self._now_ns, frame.size, now_ns
        self._frames += 1
        in_sight = [t for t in self._tracks.all if t.seen_ns == last_ns]
        self._tracks.drop(min(last_ns, now_ns - self._remember_ns))
        found = distinct(self._follow(frame.pixels, [t for t in in_sight if t.meshed], now_ns), now_ns)
        followed = {s.track for s in found}
        lost = [t for t in self._tracks.all if t not in followed]
        # As long as a face is held it may come back in any frame.
        held = [t for t in lost if t in in_sight or now_ns - t.seen_ns <= self._hold_ns]
        whole = every_frame or not found or bool(held)
        self._since_detection += 1
        if whole or self._since_detection >= self._detect_every:
            self._since_detection = 0
            found += self._discover(frame.pixels, whole, found, lost, every_frame, now_ns)
        self._tracks.take(found, now_ns)
        shown = [t for t in self._tracks.all if now_ns - t.seen_ns <= self._hold_ns]
        sighting = Sighting(tuple(t.face(now_ns) for t in shown), detected=whole)
        return sighting if self._refiner is None else self._refiner.refine(frame.pixels, sighting, now_ns)

    def _follow(self, pixels: Pixels, tracks: list[Track], now_ns: int) -> list[Found]:
        found = []
        for track in tracks:
            sight = self._look(pixels, [track.expected(now_ns)], track)
            if sight is not None:
                found.append(sight)
        return found

    def _discover(
        self,
        pixels: Pixels,
        thorough: bool,
        found: Sequence[Found],
        lost: Sequence[Track],
        every_face: bool,
        now_ns: int,
    ) -> list[Found]:
        """Faces that the meshes of this frame do not cover: lost ones that come back, and new ones."""
        out = list(found)
        for detection in unexplained(self._detector.detect(pixels, thorough), [s.box for s in found]):
            track = owner(detection, lost, now_ns)
            sight = None
            if len(out) < self._max_faces and (track is None or track.meshed or self._frames % RETRY == 0):
                sight = self._search(pixels, detection, track)
                if sight is not None and len(distinct([*out, sight], now_ns)) <= len(out):
                    sight = None  # its mesh slid onto a face that is known already
                self._alarms.note(detection.box, self._frames, face=sight is not None)
            if sight is None and every_face:
                cover = mesh.stand_in(detection.keypoints, detection.box)
                sight = Found(cover, 0.0, meshed=False, track=track)
            if sight is not None:
                out.append(sight)
                lost = [t for t in lost if t is not track]
        return out[len(found) :]

    def _search(self, pixels: Pixels, detection: Detection, track: Track | None) -> Found | None:
        """The mesh in the crops of a detection; in few of them where there was no face a moment ago."""
        rois = detection.rois
        angle = 0.0 if track is None else track.roi.angle
        few = self._alarms.worth(detection.box, rois, self._frames, angle)
        sight = self._look(pixels, few, track, anew=True)
        if sight is not None and len(few) < len(rois):  # now it is worth to know how it stands
            sight = self._look(pixels, rois, track, anew=True)
        return sight

    def _look(
        self, pixels: Pixels, rois: Sequence[Roi], track: Track | None, anew: bool = False
    ) -> Found | None:
        """The mesh in that of some crops in which it is surest; None where there is no face.

        It is run once more where the face turns out to lie badly in the crop: after a fast move, and
        (`anew`) in a crop from a detection, which is a rough one (mean error 1 to 3 % of the eye distance,
        after the second look 0.5).
        """
        glance = max((self._glance(pixels, roi) for roi in rois), key=lambda glance: glance.score)
        if glance.score < mesh.MIN_PRESENCE:
            return None
        sight = glance.found(track)
        if anew or glance.roi.drift(sight.roi) > STRAYED or glance.roi.turn(sight.roi) > TILTED:
            nearer = self._glance(pixels, sight.roi)
            # In a bad picture the model may lose there what it has just seen: then the rough mesh stands. Of many crops
            # one may show a face by chance: what was seen there has to be seen again.
            if nearer.score >= mesh.MIN_PRESENCE:
                sight = nearer.found(track)
            elif len(rois) > 1:
                return None
        return sight if eye_distance(sight.points) >= SMALLEST_PX else None

    def _glance(self, pixels: Pixels, roi: Roi) -> "_Glance":
        crop = mesh.crop(pixels, roi)
        landmarks, logit = self._mesh.run(crop)
        return _Glance(roi, crop, landmarks, mesh.presence(logit))


@dataclass(frozen=True, slots=True, eq=False)
class _Glance:
    """What the mesh model says of one crop."""

    roi: Roi
    crop: Tensor
    landmarks: Tensor
    score: float

    def found(self, track: Track | None) -> Found:
        """As the face that it is."""
        parts = self.landmarks.reshape(mesh.POINTS, 3)[:, :2] / np.float32(mesh.SIDE)
        lit = Lit.of(self.crop[0], parts, 255.0)
        return Found(mesh.decode(self.landmarks, self.roi), self.score, track=track, lit=lit)
