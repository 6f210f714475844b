from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import standins

from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Frame, Matrix, Pixels
from faceswapd.core.settings import AnalysisSettings, InferenceSettings
from faceswapd.faces.align import five_points
from faceswapd.faces.attributes import Attributes
from faceswapd.faces.face import Face, Sighting
from faceswapd.inference.engine import Runner
from faceswapd.inference.engines import Engines
from faceswapd.inference.landmarker import Landmarker
from faceswapd.processors.analysis import Analysis
from faceswapd.processors.refine_faces import FORGET_NS, LOOK_AGAIN_NS, FaceRefiner
from faceswapd.processors.track_faces import FaceTracker

ASTRONAUT = np.asarray(cv2.imread(str(Path(__file__).parent / "assets" / "astronaut.png")), np.uint8)
S = 1_000_000_000
BOTH = AnalysisSettings(landmarks="2d106det", attributes="genderage")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, "2d106det", "2dfan4", "genderage")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


@pytest.fixture(scope="module")
def face(engines: Engines) -> Face:
    return FaceTracker(engines).track(Frame(0, 0, ASTRONAUT), every_frame=True).faces[0]


class Counted:
    """The engines, with a count of how often and of how many faces each model was asked."""

    def __init__(self, engines: Engines) -> None:
        self.shelf = engines.shelf
        self.asked: dict[str, list[int]] = {}
        self._engines = engines

    def load(self, model: str) -> Runner:
        runner, asked = self._engines.load(model), self.asked.setdefault(model, [])

        class Counting:
            model, engine, close = runner.model, runner.engine, runner.close

            @staticmethod
            def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
                asked.append(len(inputs[0]))
                return runner.run(*inputs)

        return Counting()


def seen(*faces: Face) -> Sighting:
    return Sighting(faces, detected=True)


def shifted(face: Face, dx: float, dy: float = 0.0) -> tuple[Pixels, Face]:
    matrix: Matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    height, width = ASTRONAUT.shape[:2]
    return np.asarray(cv2.warpAffine(ASTRONAUT, matrix, (width, height)), np.uint8), face.moved(matrix)


