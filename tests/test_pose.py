import numpy as np
import pytest
import standins

from faceswapd.faces.canonical import canonical
from faceswapd.faces.pose import MESH_68, pose_of_68, pose_of_mesh

TURNS = [(0, 0, 0), (20, 0, 0), (-15, 0, 0), (0, 30, 0), (0, -25, 0), (0, 0, 40), (10, -20, 15)]


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_head_is_told_by_its_68_points(turn: tuple[float, float, float]) -> None:
    points = standins.layout_68(*turn) * 300 + np.array([400, 200, 0], np.float32)

    np.testing.assert_allclose(pose_of_68(points), turn, atol=0.01)
    np.testing.assert_allclose(pose_of_68(points[:, :2]), turn, atol=0.01)


def test_signs_are_those_that_are_told() -> None:
    """Up, to the picture's right, clockwise: where the nose goes, and the eye on the right."""
    nose, right_eye = 30, 45
    rest, up = standins.layout_68(), standins.layout_68(pitch=20)
    right, leaning = standins.layout_68(yaw=20), standins.layout_68(roll=20)

    assert up[nose, 1] < rest[nose, 1]
    assert right[nose, 0] > rest[nose, 0]
    assert leaning[right_eye, 1] > rest[right_eye, 1]


def test_a_mirrored_head_looks_to_the_other_side() -> None:
    points = standins.layout_68(10, -20, 15) * np.array([-1, 1, 1], np.float32)

    np.testing.assert_allclose(pose_of_68(points), (10, 20, -15), atol=0.01)


def test_a_mesh_is_told_whatever_its_mouth_does() -> None:
    mesh = canonical().xyz * np.array([9, -9, 9], np.float32) + np.array([100, 100, 0], np.float32)
    mesh[[13, 14, 17, 152, 61, 291]] += np.array([0, 30, 0], np.float32)

    np.testing.assert_allclose(pose_of_mesh(mesh), (0, 0, 0), atol=0.5)


def test_the_68_points_are_each_another_point_of_the_mesh() -> None:
    assert len(set(MESH_68)) == 68
    xyz = canonical().xyz[list(MESH_68)]
    mirrored = xyz * np.array([-1, 1, 1], np.float32)
    pairs = [*zip(range(8), range(16, 8, -1), strict=True), (36, 45), (39, 42), (31, 35), (48, 54), (17, 26)]
    for one, other in pairs:
        np.testing.assert_allclose(xyz[one], mirrored[other], atol=0.15)
