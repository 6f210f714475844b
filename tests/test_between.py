"""Pictures between pictures, measured against what truly was there."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswapd.motion.between import Planes, between, blended, passage

Samples = NDArray[np.uint8]


def cloth(seed: int, height: int, width: int, low: int = 20, high: int = 235) -> Samples:
    """Soft spots: something to see everywhere, at every size."""
    noise = np.random.default_rng(seed).random((height, width), np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3) + 0.5 * cv2.GaussianBlur(noise, (0, 0), 9)
    return np.asarray(cv2.normalize(soft, None, low, high, cv2.NORM_MINMAX), np.uint8)  # type: ignore[call-overload]


def scene(x: float, y: float, size: tuple[int, int] = (320, 240), side: int = 80) -> list[Samples]:
    """A cloth square at (x, y), which need not be whole, before a resting cloth: Y, U and V of 4:2:0."""
    width, height = size
    out = []
    for n, (h, w, scale) in enumerate([(height, width, 1.0), (height // 2, width // 2, 0.5)]):
        for colour in range(1 + n):
            back = cloth(10 + 2 * n + colour, h, w, 20, 120)
            piece = cloth(20 + 2 * n + colour, round(side * scale), round(side * scale), 100, 235)
            matrix = np.array([[1, 0, x * scale], [0, 1, y * scale]])
            laid = cv2.warpAffine(piece, matrix, (w, h))
            cover = cv2.warpAffine(np.ones(piece.shape, np.float32), matrix, (w, h))
            out.append(np.asarray(np.rint(laid * cover + back * (1 - cover)), np.uint8))
    return out


def empty(like: Planes) -> list[NDArray[np.uint8]]:
    return [np.zeros_like(plane) for plane in like]


def psnr(one: NDArray[np.generic], other: NDArray[np.generic], peak: float = 255.0) -> float:
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * np.log10(peak**2 / error)


@pytest.mark.parametrize("at", [0.25, 0.5, 0.8])
def test_a_moving_square_is_where_it_truly_was(at: float) -> None:
    first, second = scene(100, 80), scene(116, 88)
    truth = scene(100 + 16 * at, 80 + 8 * at)
    flown, mixed = empty(first), empty(first)
    between(passage(first[0], second[0]), first, second, at, flown)
    blended(first, second, at, mixed)
    for n in range(3):
        assert psnr(flown[n], truth[n]) > 30
        assert psnr(flown[n], truth[n]) > psnr(mixed[n], truth[n]) + 6


def test_its_ends_are_the_pictures_themselves() -> None:
    first, second = scene(100, 80), scene(110, 80)
    way = passage(first[0], second[0])
    for at, end in ((0.0, first), (1.0, second)):
        out = empty(first)
        between(way, first, second, at, out)
        assert psnr(out[0], end[0]) > 38


def test_what_stands_still_stays_as_it_is_before_a_moving_ground() -> None:
    ground = cloth(3, 240, 400)
    first, second = ground[:, 0:320].copy(), ground[:, 12:332].copy()
    badge = cloth(4, 24, 60, 200, 255)
    for picture in (first, second):
        picture[200:224, 20:80] = badge
    out = [np.zeros_like(first)]
    between(passage(first, second), [first], [second], 0.5, out)
    assert psnr(out[0][203:221, 23:77], badge[3:21, 3:57]) > 40
    assert psnr(out[0][:190, 20:300], ground[:190, 26:306]) > 30


def test_nothing_moves_where_nothing_is_to_be_seen() -> None:
    grey = [np.full((48, 64), 90, np.uint8)]
    out = empty(grey)
    between(passage(grey[0], grey[0]), grey, grey, 0.5, out)
    assert np.array_equal(out[0], grey[0])
    tiny = [np.full((2, 2), 7, np.uint8)]
    between(passage(tiny[0], tiny[0]), tiny, tiny, 0.5, tiny)
    assert (tiny[0] == 7).all()


@pytest.mark.parametrize("size", [(961, 541), (1000, 402), (64, 48)])
def test_every_size_has_its_bands_and_no_seam(size: tuple[int, int]) -> None:
    width, height = size
    ground = cloth(5, height, width + 8)
    first, second = [ground[:, :width].copy()], [ground[:, 8:].copy()]
    out = empty(first)
    between(passage(first[0], second[0]), first, second, 0.5, out)
    inner = np.abs(out[0].astype(int) - ground[:, 4 : width + 4])[8:-8, 16:-16]
    assert inner.mean() < 3
    assert inner.mean(axis=1).max() < 8


def test_ten_bits_keep_their_steps() -> None:
    ground = cloth(6, 120, 260).astype(np.uint16) * 4 + 1
    first, second = [ground[:, :240].copy()], [ground[:, 6:246].copy()]
    way = passage((first[0] >> 2).astype(np.uint8), (second[0] >> 2).astype(np.uint8))
    out = [np.zeros_like(first[0])]
    between(way, first, second, 0.5, out)
    assert psnr(out[0][8:-8, 16:-16], ground[8:112, 19:227], 1023) > 34
    pairs = [np.dstack([first[0], first[0]])], [np.dstack([second[0], second[0]])]
    both = [np.zeros_like(pairs[0][0])]
    between(way, *pairs, 0.5, both)
    for channel in (0, 1):
        assert np.abs(both[0][..., channel].astype(int) - out[0]).max() <= 1
