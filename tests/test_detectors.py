"""Detectors of the user's on stand-ins whose answers are known; insightface's own classes are beside them elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import detector_standins as standins
import numpy as np
import pytest
import standins as others

from faceswapd.core.errors import ModelError, UsageError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import AnalysisSettings, InferenceSettings
from faceswapd.faces.align import Roi, roi_of_points
from faceswapd.faces.detection import fitted, suppressed
from faceswapd.inference.detectors import ShelfDetector
from faceswapd.inference.engines import Engines
from faceswapd.inference.families import FAMILIES
from faceswapd.inference.onnx_file import Graph
from faceswapd.inference.recognition import fit
from faceswapd.processors.analysis import Analysis

ASSETS = Path(__file__).parent / "assets"
RED = (0, 0, 255)
MODELS = tuple(standins.DETECTORS)
SURE = 255 / 256
FIVE = (8, 16, 32, 64, 128)
NOSE = (223, 131)
"""Of the astronaut."""
NOBODY = (420, 420)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    calm = standins.scrfd(alive=(0, 1, 0))
    nameless = standins.scrfd(names=("x", *"abcdefghi"), batch=True)
    shelf = standins.shelf(
        folder,
        *MODELS,
        calm=calm,
        nameless=nameless,
        five=standins.scrfd(FIVE, anchors=1, names=[f"o{n}" for n in range(16)]),
        boxes=standins.scrfd_boxes(),
        five_boxes=standins.scrfd_boxes(FIVE, anchors=1, batch=True),
        calm_boxes=standins.scrfd_boxes(alive=(0, 1, 0)),
    )
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def spotted(size: tuple[int, int], x: int, y: int, side: int, colour: tuple[int, int, int] = RED) -> Pixels:
    """A grey frame of (width, height) with one square."""
    frame = np.full((size[1], size[0], 3), 90, np.uint8)
    frame[y : y + side, x : x + side] = colour
    return frame


@pytest.mark.parametrize("model", MODELS)
def test_every_stride_sees_a_red_cell_where_it_is(engines: Engines, model: str) -> None:
    """A spot within one cell of each stride: three boxes around three corners, of one shape and three sizes."""
    x, y, scale = 296, 104, 0.5  # in the 640 pixels that the detector is shown of 1280
    found = ShelfDetector(engines, model).detect(spotted((1280, 640), 2 * x, 2 * y, 16), thorough=True)

    assert len(found) == 3
    scrfd = model.startswith(("scrfd", "retina"))
    for n, stride in enumerate((8, 16, 32)):
        score = SURE * (standins.ALIVE[n] if scrfd else 1)
        way = (standins.BOX[0] + (standins.LEAN * score if scrfd else 0)) * stride
        corner = np.array([x // stride * stride, y // stride * stride])
        points = corner + standins.POINTS[0].reshape(5, 2) * stride
        detection = min(found, key=lambda d: float(np.abs(d.keypoints * scale - points).max()))
        np.testing.assert_allclose(detection.keypoints * scale, points, atol=0.01)
        np.testing.assert_allclose(detection.box * scale, [*corner - way[:2], *corner + way[2:]], atol=0.01)
        assert detection.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("colour", [(255, 0, 0), (255, 0, 255), (0, 255, 255), (255, 255, 255)])
def test_only_red_is_a_face(engines: Engines, model: str, colour: tuple[int, int, int]) -> None:
    assert ShelfDetector(engines, model).detect(spotted((640, 640), 64, 64, 64, colour), thorough=True) == []


def test_yunet_agrees_with_opencv(engines: Engines, tmp_path: Path) -> None:
    """OpenCV's own class, on the same file."""
    path = tmp_path / "yunet.onnx"
    path.write_bytes(standins.standin("yunet"))
    ours = ShelfDetector(engines, "yunet")
    theirs = cv2.FaceDetectorYN.create(str(path), "", (640, 640), 0.7071, 0.4)
    for name in ("astronaut.png", "obama.jpg"):
        pixels = np.asarray(cv2.imread(str(ASSETS / name)), np.uint8)
        reddened = cv2.add(pixels, np.array([0, 0, 90, 0], np.float64))
        shown = fitted(np.asarray(reddened, np.uint8), 640, square=True)
        _, rows = theirs.detect(shown.pixels)
        expected = {tuple(np.round(row[4:14]).astype(int)): row for row in rows}

        found = ours.detect(np.asarray(reddened, np.uint8), thorough=True)

        assert len(found) > 3
        for detection in found:
            five = detection.keypoints * shown.scale
            row = expected[tuple(np.round(five.ravel()).astype(int))]
            box = [row[0], row[1], row[0] + row[2], row[1] + row[3]]
            np.testing.assert_allclose(detection.box * shown.scale, box, atol=0.5)
            np.testing.assert_allclose(five.ravel(), row[4:14], atol=0.5)
            assert detection.score == pytest.approx(row[14], abs=1e-4)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_what_is_shown_is_no_higher_than_it_has_to_be(engines: Engines, tmp_path: Path, engine: str) -> None:
    """A file that leaves its size open is run on 640 x 384 pixels of a wide frame, in either engine."""
    settings = InferenceSettings(engine=engine, precision="fp32", provider="cpu")  # type: ignore[arg-type]
    one = Engines(settings, cache=tmp_path / "engines.json", shelf=engines.shelf)
    frame = spotted((1280, 720), 592, 208, 16)
    try:
        found = {m: ShelfDetector(one, m).detect(frame, thorough=True) for m in ("scrfd_10g", "scrfd_500m")}
    finally:
        one.close()

    assert fitted(frame, 640, square=False).pixels.shape == (384, 640, 3)
    open_size, fixed_size = found["scrfd_10g"], found["scrfd_500m"]
    assert len(open_size) == len(fixed_size) > 0
    for ours, theirs in zip(open_size, fixed_size, strict=True):
        np.testing.assert_array_equal(ours.box, theirs.box)


