from pathlib import Path

import cv2
import numpy as np
import pytest

from faceswapd.core.frame import Pixels, Points
from faceswapd.faces.masks import LEFT_EYEBROW, LIPS_OUTER, RIGHT_EYEBROW, Mask, fill, polygon
from faceswapd.faces.skin import skin_mask

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def astronaut() -> tuple[Pixels, Points]:
    """The portrait cut to its face, and its landmarks there."""
    with np.load(HERE / "golden" / "landmarks.npz") as golden:
        points = golden["astronaut"].astype(np.float32).copy()
    photo = np.asarray(cv2.imread(str(HERE / "assets" / "astronaut.png")), np.uint8)
    points[:, :2] -= (160, 50)
    return photo[50:190, 160:290], points


def at(mask: Mask, points: Points, *vertices: int) -> Mask:
    x, y = points[list(vertices), :2].round().astype(int).T
    return np.asarray(mask[y, x])


def test_the_face_is_skin_and_so_are_its_eyes_eyebrows_and_lips(astronaut: tuple[Pixels, Points]) -> None:
    pixels, points = astronaut

    mask = skin_mask(pixels, points)

    assert mask.shape == pixels.shape[:2]
    assert at(mask, points, 1, 4, 50, 280, 9, 13, 468, 473, 199, 105, 334).min() > 200


def test_hair_over_the_forehead_and_the_room_are_not(astronaut: tuple[Pixels, Points]) -> None:
    pixels, points = astronaut

    mask = skin_mask(pixels, points)

    assert at(mask, points, 10, 338, 297, 332, 284).max() < 60, "the fringe"
    assert mask[5, 60] < 60, "the hair above"
    assert mask[100, 5] < 60, "beside the face"


def test_a_hat_of_any_colour_is_not(astronaut: tuple[Pixels, Points]) -> None:
    pixels, points = astronaut
    for colour in ((0, 0, 0), (255, 255, 255), (200, 60, 30), (40, 160, 40)):
        hat = pixels.copy()
        hat[: int(points[[105, 334], 1].min()) - 14] = colour

        mask = skin_mask(hat, points)

        assert at(mask, points, 10, 338, 109).max() < 60


@pytest.mark.parametrize("light", [0.3, 0.6, 1.25])
def test_skin_is_found_in_every_light(astronaut: tuple[Pixels, Points], light: float) -> None:
    pixels, points = astronaut

    mask = skin_mask(np.clip(pixels * light, 0, 255).astype(np.uint8), points)

    cheeks = np.zeros_like(mask)
    fill(cheeks, polygon(points, (50, 205, 207, 199, 427, 425, 280, 4)))
    assert (mask[cheeks > 0] > 200).mean() > 0.98


def test_without_any_skin_the_core_of_the_face_is_left() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (140, 130, 3), np.uint8)
    with np.load(HERE / "golden" / "landmarks.npz") as golden:
        points = golden["astronaut"].astype(np.float32).copy()
    points[:, :2] -= (160, 50)

    mask = skin_mask(pixels, points)

    assert at(mask, points, *LEFT_EYEBROW[2:4], *RIGHT_EYEBROW[2:4], *LIPS_OUTER, 4).min() > 90
    assert mask[2:6].max() < 30