def test_points_are_told_in_each_frame_and_attributes_rarely(engines: Engines, face: Face) -> None:
    counted = Counted(engines)
    refiner = FaceRefiner(counted, BOTH)  # type: ignore[arg-type]
    for n in range(46):
        (refined,) = refiner.refine(ASTRONAUT, seen(face), n * S // 15).faces
        assert refined.five is not None
        assert refined.attributes is not None

    assert counted.asked == {"2d106det": [1] * 46, "genderage": [1] * 5}, "at 0, 0.27, 0.53, 1.53 and 2.53 s"
    np.testing.assert_allclose(refined.anchors, Landmarker(engines, "2d106det").look(ASTRONAUT, [face])[0].five,
                               atol=0.01)  # fmt: skip


def test_all_faces_of_a_frame_are_one_run(engines: Engines, face: Face) -> None:
    counted = Counted(engines)
    refiner = FaceRefiner(counted, BOTH)  # type: ignore[arg-type]
    people = [replace(shifted(face, 20 * n)[1], id=n) for n in (1, 2, 3)]
    refiner.refine(ASTRONAUT, seen(*people[:2]), 0)
    told = refiner.refine(ASTRONAUT, seen(*people), S // 5).faces

    assert counted.asked == {"2d106det": [2, 3], "genderage": [2, 1]}, "only the newcomer is looked at"
    assert [f.id for f in told] == [1, 2, 3]


@pytest.mark.parametrize(("step", "most"), [(0.0, 0.4), (8.0, 1.1)])
def test_points_are_calm_at_rest_and_keep_up_with_a_fast_face(
    engines: Engines, face: Face, step: float, most: float
) -> None:
    """The box trembles as in the noise of a camera, and the crop with it. `step`: pixels of way in a frame."""
    rng = np.random.default_rng(0)
    landmarker = Landmarker(engines, "2d106det")
    refiner = FaceRefiner(engines, AnalysisSettings(landmarks="2d106det"))
    raw, smooth = [], []
    for n in range(24):
        pixels, moved = shifted(face, step * n)
        box = moved.box + np.tile(rng.normal(0, 0.3, 2), 2).astype(np.float32)
        truth = landmarker.look(pixels, [moved])[0].five
        raw.append(landmarker.look(pixels, [replace(moved, box=box)])[0].five - truth)
        (refined,) = refiner.refine(pixels, seen(replace(moved, box=box)), n * S // 30).faces
        smooth.append(refined.anchors - truth)

    jitter = [float(np.abs(np.diff(one[8:], axis=0)).mean()) for one in (raw, smooth)]
    assert jitter[1] < most * jitter[0]
    assert np.abs(smooth[8:]).max() < 0.01 * 47, "eyes are 47 pixels apart"


def test_a_held_face_keeps_what_was_known_and_asks_nobody(engines: Engines, face: Face) -> None:
    counted = Counted(engines)
    refiner = FaceRefiner(counted, BOTH)  # type: ignore[arg-type]
    (first,) = refiner.refine(ASTRONAUT, seen(face), 0).faces
    (held,) = refiner.refine(ASTRONAUT, seen(replace(face, held_ns=S)), 2 * S).faces
    (cover,) = refiner.refine(ASTRONAUT, seen(replace(face, score=0.0)), 3 * S).faces

    assert first.five is not None
    assert held.five is first.five
    assert (cover.five, cover.attributes) == (None, first.attributes)
    assert counted.asked == {"2d106det": [1], "genderage": [1]}


def test_a_face_that_was_long_gone_and_time_that_goes_back_begin_anew(engines: Engines, face: Face) -> None:
    counted = Counted(engines)
    refiner = FaceRefiner(counted, AnalysisSettings(attributes="genderage"))  # type: ignore[arg-type]
    for at_ns in (LOOK_AGAIN_NS, FORGET_NS + 2 * LOOK_AGAIN_NS, 0, LOOK_AGAIN_NS // 5):
        refiner.refine(ASTRONAUT, seen(face), at_ns)
    assert counted.asked["genderage"] == [1, 1, 1]

    refiner.reset()
    refiner.refine(ASTRONAUT, seen(face), LOOK_AGAIN_NS // 5)
    assert counted.asked["genderage"] == [1] * 4


def test_who_is_there_after_a_cut_is_looked_at_and_not_taken_for_the_one_before(
    engines: Engines, face: Face
) -> None:
    refiner = FaceRefiner(engines, AnalysisSettings(attributes="genderage"))
    blue = np.ascontiguousarray(ASTRONAUT[..., ::-1])
    for n in range(3):
        refiner.refine(ASTRONAUT, seen(face), n * LOOK_AGAIN_NS)
    (after,) = refiner.refine(blue, seen(replace(face, appearance=1)), 2 * LOOK_AGAIN_NS + 1).faces

    assert after.attributes is not None
    assert after.attributes.sex == "female", "no vote of the one before counts"


def test_looks_that_disagree_are_outvoted(engines: Engines, face: Face) -> None:
    refiner = FaceRefiner(engines, AnalysisSettings(attributes="genderage"))
    blue = np.ascontiguousarray(ASTRONAUT[..., ::-1])
    said = [
        refiner.refine(blue if n == 2 else ASTRONAUT, seen(face), n * LOOK_AGAIN_NS).faces[0].attributes
        for n in range(4)
    ]
    assert [one.sex for one in said if one] == ["male"] * 4
    (alone,) = (
        FaceRefiner(engines, AnalysisSettings(attributes="genderage")).refine(blue, seen(face), 0).faces
    )
    assert alone.attributes is not None
    assert alone.attributes.sex == "female"


def test_landmarks_that_are_not_sure_leave_the_meshs(tmp_path: Path, face: Face) -> None:
    path = tmp_path / "fan.onnx"
    path.write_bytes(standins.fan(height=0.4))
    shelf = standins.shelf(tmp_path)
    shelf.add(path, "fan")
    engines = Engines(InferenceSettings(engine="onnxruntime"), cache=tmp_path / "e.json", shelf=shelf)
    refiner = FaceRefiner(engines, AnalysisSettings(landmarks="fan"))
    (refined,) = refiner.refine(ASTRONAUT, seen(face), 0).faces
    engines.close()

    assert refined.five is None
    assert np.array_equal(refined.anchors, five_points(face.points))


def test_a_tracker_tells_what_its_settings_ask_for(engines: Engines) -> None:
    (plain,) = Analysis(engines).tracker().track(Frame(0, 0, ASTRONAUT), every_frame=False).faces
    (whole,) = Analysis(engines, BOTH).tracker().track(Frame(0, 0, ASTRONAUT), every_frame=False).faces

    assert (plain.five, plain.attributes) == (None, None)
    assert whole.five is not None
    assert whole.attributes == Attributes("male", 51)
    mirror: Matrix = np.array([[-1, 0, 511], [0, 1, 0]], np.float32)
    moved = whole.moved(mirror)
    assert moved.five is not None
    np.testing.assert_allclose(moved.five, whole.five * np.array([-1, 1]) + np.array([511, 0]), atol=1e-3)
    assert moved.attributes == whole.attributes


def test_what_is_missing_or_wrong_is_said(engines: Engines) -> None:
    with pytest.raises(UsageError, match="no model is called '1k3d68'"):
        Analysis(engines, AnalysisSettings(landmarks="1k3d68")).tracker()
    with pytest.raises(UsageError, match="model genderage is no landmark model but an attribute model"):
        Analysis(engines, AnalysisSettings(landmarks="genderage")).tracker()
    with pytest.raises(UsageError, match="model 2d106det is no attribute model but a landmark model"):
        Analysis(engines, AnalysisSettings(attributes="2d106det")).tracker()
