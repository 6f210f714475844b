import numpy as np
import pytest

from faceswapd.core.settings import Size
from faceswapd.sinks.placeholder import Reason, placeholder


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (320, 240), (720, 1280), (161, 91), (2, 2)])
def test_any_size_is_drawn_exactly(size: Size) -> None:
    pixels = placeholder(size, Reason.STARTING)

    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


def test_it_is_dark_and_calm_with_a_legible_glyph_and_line_in_the_middle() -> None:
    pixels = placeholder((1280, 720), Reason.NO_FACE)
    bright = pixels.mean(axis=2) > 120
    rows, columns = np.nonzero(bright)

    assert np.median(pixels) < 70
    assert 0.005 < bright.mean() < 0.05
    assert abs(columns.mean() - 640) < 30
    assert 200 < rows.min() < 260
    assert 460 < rows.max() < 540


def test_reasons_differ_only_in_their_line_of_text() -> None:
    a, b = (placeholder((1280, 720), r) for r in (Reason.STARTING, Reason.PAUSED))
    rows = np.nonzero((a != b).any(axis=(1, 2)))[0]

    assert 440 < rows.min() <= rows.max() < 540


def test_every_line_fits_into_a_small_picture() -> None:
    for reason in Reason:
        pixels = placeholder((160, 120), reason)
        text = pixels[72:].mean(axis=2) > 100

        assert text.any()
        assert not text[:, :4].any()
        assert not text[:, -4:].any()


def test_the_same_picture_is_not_drawn_twice_nor_drawn_into() -> None:
    pixels = placeholder((320, 240), Reason.ERROR)

    assert placeholder((320, 240), Reason.ERROR) is pixels
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 0
