from math import pi

import numpy as np
import pytest

from faceswapd.faces import mesh
from faceswapd.faces.align import Roi, box_of_points, eye_distance, roi_of_points
from faceswapd.faces.canonical import canonical


def test_the_crop_is_rgb_from_0_to_1() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[..., 2] = 255  # red, in BGR

    tensor = mesh.crop(picture, Roi(200, 150, 100))

    assert tensor.shape == (1, 256, 256, 3)
    assert tensor.dtype == np.float32
    assert np.allclose(tensor[0, 128, 128], [1, 0, 0])


@pytest.mark.parametrize("side", [90, 500, 700, 1500])
@pytest.mark.parametrize("angle", [0, 0.7, -2])
def test_a_mark_in_the_frame_is_read_back_from_the_crop(side: float, angle: float) -> None:
    """Also from a crop so large that the frame is halved on the way."""
    spread = np.exp(-(((np.arange(401) - 230) / (side / 60)) ** 2))
    column = np.exp(-(((np.arange(301) - 120) / (side / 60)) ** 2))
    picture = np.repeat((255 * column[:, None] * spread)[..., None], 3, axis=2).astype(np.uint8)
    roi = Roi(220, 130, side, angle)

    weight = mesh.crop(picture, roi)[0, ..., 0]
    weight = np.where(weight > 0.3, weight, 0)
    y, x = (float((weight * axis).sum() / weight.sum()) for axis in np.mgrid[:256, :256])
    points = mesh.decode(np.tile(np.array([x, y, 10], np.float32), 478).reshape(1, 1, 1, -1), roi)

    assert points.shape == (478, 3)
    assert np.allclose(points[0, :2], [230, 120], atol=0.1 * max(1, side / 256))
    assert points[0, 2] == pytest.approx(10 * side / 256)


def test_outside_of_the_frame_it_is_black() -> None:
    white = np.full((50, 50, 3), 255, np.uint8)

    assert mesh.crop(white, Roi(500, 500, 40)).max() == 0


def test_presence_is_a_probability_and_never_warns() -> None:
    logits = [mesh.presence(np.full((1, 1, 1, 1), v, np.float32)) for v in (-1e9, -1, 0, 1, 1e9)]

    assert logits[0] < 1e-6
    assert logits[2] == 0.5
    assert logits[4] > 1 - 1e-6
    assert logits == sorted(logits)


@pytest.mark.parametrize("angle", [0, 0.5, -2])
def test_a_stand_in_lies_on_the_detectors_points(angle: float) -> None:
    c, s = np.cos(angle), np.sin(angle)
    level = np.array([[-30, -20], [30, -20], [0, 10], [0, 35], [-70, 0], [70, 0]], np.float32)
    keypoints = (level @ np.array([[c, s], [-s, c]]) + (200, 100)).astype(np.float32)

    points = mesh.stand_in(keypoints, np.array([190, 90, 210, 110], np.float32))

    assert points.shape == (478, 3)
    assert points.dtype == np.float32
    assert eye_distance(points) == pytest.approx(60, rel=0.2)
    assert np.allclose(points[468:473, :2].mean(axis=0), keypoints[0], atol=10)
    assert np.allclose(points[473:, :2].mean(axis=0), keypoints[1], atol=10)
    assert roi_of_points(points).turn(Roi(0, 0, 1, angle)) < 0.02
    assert abs(angle) < pi
    assert points[1, 2] == 0  # the tip of the nose is in front of everything
    assert (points[:468, 2] >= points[1, 2]).mean() > 0.95
    assert len(canonical().xyz) == 468


def test_a_stand_in_lies_on_five_points_too() -> None:
    keypoints = np.array([[170, 80], [230, 80], [200, 112], [176, 145], [224, 145]], np.float32)

    points = mesh.stand_in(keypoints, np.array([150, 40, 250, 175], np.float32))

    assert np.allclose(points[[61, 291], :2], keypoints[3:], atol=10)
    assert np.allclose(points[468:473, :2].mean(axis=0), keypoints[0], atol=10)
    assert (points[:468, :2].min(axis=0) <= [150, 40]).all()
    assert (points[:468, :2].max(axis=0) >= [250, 175]).all()


@pytest.mark.parametrize("size", [(100, 130), (130, 100), (40, 120)])
def test_a_stand_in_without_points_stands_upright_in_its_box(size: tuple[int, int]) -> None:
    box = np.array([80, 60, 80 + size[0], 60 + size[1]], np.float32)

    points = mesh.stand_in(np.empty((0, 2), np.float32), box)

    assert roi_of_points(points).turn(Roi(0, 0, 1)) < 0.02
    assert points[10, 1] < points[1, 1] < points[152, 1]  # forehead, nose, chin
    around = box_of_points(points)
    assert (around[:2] <= box[:2] + 0.01).all()
    assert (around[2:] >= box[2:] - 0.01).all()
    middle = (around[:2] + around[2:]) / 2
    np.testing.assert_allclose(middle, (box[:2] + box[2:]) / 2, atol=1)
    assert np.ptp(points[:, 2]) > 10


def test_a_stand_in_covers_the_detectors_box() -> None:
    profile = np.array([[100, 100], [104, 101], [92, 115], [96, 130], [140, 105], [104, 104]], np.float32)
    box = np.array([80, 80, 150, 150], np.float32)

    x0, y0, x1, y1 = box_of_points(mesh.stand_in(profile, box))

    assert x0 <= 80.01
    assert y0 <= 80.01
    assert x1 >= 149.99
    assert y1 >= 149.99
