import cv2
import numpy as np
import pytest

from faceswapd.control import jpeg, protocol
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import Size


@pytest.mark.parametrize(
    ("size", "bound", "fits"),
    [((1280, 720), (640, 360), (640, 360)), ((1280, 720), (640, 640), (640, 360)), ((640, 480), (640, 360), (480, 360)),
     ((320, 240), (640, 360), (320, 240)), ((4000, 2), (16, 16), (16, 1))],
)  # fmt: skip
def test_it_is_made_to_fit_and_never_larger(size: Size, bound: Size, fits: Size) -> None:
    assert jpeg.within(size, bound) == fits


def halves() -> Pixels:
    pixels = np.zeros((720, 1280, 3), np.uint8)
    pixels[:, :640] = (200, 40, 90)
    return pixels


def test_it_shows_the_same_picture() -> None:
    data, size = jpeg.encode(halves(), (640, 360), 90)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    assert seen is not None
    assert (seen.shape[1], seen.shape[0]) == size == (640, 360)
    assert np.abs(seen[180, 100].astype(int) - (200, 40, 90)).max() <= 4
    assert seen[180, 540].max() <= 4


def test_a_preview_carries_the_frames_identity() -> None:
    seen = protocol.previewed(jpeg.packed(Frame(12, 345, halves()), (320, 320), 75))

    assert (seen.seq, seen.captured_ns, seen.width, seen.height) == (12, 345, 320, 180)
    assert seen.jpeg[:2] == b"\xff\xd8"
