"""What JPEG files say before they are decoded."""

import struct

import cv2
import numpy as np
import pytest
from test_picture import scene

from faceswapd.capture.jpeg_file import JpegFile


def made(*params: int) -> bytes:
    return cv2.imencode(".jpg", scene(), params)[1].tobytes()


def test_size_bits_and_inks() -> None:
    file = JpegFile(made())
    assert (file.size, file.bits, file.four_inks, file.followed) == ((60, 40), 8, False, False)
    assert JpegFile(b"\x89PNG").size is None
    assert (JpegFile(b"").bits, JpegFile(b"").quality, JpegFile(b"").followed) == (0, None, False)
    frame = made().index(b"\xff\xc0")
    deep = bytearray(made())
    deep[frame + 4], deep[frame + 9] = 12, 4
    assert (JpegFile(bytes(deep)).bits, JpegFile(bytes(deep)).four_inks) == (12, True)


@pytest.mark.parametrize(("unit", "dpi"), [(0, None), (1, (300, 150)), (2, (762, 381))])
def test_density(unit: int, dpi: tuple[float, float] | None) -> None:
    head = made()[:13] + struct.pack(">BHH", unit, 300, 150) + made()[18:]
    assert JpegFile(head).density == (pytest.approx(dpi) if dpi else None)


@pytest.mark.parametrize(
    "params", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)]
)
def test_what_follows_the_picture_is_seen(params: tuple[int, ...]) -> None:
    jpeg = made(*params)
    assert not JpegFile(jpeg).followed
    assert not JpegFile(jpeg + bytes(99)).followed
    assert JpegFile(jpeg + b"\0\0\0\x18ftypmp42").followed
    assert JpegFile(jpeg + jpeg).followed  # another picture, which ends as this one does
    assert not JpegFile(jpeg[:-40]).followed


def test_a_thumbnail_within_is_no_end() -> None:
    small = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    within = b"\xff\xe1" + struct.pack(">H", len(small) + 2) + small
    whole = made()[:20] + within + made()[20:]
    assert not JpegFile(whole).followed
    assert JpegFile(whole).size == (60, 40)


def test_markers_without_content_and_fill_bytes_are_passed_over() -> None:
    assert JpegFile(made()[:20] + b"\xff\x01\xff\xff" + made()[20:]).size == (60, 40)
