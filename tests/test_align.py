from math import cos, pi, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.core.frame import Points
from faceswapd.faces.align import (
    ARCFACE_112,
    FIVE,
    Roi,
    arcface_matrix,
    box_of_points,
    eye_distance,
    five_points,
    iou,
    roi_of_box,
    roi_of_points,
    similarity,
)
from faceswapd.faces.canonical import canonical

ROIS = st.builds(Roi, st.floats(-500, 2000), st.floats(-500, 2000), st.floats(8, 2000), st.floats(-pi, pi))


def array(*numbers: float) -> Points:
    return np.array(numbers, np.float32)


def head(x: float = 300, y: float = 200, size: float = 10, roll: float = 0) -> Points:
    """The canonical face in a picture, `size` pixels a centimetre, turned clockwise."""
    out = np.zeros((478, 3), np.float32)
    flat = canonical().xyz[:, :2] * (size, -size)
    c, s = cos(roll), sin(roll)
    out[:468, :2] = flat @ np.array([[c, s], [-s, c]]) + (x, y)
    out[468:473], out[473:] = out[[33, 133]].mean(axis=0), out[[263, 362]].mean(axis=0)
    return out


@given(ROIS, st.integers(16, 512))
def test_the_way_into_the_crop_and_back(roi: Roi, size: int) -> None:
    points = np.array([[0, 0, 1], [size, 0, 2], [size / 3, size / 2, 3]], np.float32)

    frame = roi.to_frame(points, size)
    back = frame[:, :2] @ roi.matrix(size)[:, :2].T + roi.matrix(size)[:, 2]

    # float32: the frame's coordinates carry 3e-4 pixels, times the scale of the crop.
    assert np.allclose(back, points[:, :2], atol=2e-3 * max(1, size / roi.side))
    assert np.allclose(frame[:, 2], points[:, 2] * roi.side / size)


def test_the_crop_of_a_box_is_half_as_large_again_with_level_eyes() -> None:
    roi = roi_of_box(array(10, 20, 110, 70), array(40, 40), array(60, 60))

    assert (roi.x, roi.y, roi.side) == (60, 45, 150)
    assert roi.angle == pytest.approx(pi / 4)
    eyes = np.array([[40, 40], [60, 60]]) @ roi.matrix(256)[:, :2].T
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-3)
    assert eyes[0, 0] < eyes[1, 0]


@pytest.mark.parametrize("roll", [0, 20, -45, 90, 179])
def test_a_tilted_head_has_the_crop_of_an_upright_one(roll: float) -> None:
    upright, tilted = roi_of_points(head()), roi_of_points(head(roll=radians(roll)))

    assert tilted.side == pytest.approx(upright.side, rel=1e-4)
    assert tilted.turn(upright) == pytest.approx(abs(radians(roll)), abs=1e-4)


def test_turn_takes_the_short_way_round() -> None:
    assert Roi(0, 0, 1, 3.0).turn(Roi(0, 0, 1, -3.0)) == pytest.approx(2 * pi - 6)


def test_boxes_overlap() -> None:
    a = array(0, 0, 10, 10)

    assert iou(a, a) == 1
    assert iou(a, array(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou(a, array(10, 0, 20, 10)) == 0
    assert iou(np.zeros(4, np.float32), np.zeros(4, np.float32)) == 0


def test_box_and_eyes_of_a_mesh() -> None:
    points = head(size=10)

    x0, y0, x1, y1 = box_of_points(points)
    assert 100 < x1 - x0 < 200
    assert 100 < y1 - y0 < 200
    assert eye_distance(points) == pytest.approx(63, abs=6)  # people's eyes are 6.3 cm apart


@given(st.floats(0.1, 10), st.floats(-3, 3), st.floats(-500, 500), st.floats(-500, 500))
def test_a_similarity_is_found_again(scale: float, angle: float, dx: float, dy: float) -> None:
    c, s = scale * cos(angle), scale * sin(angle)
    moved = ARCFACE_112 @ np.array([[c, s], [-s, c]]) + (dx, dy)

    matrix = similarity(ARCFACE_112, moved.astype(np.float32))

    assert np.allclose(matrix, [[c, -s, dx], [s, c, dy]], atol=2e-3 * max(1, scale))


def test_a_weightless_point_pulls_nothing() -> None:
    moved = ARCFACE_112 + array(3, 4)
    moved[4] += 1000

    assert np.allclose(similarity(ARCFACE_112, moved, (1, 1, 1, 1, 0)), [[1, 0, 3], [0, 1, 4]], atol=1e-4)


def test_the_arcface_crop_holds_the_face_in_its_template() -> None:
    points = head(roll=0.4)

    crop = five_points(points) @ arcface_matrix(points)[:, :2].T + arcface_matrix(points)[:, 2]

    assert len(FIVE) == len(crop) == 5
    assert np.abs(crop - ARCFACE_112).max() < 8  # the canonical face is not the template's
    assert np.allclose(arcface_matrix(points, 224), 2 * arcface_matrix(points), atol=1e-3)
