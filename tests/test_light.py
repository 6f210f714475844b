"""The light on a face from frame to frame, on a person whose points are known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswapd.capture.motion import REST
from faceswapd.capture.person import Person
from faceswapd.core.frame import Pixels, Points
from faceswapd.faces import masks
from faceswapd.faces.align import five_points
from faceswapd.faces.crop import moved, take
from faceswapd.faces.light import CELLS, LIMIT, Gains, Lit, relit
from faceswapd.faces.templates import crop_matrix

PERSON = Person((640, 360))
SHIFT = (PERSON.scale - 1) / 2 - PERSON.scale * np.array(PERSON.origin)
MESH = np.asarray(PERSON.points[:, :2] * PERSON.scale + SHIFT, np.float32)


def looked(side: int = 128, /, **pose: float) -> tuple[Pixels, Points]:
    """The crop of the person and the mesh in parts of it; the mesh is that of the face at rest."""
    matrix = crop_matrix(five_points(MESH), "arcface_128", side)
    crop = take(PERSON.paint(replace(REST, **pose)).copy(), matrix, side)
    return crop, np.asarray(moved(MESH, matrix) / np.float32(side))


CROP, POINTS = looked()
SKIN = masks.oval_mask(POINTS * np.float32(128), (128, 128), -0.1) > 127


def since(now: Pixels, then: Pixels = CROP) -> Gains | None:
    return Lit.of(now, POINTS).since(Lit.of(then, POINTS))


def under(light: NDArray[np.float32], crop: Pixels = CROP) -> Pixels:
    """The crop with its light multiplied, as a camera shows it."""
    linear = (crop.astype(np.float32) / 255) ** 2.2 * light
    return np.asarray(np.rint(255 * np.clip(linear, 0, 1) ** (1 / 2.2)), np.uint8)


def apart(one: Pixels, other: Pixels) -> float:
    """The mean difference on the face, in levels."""
    return float(np.abs(one.astype(int) - other)[SKIN].mean())


def most(gains: Gains | None) -> float:
    """How far the gains are from 1 at most."""
    return 0.0 if gains is None else float(np.abs(gains - 1).max())


def across(left: float, right: float) -> NDArray[np.float32]:
    return np.linspace(left, right, 128, dtype=np.float32)[None, :, None]


def test_the_same_light_is_none() -> None:
    assert since(CROP) is None


@pytest.mark.parametrize("stops", [-2.0, -1.0, -0.3, 0.3, 0.7])
def test_it_follows_the_exposure(stops: float) -> None:
    now = under(np.full(1, 2.0**stops, np.float32))
    gains = since(now)
    assert gains is not None
    assert gains.shape == (CELLS, CELLS, 3)
    assert gains.dtype == np.float32
    assert apart(relit(CROP, gains), now) < 0.1 * apart(CROP, now)


def test_it_follows_every_small_step_of_a_ramp() -> None:
    gains = [since(under(np.full(1, light, np.float32))) for light in np.linspace(1, 0.3, 40)]
    middle = np.array([1.0 if g is None else float(g[CELLS // 2, CELLS // 2, 1]) for g in gains])
    steps = np.diff(middle)
    assert (steps <= 0).all()
    assert steps.min() > -0.03
    assert middle[-1] == pytest.approx(0.3 ** (1 / 2.2), abs=0.01)


@pytest.mark.parametrize(
    "light",
    [
        np.concatenate([across(1.0, 0.9), across(0.3, 0.9), across(0.3, 0.9)], axis=2),  # blue, from the left
        across(0.2, 1.0),
        across(0.2, 1.0).transpose(1, 0, 2),
        1 / (1 + np.exp(-10 * (across(-1, 1) + 0.2))) * np.float32(0.7) + np.float32(0.3),  # a soft shadow
    ],
)
def test_it_follows_light_from_a_side_in_its_colour(light: NDArray[np.float32]) -> None:
    now = under(light)
    gains = since(now)
    assert gains is not None
    assert apart(relit(CROP, gains), now) < 0.25 * apart(CROP, now)


def test_the_noise_of_a_camera_moves_nothing() -> None:
    random = np.random.default_rng(0)

    def noisy() -> Pixels:
        return np.asarray(np.clip(np.rint(CROP + random.normal(0, 5, CROP.shape)), 0, 255), np.uint8)

    assert all(since(noisy(), noisy()) is None for _ in range(20))


def test_neither_a_blink_nor_a_word_is_light() -> None:
    for pose in ({"blink": 1.0}, {"mouth": 0.3}):
        now, _ = looked(**pose)
        assert apart(CROP, now) > 0.5, "it is seen"
        assert most(since(now)) < 0.02


@pytest.mark.parametrize("colour", [(30, 30, 40), (60, 80, 130), (250, 250, 250)])
def test_a_hand_is_no_light_whether_it_comes_or_goes(colour: tuple[int, int, int]) -> None:
    cheek, most_of_it = CROP.copy(), CROP.copy()
    cv2.ellipse(cheek, (44, 92), (18, 24), 30, 0, 360, colour, -1)
    cv2.ellipse(most_of_it, (64, 70), (34, 44), 30, 0, 360, colour, -1)
    assert most(since(cheek)) < 0.05
    assert most(since(CROP, cheek)) < 0.05
    assert since(most_of_it) is None


def test_the_light_is_followed_beside_a_hand_that_stays() -> None:
    then = CROP.copy()
    cv2.ellipse(then, (44, 92), (18, 24), 30, 0, 360, (60, 80, 130), -1)
    now = under(np.full(1, 0.5, np.float32), then)
    gains = since(now, then)
    assert gains is not None
    assert apart(relit(then, gains), now) < 0.1 * apart(then, now)


def test_gains_have_a_limit() -> None:
    black, white = np.zeros_like(CROP), np.full_like(CROP, 255)
    for now, then, limit in ((white, black, LIMIT), (black, white, 1 / LIMIT)):
        gains = since(now, then)
        assert gains is not None
        np.testing.assert_allclose(gains, limit, rtol=1e-5)
    assert since(black, black) is None


def test_a_crop_of_any_size_gives_the_same_light() -> None:
    light = across(0.4, 1.0)
    want = since(under(light))
    assert want is not None
    for side in (112, 256, 512):
        crop, points = looked(side)
        now = under(np.asarray(cv2.resize(light[0], (1, side))[None, :, 0, None]), crop)
        gains = Lit.of(now, points).since(Lit.of(crop, points))
        assert gains is not None
        assert np.abs(gains - want).max() < 0.03
        assert relit(crop, gains).shape == crop.shape


@pytest.mark.parametrize(
    "light",
    [np.float32(1), np.float32(0.2), np.float32(3), across(0.3, 2.5), across(1.5, 0.2) * [1, 0.8, 0.6]],
)
def test_the_same_face_in_another_light_is_nobody_else(light: NDArray[np.float32]) -> None:
    noise = np.random.default_rng(0).normal(0, 6, CROP.shape)
    now = np.asarray(np.clip(np.rint(under(light) + noise), 0, 255), np.uint8)
    assert not Lit.of(now, POINTS).another(Lit.of(CROP, POINTS))
    assert not Lit.of(CROP, POINTS).another(Lit.of(now, POINTS))


def test_another_face_is_told_at_any_scale_of_its_numbers() -> None:
    somebody = Lit.of(np.ascontiguousarray(CROP[::-1]), POINTS)
    tensor = (CROP / np.float32(255)).astype(np.float32)
    for one in (Lit.of(CROP, POINTS), Lit.of(tensor, POINTS, 255.0)):
        assert one.another(somebody)
        assert somebody.another(one)
        assert not one.another(Lit.of(CROP, POINTS))
