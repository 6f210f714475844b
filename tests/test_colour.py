import numpy as np
import pytest

from faceswapd.faces import colour

ONES = np.ones((24, 20), np.float32)


def flat(*bgr: float) -> colour.Small:
    return np.full((24, 20, 3), bgr, np.float32)


def test_a_face_takes_on_the_colour_below() -> None:
    gains = colour.matching(flat(100, 100, 100), flat(150, 100, 60), ONES, 5, 1)

    assert flat(100, 100, 100)[0, 0] * gains[12, 10] == pytest.approx([150, 100, 60], rel=0.02)


def test_strength_goes_from_nothing_to_the_whole_way() -> None:
    source, target = flat(50, 50, 50), flat(100, 100, 100)

    by_strength = [float(colour.matching(source, target, ONES, 5, s)[12, 10, 0]) for s in (0, 0.25, 0.5, 1)]

    assert by_strength[0] == 1
    assert by_strength == sorted(by_strength)
    assert by_strength[2] == pytest.approx(np.sqrt(2), rel=0.02)


def test_equal_pictures_are_left_alone() -> None:
    picture = np.random.default_rng(1).uniform(0, 255, (24, 20, 3)).astype(np.float32)

    assert colour.matching(picture, picture, ONES, 4, 1) == pytest.approx(1, abs=1e-5)


def test_a_shadow_on_one_side_comes_over_and_a_freckle_does_not() -> None:
    target = flat(160, 160, 160)
    target[:, :10] *= 0.4
    freckled = target.copy()
    freckled[12, 15] = 0

    gains = colour.matching(flat(160, 160, 160), target, ONES, 5, 1)
    with_freckle = colour.matching(flat(160, 160, 160), freckled, ONES, 5, 1)

    assert gains[12, 2, 0] < 0.55 < 0.9 < gains[12, 17, 0]
    assert np.abs(with_freckle - gains).max() < 0.1


def test_what_has_no_weight_has_no_say() -> None:
    target = flat(120, 120, 120)
    target[:12] = 255
    weight = ONES.copy()
    weight[:12] = 0

    gains = colour.matching(flat(120, 120, 120), target, weight, 5, 1)

    assert gains == pytest.approx(1, abs=0.02)


def test_no_weight_at_all_and_black_are_no_errors() -> None:
    for source, target, weight in (
        (flat(0, 0, 0), flat(255, 255, 255), ONES),
        (flat(9, 9, 9), flat(0, 0, 0), 0 * ONES),
    ):
        gains = colour.matching(source, target, weight, 5, 1)
        light = colour.lighting(target, weight, 5, 1)

        assert np.isfinite(gains).all()
        assert np.isfinite(light).all()
        assert 1 / colour.LIMIT <= gains.min() <= gains.max() <= colour.LIMIT


def test_light_darkens_a_painted_thing_and_leaves_its_hue() -> None:
    half = flat(60, 80, 160)
    half[:, :10] *= 0.4

    gains = colour.lighting(half, ONES, 5, 1)

    assert (gains[12, 2] < 0.7 * gains[12, 17]).all()
    assert np.ptp(gains, axis=2).max() == 0


def test_a_dark_scene_darkens_by_half_as_much() -> None:
    bright = colour.lighting(flat(150, 150, 150), ONES, 5, 1)
    dark = colour.lighting(flat(37.5, 37.5, 37.5), ONES, 5, 1)

    assert bright == pytest.approx(1, abs=0.01)
    assert dark == pytest.approx(0.5, abs=0.02)
