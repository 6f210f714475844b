"""Detection, tracking and landmarks: from a frame to the faces in it."""

import numpy as np

from ..core.errors import ModelError
from ..core.frame import Frame, Pixels, Points
from ..faces import blaze, mesh
from ..faces.align import Roi, eye_distance, roi_of_points
from ..faces.blaze import Detection
from ..faces.face import Sighting
from ..faces.track import Found, Track, Tracks, distinct, owner, unexplained
from ..inference.engine import Models, Runner, Tensor

REFINE = 0.2
"""A face that lies farther from its crop's centre than this (in sides of the crop) is looked at again."""
SMALLEST_PX = 8.0
"""Eye distance in pixels under which a mesh means nothing."""


class FaceTracker:
    """Finds the faces of each frame and knows them again in the next.

    Stateful: `track` is called by one thread at a time, in the order of the frames.
    """

    def __init__(
        self, models: Models, hold_s: float = 0.4, detect_every: int = 12, max_faces: int = 8
    ) -> None:
        """Loads the models (blocks; raises ModelError).

        `hold_s`: for how long a lost face stays in the sighting, with `held_ns` above 0. `detect_every`:
        frames between two looks for newcomers while all known faces are in sight. `max_faces`: more are
        not followed, and never looked for in the mesh model.
        """
        self._short = _Model(models.load("blaze_short"), 128, (1, 896, 16), (1, 896, 1))
        self._full = _Model(models.load("blaze_full"), 192, (1, 2304, 16), (1, 2304, 1))
        self._mesh = _Model(models.load("mesh478"), mesh.SIDE, (1, 1, 1, 3 * mesh.POINTS), (1, 1, 1, 1))
        self._hold_ns = round(hold_s * 1e9)
        self._detect_every = detect_every
        self._max_faces = max_faces
        self._tracks = Tracks()
        self._size = (0, 0)
        self._now_ns = 0
        self._since_detection = 0

    def reset(self) -> None:
        """Forgets all faces: the next frame has nothing to do with the last one. Ids go on."""
        self._tracks.all.clear()
        self._since_detection = 0

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        """The faces of a frame, in its pixels' space, oldest id first.

        `every_frame` runs both detectors on this frame whatever is known, and covers also what the mesh
        model does not take for a face: a newcomer is never missed for a frame. Time is the frame's `pts_s`
        where it has one (a film may be worked on at any speed), else `captured_ns`. A change of size and
        time that goes back begin anew. Raises InferenceError.
        """
        now_ns = frame.captured_ns if frame.pts_s is None else round(frame.pts_s * 1e9)
        if frame.size != self._size or now_ns < self._now_ns:
            self.reset()
        last_ns, self._size, self._now_ns = self._now_ns, frame.size, now_ns
        self._tracks.drop(now_ns - max(self._hold_ns, now_ns - last_ns))
        known = self._tracks.all
        seen = [t for t in known if t.seen_ns == last_ns]
        found = distinct(self._follow(frame.pixels, [t for t in seen if t.meshed], now_ns), now_ns)
        self._since_detection += 1
        missing = not found or len(found) < len(seen)
        detect = every_frame or missing or self._since_detection >= self._detect_every
        if detect:
            self._since_detection = 0
            followed = {s.track for s in found}
            lost = [t for t in known if t not in followed]
            found += self._discover(frame.pixels, found, lost, every_frame, now_ns)
        self._tracks.take(found, now_ns)
        self._tracks.drop(now_ns - self._hold_ns)
        return Sighting(tuple(t.face(now_ns) for t in self._tracks.all), detect)

    def _follow(self, pixels: Pixels, tracks: list[Track], now_ns: int) -> list[Found]:
        found = []
        for track in tracks:
            sight = self._look(pixels, track.expected(now_ns), track)
            if sight is not None:
                found.append(sight)
        return found

    def _discover(
        self, pixels: Pixels, found: list[Found], lost: list[Track], strict: bool, now_ns: int
    ) -> list[Found]:
        """Faces that the meshes of this frame do not cover: lost ones that come back, and new ones."""
        out = list(found)
        for detection in unexplained(self._detect(pixels, both=strict), [s.box for s in found]):
            track = owner(detection, lost, now_ns)
            sight = self._look(pixels, detection.roi, track) if len(out) < self._max_faces else None
            if sight is not None and len(distinct([*out, sight], now_ns)) <= len(out):
                sight = None  # its mesh slid onto a face that is known already
            if sight is None and strict:
                sight = Found(mesh.stand_in(detection.keypoints), detection.score, meshed=False, track=track)
            if sight is not None:
                out.append(sight)
                lost = [t for t in lost if t is not track]
        return out[len(found) :]

    def _look(self, pixels: Pixels, roi: Roi, track: Track | None) -> Found | None:
        """The mesh in a crop, once more where it turns out to lie at its edge; None where there is none."""
        points, score = self._run_mesh(pixels, roi)
        if score >= mesh.MIN_PRESENCE:
            better = roi_of_points(points)
            if roi.drift(better) > REFINE:
                points, score = self._run_mesh(pixels, better)
        if score < mesh.MIN_PRESENCE or eye_distance(points) < SMALLEST_PX:
            return None
        return Found(points, score, track=track)

    def _run_mesh(self, pixels: Pixels, roi: Roi) -> tuple[Points, float]:
        landmarks, logit = self._mesh.run(mesh.crop(pixels, roi))
        return mesh.decode(landmarks, roi), mesh.presence(logit)

    def _detect(self, pixels: Pixels, both: bool) -> list[Detection]:
        """The full-range detector's faces, and with `both` those that only the short-range one sees."""
        small = blaze.shrunk(pixels, blaze.SIDE["full"])
        found = self._run_detector("full", small)
        if both:
            found += unexplained(self._run_detector("short", small), [d.box for d in found])
        return found

    def _run_detector(self, kind: blaze.Range, small: Pixels) -> list[Detection]:
        tensor, where = blaze.letterbox(small, kind, self._size)
        regressors, logits = (self._short if kind == "short" else self._full).run(tensor)
        return blaze.decode(kind, regressors, logits, where)


class _Model:
    """A model of pictures whose outputs are told apart by their shapes, whatever their order."""

    def __init__(self, runner: Runner, side: int, *shapes: tuple[int, ...]) -> None:
        """Runs it once on black, which also warms it up. Raises ModelError when an output is missing."""
        self._runner = runner
        given = [output.shape for output in runner.run(np.zeros((1, side, side, 3), np.float32))]
        for shape in shapes:
            if shape not in given:
                raise ModelError(f"model {runner.model} has no output of shape {shape}", "restore its file")
        self._order = [given.index(shape) for shape in shapes]

    def run(self, tensor: Tensor) -> list[Tensor]:
        """The outputs in the order of the shapes that were asked for."""
        outputs = self._runner.run(tensor)
        return [outputs[i] for i in self._order]
