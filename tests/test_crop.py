import cv2
import numpy as np
import pytest

from faceswapd.core.frame import Matrix
from faceswapd.faces.crop import interleaved, lay_back, moved, sampled, soft_box, take
from faceswapd.faces.masks import Mask


def turned(scale: float, centre: tuple[float, float], side: int = 128, degrees: float = 12) -> Matrix:
    """Frame -> crop: a turn and a scale that lead `centre` to the middle of the crop."""
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    turn = np.array([[c, s], [-s, c]])
    shift = (side - 1) / 2 - turn @ np.array(centre)
    return np.column_stack([turn, shift]).astype(np.float32)


def full(side: int) -> Mask:
    return np.full((side, side), 255, np.uint8)


@pytest.mark.parametrize("scale", [0.12, 0.3, 0.7, 1.0, 1.9, 4.5])
def test_what_is_taken_and_laid_back_is_the_same_smooth_picture(scale: float) -> None:
    y, x = np.mgrid[:480, :640].astype(np.float32)
    pixels = np.stack([x * 255 / 640, y * 255 / 480, 127 + 90 * np.sin(x / 60)], axis=-1).astype(np.uint8)
    side = 128
    matrix = turned(scale, (320, 200))

    crop = take(pixels, matrix, side)
    back = pixels.copy()
    assert lay_back(back, crop, full(side), matrix)
    inner = np.s_[20:-20, 20:-20]
    np.testing.assert_allclose(back[inner].astype(int), pixels[inner].astype(int), atol=6)


def test_a_point_of_the_frame_is_where_the_matrix_says() -> None:
    for scale in (0.1, 0.4, 1.0, 3.0):
        size = round(14 / scale)
        pixels = np.zeros((900, 1200, 3), np.uint8)
        cv2.circle(pixels, (600, 450), size, (255, 255, 255), -1)
        matrix = turned(scale, (590, 445))
        where = moved(np.array([[600, 450]], np.float32), matrix)[0]

        ys, xs = np.nonzero(take(pixels, matrix, 128)[..., 0] > 127)
        np.testing.assert_allclose([xs.mean(), ys.mean()], where, atol=0.3)

        crop = np.zeros((128, 128, 3), np.uint8)
        cv2.circle(crop, (round(where[0]), round(where[1])), 14, (255, 255, 255), -1)
        black = np.zeros_like(pixels)
        lay_back(black, crop, full(128), matrix)
        ys, xs = np.nonzero(black[..., 0] > 127)
        np.testing.assert_allclose([xs.mean(), ys.mean()], [600, 450], atol=1.5 / scale)


def test_a_fine_pattern_becomes_grey_and_no_moire() -> None:
    pixels = np.zeros((1000, 1000, 3), np.uint8)
    pixels[::2] = 255

    crop = take(pixels, turned(0.12, (500, 500), 100, 3), 100)
    assert np.ptp(crop[20:80, 20:80].astype(int)) < 40


def test_what_lies_beyond_the_border_is_its_edge_going_on() -> None:
    pixels = np.full((50, 50, 3), 77, np.uint8)

    assert (take(pixels, turned(1, (10, 10), 100), 100) == 77).all()
    assert (take(pixels, turned(0.1, (10, 10), 100), 100) == 77).all()


def test_only_the_place_under_the_mask_changes() -> None:
    pixels = np.full((200, 300, 3), 50, np.uint8)
    alpha = np.zeros((64, 64), np.uint8)
    alpha[20:40, 10:30] = 255
    matrix = np.array([[1, 0, -100], [0, 1, -60]], np.float32)

    lay_back(pixels, np.full((64, 64, 3), 200, np.uint8), alpha, matrix)
    ys, xs = np.nonzero(pixels[..., 0] != 50)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (110, 129, 80, 99)
    assert (pixels[80:100, 110:130] == 200).all()


def test_a_crop_outside_the_frame_changes_nothing() -> None:
    pixels = np.full((100, 100, 3), 50, np.uint8)

    assert not lay_back(pixels, np.zeros((64, 64, 3), np.uint8), full(64), turned(1, (-900, -900)))
    assert (pixels == 50).all()


def test_tiles_interleave_to_the_picture_they_were_sampled_from() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    for times in (1, 2, 3, 4):
        tiles = sampled(picture, times)
        assert [t.shape for t in tiles] == [(12 // times, 12 // times, 3)] * times**2
        np.testing.assert_array_equal(interleaved(tiles, times), picture)
    np.testing.assert_array_equal(sampled(picture, 2)[1], picture[0::2, 1::2])


def test_a_soft_box_is_open_in_the_middle_and_shut_at_its_border() -> None:
    box = soft_box(100, 0.1)

    assert box[50, 50] == 255
    assert box[0].max() == box[:, -1].max() == 0
    assert (np.diff(box[50, :50].astype(int)) >= 0).all()
    assert (box[12:88, 12:88] == 255).all()
