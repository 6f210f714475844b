import cv2
import numpy as np
import pytest

from faceswapd.core.frame import Points
from faceswapd.faces import landmarks
from faceswapd.faces.face import Face
from faceswapd.faces.mesh import stand_in


def face(box: tuple[float, float, float, float], roll: float = 0.0) -> Face:
    x, y, side = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0]
    c, s = np.cos(roll), np.sin(roll)
    marks = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [0, 0.25], [-0.5, 0], [0.5, 0]]) * side
    marks = (marks @ np.array([[c, s], [-s, c]]) + np.array([x, y])).astype(np.float32)
    return Face(1, np.array(box, np.float32), stand_in(marks, np.array(box, np.float32)), 0.9)


def test_a_square_is_insightfaces() -> None:
    """scale = side / (1.5 x longer side), the box's middle at the crop's middle (Landmark.get)."""
    matrix = landmarks.square(face((100, 50, 180, 150)), 1.5).matrix(192)

    np.testing.assert_allclose(matrix, [[1.28, 0, 96 - 140 * 1.28], [0, 1.28, 96 - 100 * 1.28]], rtol=1e-6)


def test_the_square_of_a_fan_is_facefusions() -> None:
    """scale = 195 / longer side, translation = (256 - (p0 + p1) x scale) / 2."""
    matrix = landmarks.square(face((100, 50, 180, 150)), 256 / 195).matrix(256)

    np.testing.assert_allclose(matrix, [[1.95, 0, (256 - 280 * 1.95) / 2], [0, 1.95, (256 - 200 * 1.95) / 2]],
                               rtol=1e-5)  # fmt: skip


@pytest.mark.parametrize(("roll", "angle"), [(0.5, 0), (-0.5, 0), (1.2, np.pi / 2), (-1.2, -np.pi / 2)])
def test_only_heads_that_lie_are_turned(roll: float, angle: float) -> None:
    assert landmarks.square(face((0, 0, 100, 100), roll), 1.5).angle == pytest.approx(angle)


def test_a_crop_is_black_beyond_the_frame() -> None:
    pixels = np.full((100, 100, 3), 200, np.uint8)
    crop = landmarks.crop(pixels, landmarks.square(face((60, 20, 140, 100)), 1.0), 80)

    assert crop.shape == (80, 80, 3)
    assert (crop[:, :35] == 200).all()
    assert (crop[:, 45:] == 0).all()


def test_numbers_are_read_as_insightface_reads_them() -> None:
    numbers = np.zeros(212, np.float32)
    numbers[76:78] = (-1, 0.5)
    assert landmarks.decode_106(numbers, 192)[38].tolist() == [0, 144]

    head = np.full((1103, 3), 7, np.float32)
    head[-68] = (0, 1, 0.25)
    points = landmarks.decode_68(head.ravel(), 192)
    assert points.shape == (68, 3)
    assert points[0].tolist() == [96, 192, 24]


def test_cells_of_a_fan_are_read_as_facefusion_reads_them() -> None:
    numbers = np.zeros((68, 3), np.float32)
    numbers[5] = (32, 16, 0.4)
    heat = np.zeros((68, 64, 64), np.float32)
    heat[:, 3, 3] = 0.72

    points, score = landmarks.decode_fan(numbers, heat, 256)
    assert points[5].tolist() == [128, 64]
    assert score == pytest.approx(0.8)


def test_a_dark_crop_gets_contrast_and_a_light_one_stays() -> None:
    grey = np.asarray(np.random.default_rng(0).integers(6, 18, (256, 256)), np.uint8)
    dark = cv2.merge([grey, grey, grey])
    light = np.asarray(dark + 100, np.uint8)

    assert landmarks.brightened(light) is light
    brightened = landmarks.brightened(np.asarray(dark, np.uint8))
    assert brightened.std() > 1.5 * dark.std()
    assert np.ptp(brightened.reshape(-1, 3).astype(int), axis=1).max() <= 2, "grey stays grey"


def five(rows: list[list[int]]) -> list[list[float]]:
    return [np.array([_point(i) for i in row]).mean(axis=0).tolist() for row in rows]


def _point(i: int) -> list[float]:
    return [float(i), float(i * i % 97)]


def test_five_points_are_where_the_known_tools_take_them() -> None:
    all_106: Points = np.array([_point(i) for i in range(106)], np.float32)
    all_68: Points = np.array([[*_point(i), 5.0] for i in range(68)], np.float32)

    np.testing.assert_allclose(landmarks.five_of(all_106), five([[38], [88], [86], [52], [61]]))
    np.testing.assert_allclose(
        landmarks.five_of(all_68), five([[*range(36, 42)], [*range(42, 48)], [30], [48], [54]]), rtol=1e-6
    )
