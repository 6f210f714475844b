"""Only what was changed is converted."""

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from test_picture import scene

from faceswapd.sinks.develop import Developer, changed
from faceswapd.sinks.encoders import Encoder
from faceswapd.sinks.segments import Print

SIZE = (160, 120)


def developer(pix_fmt: Any = "yuv420p", *, plain: bool = True) -> Developer:
    encoder = Encoder("libx264", "h264", pix_fmt)
    return Developer(Print(encoder, SIZE, Fraction(30), Fraction(1, 30), 1, 1, 1), plain=plain)


def stored(pix_fmt: str = "yuv420p", pixels: Any = None) -> av.VideoFrame:
    pixels = scene(SIZE[1], SIZE[0]) if pixels is None else pixels
    frame = av.VideoFrame.from_ndarray(pixels, "bgr24").reformat(format=pix_fmt, dst_colorspace=1)
    frame.colorspace, frame.color_range = 1, 1
    return frame


def bgr(frame: av.VideoFrame) -> Any:
    return frame.to_ndarray(format="bgr24", src_colorspace=1)


def planes(frame: av.VideoFrame) -> Any:
    return np.asarray(frame.to_ndarray()).astype(int)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_what_was_left_alone_keeps_its_own_numbers(pix_fmt: str) -> None:
    original = stored(pix_fmt)
    if pix_fmt == "yuv420p10le":  # bits that eight cannot hold
        plane: Any = original.planes[0]
        luma = np.frombuffer(plane, np.uint16)
        luma[:] = luma | 3
    before = bgr(original)
    after = before.copy()
    after[40:60, 50:81] = (10, 200, 30)
    out = developer(pix_fmt).develop(original, before, after)
    assert out.format.name == pix_fmt
    same = planes(out) == planes(original)
    luma_same = same[: SIZE[1]]
    assert not luma_same[41:59, 51:80].any()
    assert luma_same[:36].all()
    assert luma_same[66:].all()
    assert luma_same[:, :46].all()
    assert luma_same[:, 88:].all()
    shown = bgr(out)[42:58, 54:78].astype(int)
    assert np.abs(shown - (10, 200, 30)).max() <= 12


def test_a_picture_that_nothing_changed_is_the_original() -> None:
    original = stored()
    before = bgr(original)
    for after in (before, before.copy()):
        assert np.array_equal(planes(developer().develop(original, before, after)), planes(original))


def test_the_decoders_frame_is_never_drawn_into() -> None:
    original = stored()
    kept, before = planes(original), bgr(original)
    after = before.copy()
    after[10:20, 10:20] = 0
    developer().develop(original, before, after)
    assert np.array_equal(planes(original), kept)


@pytest.mark.parametrize("way", ["all of it", "not plain", "nv12", "yuv444p"])
def test_else_all_of_it_is_converted(way: str) -> None:
    original = stored("yuv444p" if way == "yuv444p" else "yuv420p")
    before = bgr(original)
    after = before.copy()
    after[(slice(None) if way == "all of it" else slice(40, 60)), :, 0] ^= 64
    target = "nv12" if way == "nv12" else "yuv420p"
    out = developer(target, plain=way != "not plain").develop(original, before, after)
    assert out.format.name == target
    assert np.abs(bgr(out).astype(int) - after).mean() < 4


@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
def test_colours_are_those_of_the_films_matrix(matrix: int) -> None:
    encoder = Encoder("libx264", "h264", "yuv420p")
    made = Developer(Print(encoder, SIZE, Fraction(30), Fraction(1, 30), matrix, 1, 1), plain=False)
    colours = [(0, 0, 0), (255, 255, 255), (10, 20, 240), (230, 30, 20), (40, 200, 60), (128, 128, 128)]
    for colour in colours:
        picture = np.full((SIZE[1], SIZE[0], 3), colour, np.uint8)
        out = made.develop(stored(), picture, picture)
        assert out.colorspace == matrix
        shown = out.to_ndarray(format="bgr24", interpolation=Interpolation.ACCURATE_RND)
        assert np.abs(shown[10, 10].astype(int) - colour).max() <= 3, (matrix, colour)
        grey = colour[0] == colour[1] == colour[2]
        assert not grey or np.abs(planes(out)[SIZE[1] :] - 128).max() == 0


def test_a_full_range_original_becomes_limited() -> None:
    grey = av.VideoFrame(*SIZE, "yuvj420p")
    for plane, value in zip(grey.planes, (255, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    grey.color_range = 2
    before = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    out = developer().develop(grey, before, before)
    assert abs(int(planes(out)[: SIZE[1]].max()) - 235) <= 1
    assert out.color_range == 1


def test_an_odd_picture_is_cut() -> None:
    odd = np.zeros((SIZE[1] + 1, SIZE[0] + 1, 3), np.uint8)
    out = developer(plain=False).develop(stored(), odd, odd)
    assert (out.width, out.height) == SIZE


def test_the_box_around_a_change() -> None:
    before = np.zeros((120, 160, 3), np.uint8)
    assert changed(before, before.copy()) is None
    after = before.copy()
    after[50, 71, 2] = 1
    x0, y0, x1, y1 = changed(before, after) or (0, 0, 0, 0)
    assert x0 <= 67
    assert y0 <= 46
    assert x1 >= 76
    assert y1 >= 55
    assert all(v % 2 == 0 for v in (x0, y0, x1, y1))
    after[119, 159] = after[0, 0] = 9
    assert changed(before, after) == (0, 0, 160, 120)


def test_the_box_is_exact() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        height, width = (int(n) for n in rng.integers(1, 70, 2))
        before = rng.integers(0, 255, (height, width, 3), np.uint8)
        after = before.copy()
        for _ in range(int(rng.integers(0, 3))):
            after[rng.integers(0, height), rng.integers(0, width), rng.integers(0, 3)] ^= np.uint8(5)
        differs = (before != after).any(axis=2)
        box = changed(before, after)
        if not differs.any():
            assert box is None
            continue
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        assert box == (
            max(0, columns[0] - 4) & ~1,
            max(0, rows[0] - 4) & ~1,
            min(width & ~1, (columns[-1] + 6) & ~1),
            min(height & ~1, (rows[-1] + 6) & ~1),
        )
