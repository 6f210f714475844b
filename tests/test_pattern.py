import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.capture.pattern import BARS, Pattern, counter
from faceswapd.core.errors import UsageError


@given(
    n=st.integers(0, 200_000), width=st.integers(64, 700).map(lambda v: v * 2), height=st.integers(64, 400)
)
def test_every_frame_tells_its_number(n: int, width: int, height: int) -> None:
    assert counter(Pattern((width, height), 30).draw(n)) == n % 65536


def test_the_number_survives_jpeg() -> None:
    for n in (0, 1, 0x5555, 0xAAAA, 0xFFFF):
        ok, data = cv2.imencode(".jpg", Pattern((640, 480), 30).draw(n), [cv2.IMWRITE_JPEG_QUALITY, 50])
        assert ok
        assert counter(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))) == n


def test_bars_stand_in_their_order() -> None:
    pixels = Pattern((800, 480), 30).draw(0)

    assert [tuple(pixels[100, 50 + 100 * i].tolist()) for i in range(8)] == list(BARS)


def test_the_square_moves_and_comes_back() -> None:
    pattern = Pattern((640, 480), 30)
    assert (pattern.draw(3)[32:] != pattern.draw(4)[32:]).any()
    assert (pattern.draw(7)[32:] == pattern.draw(7 + 5660)[32:]).all()  # it walks over 640 - 74 columns


def test_frames_come_in_order_with_their_times() -> None:
    pattern = Pattern((64, 64), 50)
    pattern.open()
    shots = [pattern.read() for _ in range(3)]
    pattern.close()

    assert [counter(s.pixels) for s in shots] == [0, 1, 2]
    assert [s.pts_s for s in shots] == pytest.approx([0, 0.02, 0.04])
    assert shots[0].pixels.flags.c_contiguous
    assert shots[0].pixels is not shots[1].pixels


def test_a_size_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="pattern of 32x32: at least 64x64"):
        Pattern((32, 32), 30)
