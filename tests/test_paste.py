import numpy as np
import pytest

from faceswapd.faces.paste import paste


def test_alpha_of_nothing_and_of_all_are_exact() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 256, (20, 30, 3), np.uint8)
    before, overlay = target.copy(), rng.integers(0, 256, (8, 10, 3), np.uint8)
    alpha = np.zeros((8, 10), np.uint8)
    alpha[:, 5:] = 255

    paste(target, 4, 6, overlay, alpha)

    assert np.array_equal(target[6:14, 9:14], overlay[:, 5:])
    target[6:14, 9:14] = before[6:14, 9:14]
    assert np.array_equal(target, before)


@pytest.mark.parametrize("alpha", [1, 64, 128, 254])
def test_between_them_it_mixes_within_one_level(alpha: int) -> None:
    rng = np.random.default_rng(alpha)
    target = rng.integers(0, 256, (16, 16, 3), np.uint8)
    overlay = rng.integers(0, 256, (16, 16, 3), np.uint8)
    wanted = target + (overlay.astype(float) - target) * alpha / 255

    paste(target, 0, 0, overlay, np.full((16, 16), alpha, np.uint8))

    assert np.abs(target - wanted).max() <= 1


@pytest.mark.parametrize(("x", "y"), [(-4, 3), (25, -5), (27, 17), (-9, -7)])
def test_what_reaches_over_the_border_is_cut_off(x: int, y: int) -> None:
    target = np.zeros((20, 30, 3), np.uint8)
    wanted = np.zeros((60, 60, 3), np.uint8)
    wanted[20 + y : 28 + y, 20 + x : 30 + x] = 200

    paste(target, x, y, np.full((8, 10, 3), 200, np.uint8), np.full((8, 10), 255, np.uint8))

    assert np.array_equal(target, wanted[20:40, 20:50])
    assert target.any()


def test_wholly_outside_changes_nothing() -> None:
    target = np.full((20, 30, 3), 7, np.uint8)

    paste(target, 30, 0, np.zeros((8, 10, 3), np.uint8), np.full((8, 10), 255, np.uint8))

    assert (target == 7).all()
