import numpy as np

from faceswapd.faces.masks import LEFT_EYE, RIGHT_EYE
from faceswapd.processors.painted_mask import painted_mask, smooth


def test_it_is_drawn_once_and_painted() -> None:
    mask = painted_mask()

    assert painted_mask() is mask
    assert mask.painted
    assert mask.levels[0].shape[2] == 4
    assert mask.values.min() > 0
    assert mask.values.max() <= 1


def test_it_is_symmetric() -> None:
    picture = painted_mask().levels[1].astype(int)

    assert np.abs(picture - picture[:, ::-1]).mean() < 2


def test_its_eyes_are_open_and_its_face_is_closed() -> None:
    mask = painted_mask()
    side = mask.levels[0].shape[0]

    def alpha(vertices: tuple[int, ...]) -> np.ndarray:
        at = (mask.values[list(vertices), :2] * side).astype(int)
        return np.asarray(mask.levels[0][at[:, 1], at[:, 0], 3])

    for eye in (LEFT_EYE, RIGHT_EYE):
        middle = (mask.values[list(eye), :2].mean(axis=0) * side).astype(int)
        assert mask.levels[0][middle[1], middle[0], 3] < 30
        assert alpha(eye).max() < 160, "the lids move within the hole"
    assert alpha((1, 9, 151, 50, 280, 61, 291, 199, 0, 17)).min() == 255
    assert alpha(tuple(range(468, 504))).max() < 10, "the shadow ends before the skirt does"


def test_a_curve_goes_through_its_points_and_corners_stay() -> None:
    square = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))

    closed, open_ = smooth(square), smooth(square, closed=False)

    for corner in square:
        assert np.abs(closed - np.array(corner)).sum(axis=1).min() < 1e-6
    assert len(closed) == 48
    assert len(open_) == 37
    assert (open_[0] == square[0]).all()
    assert (open_[-1] == square[-1]).all()
