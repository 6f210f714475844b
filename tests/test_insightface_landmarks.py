"""Landmarks, attributes and poses beside insightface's own `Landmark` and `Attribute`, on the same files and pictures.

Skipped where insightface is not installed (`uv sync --group insightface`).
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import standins

from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.face import Face
from faceswapd.faces.pose import MESH_68, pose_of_68, pose_of_mesh
from faceswapd.inference.classifier import Classifier
from faceswapd.inference.engines import Engines
from faceswapd.inference.landmarker import Landmarker
from faceswapd.processors.track_faces import FaceTracker

pytestmark = pytest.mark.filterwarnings("ignore")
ASSETS = Path(__file__).parent / "assets"
PICTURES = sorted(p.name for p in ASSETS.iterdir() if p.suffix in (".png", ".jpg"))
TURNS = [(0, 0, 0), (15, 0, 0), (-15, 0, 0), (0, 35, 0), (0, -35, 0), (0, 0, 30), (10, -20, 15)]
POSE_DEGREES = 4.0
"""The mean face of insightface's file and the canonical face are two faces: that is what their poses differ by."""
TURNED_DEGREES = 6.5
"""The same for a head that is the canonical face, turned by as much as 35 degrees: ours is then exact."""


@pytest.fixture(scope="module")
def zoo() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from insightface.data import get_object
            from insightface.model_zoo import attribute, landmark
            from insightface.utils import transform
        except ImportError as error:
            pytest.skip(f"insightface is not installed ({error})")
    return SimpleNamespace(
        landmark=landmark.Landmark, attribute=attribute.Attribute, transform=transform, mean=get_object
    )


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, "2d106det", "1k3d68", "genderage")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def seen(engines: Engines, name: str) -> tuple[Pixels, Face]:
    """A picture and its largest face."""
    pixels = np.asarray(cv2.imread(str(ASSETS / name)), np.uint8)
    faces = FaceTracker(engines).track(Frame(0, 0, pixels), every_frame=True).faces
    return pixels, max(faces, key=lambda face: face.area)


def boxes(face: Face, pixels: Pixels) -> list[Face]:
    """The face, and others where it is not: smaller, larger, over the border of the picture."""
    x0, y0, x1, y1 = face.box
    height, width = pixels.shape[:2]
    more = [
        (x0 + 3.3, y0 + 7.7, x1 - 9.1, y1 - 2.2),
        (x0 - 31.7, y0 - 12.9, x1 + 44.1, y1 + 3.3),
        (width - 60.5, height - 80.5, width + 10.2, height + 20.9),
    ]
    return [face, *(Face(2, np.array(box, np.float32), face.points, 0.9) for box in more)]


def written(folder: Path, model: str) -> str:
    path = folder / f"{model}.onnx"
    path.write_bytes(standins.standin(model))
    return str(path)


@pytest.mark.parametrize("model", ["2d106det", "1k3d68"])
@pytest.mark.parametrize("name", PICTURES)
def test_points_agree_with_landmark(
    zoo: Any, engines: Engines, name: str, model: str, tmp_path: Path
) -> None:
    pixels, face = seen(engines, name)
    theirs = zoo.landmark(written(tmp_path, model))
    assert theirs.input_std == 1, "it takes the model for one that normalises by itself"
    for one in boxes(face, pixels):
        points = theirs.get(pixels, _Face(one.box))
        (found,) = Landmarker(engines, model).look(pixels, [one])
        assert found.points.shape == points.shape
        assert np.abs(found.points - points).max() < 0.5
        assert np.abs(points).max() > 1


@pytest.mark.parametrize("name", PICTURES)
def test_sex_and_age_agree_with_attribute(zoo: Any, engines: Engines, name: str, tmp_path: Path) -> None:
    pixels, face = seen(engines, name)
    theirs = zoo.attribute(written(tmp_path, "genderage"))
    for colours in (pixels, np.ascontiguousarray(pixels[..., ::-1])):
        for one in boxes(face, colours):
            gender, age = theirs.get(colours, _Face(one.box))
            (found,) = Classifier(engines, "genderage").look(colours, [one])
            assert (found.sex, found.age) == (("female", "male")[gender], age)


@pytest.mark.parametrize("name", PICTURES)
def test_poses_of_people_agree_with_insightfaces(zoo: Any, engines: Engines, name: str) -> None:
    """The same 68 points, their mean face and ours; and ours of the whole mesh."""
    _, face = seen(engines, name)
    points = face.points[list(MESH_68)]
    camera = zoo.transform.estimate_affine_matrix_3d23d(zoo.mean("meanshape_68.pkl"), points)
    theirs = zoo.transform.matrix2angle(zoo.transform.P2sRt(camera)[1])

    assert np.abs(np.subtract(pose_of_68(points), theirs)).max() < POSE_DEGREES
    assert np.abs(np.subtract(pose_of_mesh(face.points), theirs)).max() < POSE_DEGREES


@pytest.mark.parametrize("turn", TURNS)
def test_poses_of_a_turned_head_agree_with_landmark(
    zoo: Any, turn: tuple[float, float, float], tmp_path: Path
) -> None:
    path = tmp_path / "1k3d68.onnx"
    path.write_bytes(standins.landmarks_192(standins.layout_68(*turn), before=1035))
    face = _Face(np.array([40, 40, 160, 160], np.float32))
    points = zoo.landmark(str(path)).get(np.full((200, 200, 3), 128, np.uint8), face)

    np.testing.assert_allclose(pose_of_68(points), turn, atol=0.1)
    assert np.abs(np.subtract(pose_of_68(points), face["pose"])).max() < TURNED_DEGREES


class _Face(dict[str, Any]):
    """insightface's face: attributes and items at once."""

    def __init__(self, box: Any) -> None:
        super().__init__(bbox=box)
        self.__dict__ = self