def test_a_detector_takes_the_size_that_it_is_told(engines: Engines) -> None:
    frame = spotted((640, 640), 320, 320, 40)

    large = ShelfDetector(engines, "scrfd_10g", 640).detect(frame, thorough=True)
    small = ShelfDetector(engines, "scrfd_10g", 320).detect(frame, thorough=True)

    # A cell is twice as wide in the frame where half as many pixels are shown of it.
    assert max(d.box[2] - d.box[0] for d in small) == 2 * max(d.box[2] - d.box[0] for d in large)
    with pytest.raises(UsageError, match="multiple of 32"):
        ShelfDetector(engines, "scrfd_10g", 600)
    with pytest.raises(UsageError, match="takes 640 pixels a side, not 320"):
        ShelfDetector(engines, "yunet", 320)


def test_what_is_no_detector_or_not_here_is_refused(engines: Engines, tmp_path: Path) -> None:
    path = tmp_path / "gfpgan.onnx"
    path.write_bytes(others.standin("gfpgan_1.4"))
    engines.shelf.add(path, "gfpgan")

    with pytest.raises(UsageError, match="gfpgan is no detector but an enhancer"):
        ShelfDetector(engines, "gfpgan")
    with pytest.raises(UsageError, match="no model is called 'nobody'"):
        ShelfDetector(engines, "nobody")


def test_no_numbers_are_an_error_not_an_empty_room(tmp_path: Path) -> None:
    shelf = standins.shelf(tmp_path, broken=standins.scrfd(alive=(1, float("nan"), 1)))
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=tmp_path / "engines.json", shelf=shelf)
    try:
        with pytest.raises(ModelError, match="gave no numbers"):
            ShelfDetector(engines, "broken")
    finally:
        engines.close()


def test_families_are_told_by_their_tensors(engines: Engines) -> None:
    families = {card.model: card.family for card in engines.shelf.cards()}

    assert families["nameless"] == families["calm"] == families["scrfd_2.5g"] == "scrfd"
    assert families["boxes"] == families["calm_boxes"] == "scrfd_boxes"
    assert families["five"] == "scrfd_five"
    assert families["five_boxes"] == "scrfd_five_boxes"
    graph = Graph(standins.scrfd())
    with pytest.raises(ModelError, match="no output is 'score_64'"):
        fit(FAMILIES["scrfd_five"], graph.inputs, graph.outputs)
    graph = Graph(standins.standin("yunet"))
    with pytest.raises(ModelError, match="has no place in it"):
        fit(FAMILIES["scrfd"], graph.inputs, graph.outputs)


