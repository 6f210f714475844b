from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import standins

from faceswapd.core.frame import Points
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.align import five_points
from faceswapd.faces.canonical import canonical
from faceswapd.faces.face import Face
from faceswapd.faces.pose import Pose, pose_of_mesh
from faceswapd.inference.engines import Engines
from faceswapd.processors.enhance import Enhance, EnhanceParams
from faceswapd.processors.processor import Picture, Workshop

FIVE: Points = np.array([[150, 170], [215, 176], [180, 205], [155, 240], [208, 246]], np.float32)


def face(five: Points | None = None) -> Face:
    """The canonical face, about 150 pixels wide, in 400 x 400."""
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468] = canonical().xyz * np.array([10, -10, 10], np.float32) + np.array([200, 200, 0], np.float32)
    mesh[468:473], mesh[473:] = mesh[[33, 133]].mean(axis=0), mesh[[263, 362]].mean(axis=0)
    box = np.array([120, 100, 280, 300], np.float32)
    return Face(1, box, mesh, 0.9, five=five)


def test_a_face_is_aligned_by_a_landmark_models_points_where_there_are_some() -> None:
    plain = face()

    assert np.array_equal(plain.anchors, five_points(plain.points))
    assert np.array_equal(face(FIVE).anchors, FIVE)


def test_the_points_move_with_the_face() -> None:
    matrix = np.array([[0, -2, 500], [2, 0, 10]], np.float32)

    np.testing.assert_allclose(
        face(FIVE).moved(matrix).anchors, np.stack([500 - 2 * FIVE[:, 1], 2 * FIVE[:, 0] + 10], 1)
    )
    assert face().moved(matrix).five is None


def test_the_pose_is_a_models_until_the_face_is_turned() -> None:
    told = replace(face(), told_pose=Pose(1, 2, 3))
    still = np.array([[2, 0, 5], [0, 2, 7]], np.float32)
    mirrored = np.array([[-1, 0, 400], [0, 1, 0]], np.float32)

    assert told.pose == told.moved(still).pose == Pose(1, 2, 3)
    assert face().pose == pose_of_mesh(face().points)
    assert told.moved(mirrored).pose == pose_of_mesh(told.moved(mirrored).points)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    shelf = standins.shelf(folder, "gfpgan_1.4")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def test_what_a_model_makes_of_a_face_lies_on_those_points(engines: Engines) -> None:
    """The stand-in marks its template's five points in green: they are seen where the face's own lie."""
    nothing: Any = None
    render = Enhance(Workshop(engines, nothing)).prepare(EnhanceParams(blend=1.0))
    mesh = five_points(face().points)
    rigid = mesh + np.array([12, -9], np.float32)  # as far from the template as the mesh's are, elsewhere
    for five, there in ((None, mesh), (rigid, rigid)):
        pixels = render(Picture(np.full((400, 400, 3), 90, np.uint8), (face(five),))).pixels
        green = pixels[..., 1].astype(int) - pixels[..., 2]
        ys, xs = np.nonzero(green > 120)
        marks = np.stack([xs, ys], 1)
        away = np.hypot(*(marks[:, None] - there[None]).transpose(2, 0, 1))
        assert len(marks) > 10
        assert away.min(axis=1).max() < 12
        assert abs(marks.mean(axis=0) - there.mean(axis=0)).max() < 4
