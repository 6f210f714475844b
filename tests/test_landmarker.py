from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import standins

from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Frame, Pixels, Points
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.align import five_points
from faceswapd.faces.face import Face
from faceswapd.faces.mesh import stand_in
from faceswapd.inference.engines import Engines
from faceswapd.inference.landmarker import Landmarker
from faceswapd.processors.track_faces import FaceTracker

MODELS = ["2d106det", "1k3d68", "2dfan4"]
SPOT = {"2d106det": (0, 0, 255), "1k3d68": (0, 0, 255), "2dfan4": (255, 0, 0)}
"""What each stand-in looks for, BGR: insightface shows its models RGB, facefusion its own BGR."""
REACH = {"2d106det": 1.5, "1k3d68": 1.5, "2dfan4": 256 / 195}
ASTRONAUT = Path(__file__).parent / "assets" / "astronaut.png"

Making = Callable[[str], Landmarker]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, *MODELS, "w600k_r50")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def face(x: float, y: float, side: float, roll: float = 0.0, number: int = 1) -> Face:
    """A face around (x, y) whose eyes stand at an angle; its box is `side` wide and a little higher."""
    c, s = np.cos(roll), np.sin(roll)
    marks = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [0, 0.25], [-0.5, 0], [0.5, 0]]) * side
    marks = marks @ np.array([[c, s], [-s, c]]) + np.array([x, y])
    box = np.array([x - side / 2, y - 0.55 * side, x + side / 2, y + 0.55 * side], np.float32)
    return Face(number, box, stand_in(marks.astype(np.float32), box), 0.9)


def spotted(spot: tuple[float, float], colour: tuple[int, int, int]) -> Pixels:
    """A disc on green, 640 x 480: light enough to be shown to a fan as it is."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[..., 1] = 200
    blue, _, red = colour
    cv2.circle(pixels, (round(spot[0]), round(spot[1])), 4, (blue, 200, red), -1, cv2.LINE_AA)
    return pixels


def layout(model: str) -> Points:
    return standins.layout_106() if model == "2d106det" else standins.layout_68()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("roll", "quarters"), [(0.3, 0), (np.pi / 2, 1), (np.pi, 2), (-np.pi / 2, -1)])
def test_points_lie_where_the_model_saw_them(
    engines: Engines, model: str, roll: float, quarters: int
) -> None:
    """Wrong channels, a wrong crop, a wrong way back: each would move all points."""
    spot = np.array([340.0, 250.0])
    (found,) = Landmarker(engines, model).look(spotted((340, 250), SPOT[model]), [face(330, 240, 120, roll)])

    half = REACH[model] * 1.1 * 120 / 2
    turn = np.array([[0, -1], [1, 0]]) if quarters else np.eye(2)
    turn = np.linalg.matrix_power(turn, quarters % 4)
    expected = spot + layout(model)[:, :2] * half @ turn.T
    assert found.points.dtype == np.float32
    assert found.points.shape == (len(layout(model)), 3 if model == "1k3d68" else 2)
    np.testing.assert_allclose(found.points[:, :2], expected, atol=0.5)
    if model == "1k3d68":
        np.testing.assert_allclose(found.points[:, 2], standins.layout_68()[:, 2] * half, atol=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_another_colour_is_not_the_models(engines: Engines, model: str) -> None:
    colour = SPOT[model][::-1]
    (found,) = Landmarker(engines, model).look(spotted((350, 260), colour), [face(330, 240, 120)])

    middle = (found.points[:, :2] - layout(model)[:, :2] * REACH[model] * 66).mean(axis=0)
    assert np.abs(middle - (330, 240)).max() < 2, "there is none of its colour: the crop's own middle"


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_is_what_single_runs_are(engines: Engines, model: str) -> None:
    pixels = np.asarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3)), np.uint8)
    faces = [face(200, 200, 90, number=1), face(400, 260, 140, 0.4, 2), face(630, 20, 60, number=3)]
    landmarker = Landmarker(engines, model)

    together = landmarker.look(pixels, faces)
    alone = [landmarker.look(pixels, [f])[0] for f in faces]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.points, other.points, atol=1e-3)
    assert landmarker.look(pixels, []) == []
    assert engines.shelf.card(model).batch


def test_five_points_are_those_of_the_layouts(engines: Engines) -> None:
    pixels = spotted((330, 240), (0, 0, 255))
    whole = face(330, 240, 120)
    five = Landmarker(engines, "2d106det").look(pixels, [whole])[0].five
    np.testing.assert_allclose(five, np.array(list(standins.FIVE_106.values())) * 99 + [330, 240], atol=0.5)

    points = Landmarker(engines, "1k3d68").look(pixels, [whole])[0].points[:, :2]
    rims = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    five = Landmarker(engines, "1k3d68").look(pixels, [whole])[0].five
    np.testing.assert_allclose(five, [*rims, points[30], points[48], points[54]], atol=1e-3)


def test_a_fan_says_how_sure_it_is(tmp_path: Path) -> None:
    for height, score in ((0.45, 0.5), (0.9, 1.0), (2.0, 1.0), (0.0, 0.0)):
        folder = tmp_path / str(height)
        folder.mkdir()
        path = folder / "fan.onnx"
        path.write_bytes(standins.fan(height))
        shelf = standins.shelf(folder)
        shelf.add(path, "fan")
        engines = Engines(
            InferenceSettings(engine="onnxruntime", provider="cpu"), cache=folder / "e.json", shelf=shelf
        )
        (found,) = Landmarker(engines, "fan").look(spotted((330, 240), (255, 0, 0)), [face(330, 240, 120)])
        engines.close()
        assert found.score == pytest.approx(score, abs=1e-6)


def test_the_portraits_points_lie_on_the_portrait(engines: Engines) -> None:
    pixels = np.asarray(cv2.imread(str(ASTRONAUT)), np.uint8)
    (whole,) = FaceTracker(engines).track(Frame(0, 0, pixels), every_frame=True).faces

    for model in MODELS:
        found = Landmarker(engines, model).look(pixels, [whole])[0]
        assert np.abs(found.five - five_points(whole.points)).max() < 25, "a layout around the middle of red"


def test_other_models_are_refused(engines: Engines) -> None:
    with pytest.raises(UsageError, match="w600k_r50 is no landmark model but a recogniser"):
        Landmarker(engines, "w600k_r50")
    with pytest.raises(UsageError, match="no model is called 'nose'"):
        Landmarker(engines, "nose")