def head(angle: float = 0.0) -> Pixels:
    """The astronaut's, turned about her nose by so many degrees, clockwise. The stand-ins see the red dots."""
    photo = np.asarray(cv2.imread(str(ASSETS / "astronaut.png")), np.uint8)
    turned = cv2.warpAffine(photo, cv2.getRotationMatrix2D(NOSE, -angle, 1), (512, 512))
    alone = cv2.copyTo(turned, cv2.circle(np.zeros((512, 512), np.uint8), NOSE, 120, 255, -1))
    for dot in (NOSE, NOBODY):
        cv2.circle(alone, dot, 5, RED, -1)
    return np.asarray(alone, np.uint8)


@pytest.mark.parametrize("model", ["calm", "calm_boxes"])
def test_a_chosen_detector_leads_the_mesh_to_the_face(engines: Engines, model: str) -> None:
    tracker = Analysis(engines, AnalysisSettings(detector=model)).tracker()

    faces = tracker.track(Frame(0, 0, head()), every_frame=False).faces
    strict = Analysis(engines, AnalysisSettings(detector=model)).tracker()
    everybody = strict.track(Frame(0, 0, head()), every_frame=True).faces

    assert len(faces) == 1
    assert np.hypot(*(faces[0].points[1, :2] - NOSE)) < 10
    # Nothing that the detector takes for a face is shown as it is, though the mesh sees none there.
    assert sorted(face.score > 0 for face in everybody) == [False, True]
    (covered,) = (face.box for face in everybody if face.score == 0)
    (box,) = (d.box for d in ShelfDetector(engines, model).detect(head(), True) if d.box[0] > 300)
    assert (covered[:2] <= box[:2] + 0.01).all()
    assert (covered[2:] >= box[2:] - 0.01).all()


@pytest.mark.parametrize("angle", [-150, -67, 22, 45, 180])
def test_in_a_box_the_mesh_finds_how_a_face_stands(engines: Engines, angle: int) -> None:
    tracker = Analysis(engines, AnalysisSettings(detector="calm_boxes")).tracker()

    (face,) = tracker.track(Frame(0, 0, head(angle)), every_frame=False).faces

    assert np.degrees(roi_of_points(face.points).turn(Roi(0, 0, 1, np.radians(angle)))) < 12
    assert np.hypot(*(face.points[1, :2] - NOSE)) < 10


@pytest.mark.parametrize(("with_points", "without"), [("scrfd_10g", "boxes"), ("five", "five_boxes")])
def test_a_detector_without_points_finds_the_same_boxes(
    engines: Engines, with_points: str, without: str
) -> None:
    photo = np.asarray(cv2.imread(str(ASSETS / "astronaut.png")), np.uint8)

    told = ShelfDetector(engines, with_points).detect(photo, thorough=True)
    found = ShelfDetector(engines, without).detect(photo, thorough=True)

    assert len(found) == len(told) > 3
    for ours, theirs in zip(found, told, strict=True):
        np.testing.assert_array_equal(ours.box, theirs.box)
        assert ours.score == theirs.score
        assert ours.keypoints.shape == (0, 2)
        assert theirs.rois == (theirs.roi,)
        turns = [roi.turn(Roi(0, 0, 1)) for roi in ours.rois]
        np.testing.assert_allclose(np.degrees(turns), [0, 45, 90, 135, 180, 135, 90, 45], atol=1e-3)
        assert {(roi.x, roi.y, roi.side) for roi in ours.rois} == {
            (theirs.roi.x, theirs.roi.y, theirs.roi.side)
        }
    assert ShelfDetector(engines, without).detect(np.zeros_like(photo), thorough=True) == []


def test_overlapping_boxes_give_way_to_surer_ones() -> None:
    boxes = np.array([[0, 0, 99, 99], [10, 0, 109, 99], [60, 0, 159, 99], [300, 0, 399, 99]], np.float32)
    scores = np.array([0.6, 0.9, 0.8, 0.7], np.float32)

    assert suppressed(boxes, scores).tolist() == [1, 2, 3]
    assert suppressed(boxes, scores, max_overlap=0.3).tolist() == [1, 3]
    assert suppressed(boxes[:0], scores[:0]).tolist() == []
