"""Cuts are found, and nothing else is taken for one."""

import numpy as np
import pytest
from test_between import cloth, scene

from faceswapd.motion.between import passage
from faceswapd.motion.cut import cut, held
from faceswapd.motion.flow import Grey


@pytest.mark.parametrize("seed", range(6))
def test_another_scene_is_a_cut(seed: int) -> None:
    one = cloth(seed, 240, 320)
    other = cloth(seed + 50, 240, 320)
    assert cut(passage(one, other))
    assert cut(passage(one, cloth(seed + 60, 240, 320, 0, 90)))
    assert cut(passage(one, np.zeros_like(one)))


@pytest.mark.parametrize("seed", range(6))
def test_motion_is_none(seed: int) -> None:
    ground = cloth(seed, 260, 400)
    for dx, dy in ((1, 0), (10, 5), (20, 20)):
        assert not cut(passage(ground[:240, :320].copy(), ground[dy : dy + 240, dx : dx + 320].copy()))
    assert not cut(passage(scene(60, 60)[0], scene(110, 90)[0]))


def test_a_fade_and_noise_are_none() -> None:
    ground = cloth(1, 240, 320)
    assert not cut(passage(ground, (ground * 0.85).astype(np.uint8)))
    noise = np.random.default_rng(2).normal(0, 6, (2, 240, 320))
    dark = np.full((240, 320), 20.0)
    for picture in (dark, ground.astype(float)):
        one, two = (np.clip(picture + n, 0, 255).astype(np.uint8) for n in noise)
        assert not cut(passage(one, two))


def test_a_picture_that_is_shown_again_is_held() -> None:
    ground = cloth(3, 135, 240)
    again = np.clip(ground.astype(int) + np.random.default_rng(1).integers(-1, 2, ground.shape), 0, 255)
    assert held(ground, ground)
    assert held(ground, again.astype(np.uint8))
    moved: Grey = np.roll(ground, 2, axis=1)
    assert not held(ground, moved)
    mouth = ground.copy()
    mouth[60:66, 100:112] += 12
    assert not held(ground, mouth)
