from collections import Counter

import numpy as np
import pytest

from faceswapd.core.frame import Points
from faceswapd.faces import masks
from faceswapd.faces.canonical import canonical

CONTOURS = {
    "oval": masks.FACE_OVAL,
    "outer lips": masks.LIPS_OUTER,
    "inner lips": masks.LIPS_INNER,
    "left eye": masks.LEFT_EYE,
    "right eye": masks.RIGHT_EYE,
    "left eyebrow": masks.LEFT_EYEBROW,
    "right eyebrow": masks.RIGHT_EYEBROW,
}


def frontal(scale: float = 10, centre: tuple[float, float] = (100, 100)) -> Points:
    """The canonical face seen from the front, 20 cm a picture of 200 pixels."""
    points = canonical().xyz * np.array([scale, -scale, -scale], np.float32)
    points[:, :2] += np.array(centre, np.float32)
    return np.asarray(points)


@pytest.mark.parametrize("contour", CONTOURS.values(), ids=CONTOURS.keys())
def test_each_contour_runs_along_the_edges_of_the_mesh(contour: tuple[int, ...]) -> None:
    edges = {frozenset((int(t[i]), int(t[i - 1]))) for t in canonical().triangles for i in range(3)}

    assert all(frozenset(pair) in edges for pair in zip(contour, (*contour[1:], contour[0]), strict=True))


def test_the_oval_is_the_border_of_the_mesh() -> None:
    edges = Counter(frozenset((int(t[i]), int(t[i - 1]))) for t in canonical().triangles for i in range(3))

    assert frozenset().union(*(e for e, n in edges.items() if n == 1)) == frozenset(masks.FACE_OVAL)


def test_left_and_right_are_the_persons_own() -> None:
    x = canonical().xyz[:, 0]

    assert x[list(masks.LEFT_EYE)].min() > 0 > x[list(masks.RIGHT_EYE)].max()
    assert x[list(masks.LEFT_EYEBROW)].min() > 0 > x[list(masks.RIGHT_EYEBROW)].max()


def test_an_oval_holds_the_whole_face_and_nothing_far_from_it() -> None:
    points = frontal()

    mask = masks.oval_mask(points, (200, 200))

    inner = points[[1, 33, 263, 61, 291, 199]].round().astype(int)
    assert (mask[inner[:, 1], inner[:, 0]] == 255).all()
    assert mask[:10].max() == mask[-3:].max() == mask[:, :15].max() == 0


def test_growing_widens_and_feathering_keeps_the_area() -> None:
    points = frontal()
    plain = masks.oval_mask(points, (200, 200)).sum() / 255

    grown = masks.oval_mask(points, (200, 200), grow=0.1).sum() / 255
    soft = masks.oval_mask(points, (200, 200), feather=6)

    assert grown / plain == pytest.approx(1.21, abs=0.02)
    assert soft.sum() / 255 == pytest.approx(plain, rel=0.02)
    assert np.abs(np.diff(soft.astype(int), axis=1)).max() < 40


def test_a_feather_is_no_seam_at_the_border_of_the_picture() -> None:
    mask = masks.oval_mask(frontal(centre=(0, 100)), (200, 200), feather=10)

    assert mask[100, 0] == 255


@pytest.mark.parametrize("scale", [0.05, 1e9, np.nan])
def test_faces_of_absurd_size_are_drawn_without_an_error(scale: float) -> None:
    assert masks.oval_mask(frontal(scale), (50, 60), 0.2, 3).shape == (50, 60)
