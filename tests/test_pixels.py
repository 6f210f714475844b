import numpy as np
from fakes import picture
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.core.pixels import bgr_to_i420, fit, i420_to_bgr, writable


def test_a_fitting_picture_is_not_copied() -> None:
    pixels = picture(64, 48)

    assert fit(pixels, (64, 48)) is pixels


def test_letterbox_keeps_all_of_it_between_black_bars() -> None:
    out = fit(picture(40, 40, 200), (80, 40))

    assert out[:, 20:60].min() == 200
    assert out[:, :20].max() == out[:, 60:].max() == 0


def test_crop_fills_everything() -> None:
    assert fit(picture(40, 40, 200), (80, 40), "crop").min() == 200


@given(*[st.integers(1, 300)] * 4, st.sampled_from(["letterbox", "crop"]))
def test_every_size_fits_into_every_other(w: int, h: int, tw: int, th: int, mode: str) -> None:
    out = fit(picture(w, h, 9), (tw, th), "crop" if mode == "crop" else "letterbox")

    assert out.shape == (th, tw, 3)
    assert out.flags.c_contiguous


def test_one_copy_is_writable_and_the_frame_stays() -> None:
    pixels = picture(4, 4, 7)
    writable(pixels)[:] = 0

    assert pixels.min() == 7


def test_colours_survive_planar_yuv() -> None:
    pixels = np.zeros((8, 24, 3), np.uint8)
    for i in range(3):
        pixels[:, 8 * i : 8 * i + 8, i] = 255
    back = i420_to_bgr(bgr_to_i420(pixels))

    assert np.abs(back[4, [4, 12, 20]].astype(int) - pixels[4, [4, 12, 20]]).max() <= 2
