"""What is special to each kind of picture file."""

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from test_picture import scene

from faceswapd.capture.picture_file import Stored, read
from faceswapd.capture.unreadable import UnreadableError
from faceswapd.core import tiff
from faceswapd.core.picture_format import PictureFormat, seen_in
from faceswapd.core.tiff import Directory
from faceswapd.sinks.picture import save


def stored(content: bytes) -> Stored:
    kind = seen_in(content)
    assert kind is not None
    return read(content, kind)


def tiff_of(pixels: Any, photometric: int = 2, *, order: str = "<", **more: tiff.Value) -> bytes:
    """Uncompressed, in one strip."""
    height, width, channels = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    bits = 8 * pixels.itemsize
    fields: Directory = {
        256: tiff.long(width), 257: tiff.long(height), 258: tiff.Value(tiff.SHORT, struct.pack("<H", bits) * channels),
        259: tiff.short(1), 262: tiff.short(photometric), 273: tiff.long(8), 277: tiff.short(channels),
        278: tiff.long(height), 279: tiff.long(len(data)), **{int(tag[1:]): value for tag, value in more.items()},
    }  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8 + len(data), 0)
    content = head[:8] + data + bytes(2)
    empty = head[:4] + struct.pack(order + "I", 8 + len(data)) + content[8:] + bytes(4)
    return tiff.replaced(empty, fields)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_in_either_order_of_bytes(order: str) -> None:
    rgb = scene()[..., ::-1]
    for pixels in (rgb, rgb.astype(np.uint16) * 257):
        found = stored(tiff_of(pixels, order=order, t271=tiff.Value(tiff.ASCII, b"Scanner\0")))
        assert np.array_equal(found.pixels, pixels[..., ::-1])
        assert found.metadata.order == order
        assert tiff.data(found.metadata.tags, tiff.MAKE) == b"Scanner\0"


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_tiff_is_turned_once(turned: int) -> None:
    found = stored(tiff_of(scene()[..., ::-1], t274=tiff.short(turned)))
    assert (found.turned, found.pixels.shape) == (turned, (40, 60, 3))
    assert np.array_equal(found.pixels, scene())


def test_the_inks_of_a_press_have_no_opacity() -> None:
    inks = np.dstack([255 - scene()[..., ::-1], np.zeros((40, 60, 1), np.uint8)])
    found = stored(tiff_of(inks, 5))
    assert np.array_equal(found.pixels, scene())
    assert "four inks" in found.remarks[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            tiff_of(scene().astype(np.float32), t339=tiff.short(3)),
            "has fractions of 32 bits: save it with 8 or 16",
        ),
        (tiff_of(scene().astype(np.float16), t339=tiff.short(3)), "has fractions of 16 bits"),
        (tiff_of(scene().astype(np.uint32)), "has numbers of 32 bits"),
        (
            tiff_of(scene(), t254=tiff.long(1)),
            "is a camera's raw data: develop it first, into a TIFF or JPEG",
        ),
        (tiff_of(scene(), t50706=tiff.long(1)), "is a camera's raw data"),
        (tiff_of(scene())[:200], "is damaged: get it anew"),
        (b"II*\0" + struct.pack("<I", 9_999), "is damaged: get it anew"),
        (b"\xff\xd8\xff\xc1" + struct.pack(">HBHHB", 17, 12, 40, 60, 3) + bytes(20), "has 12 bits a colour"),
        (b"\0\0\0\x20ftypavif" + bytes(99), "is damaged: get it anew"),
        (b"\0\0\0\x20ftypheic" + bytes(99), "is damaged: get it anew"),
        (b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(9), "is damaged: get it anew"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        stored(content)


def test_more_pixels_than_can_be_read_are_not_tried() -> None:
    head = struct.pack(">I4sII5B", 13, b"IHDR", 200_000, 200_000, 8, 2, 0, 0, 0)
    with pytest.raises(UnreadableError, match="has 200000x200000 pixels: make it smaller"):
        stored(b"\x89PNG\r\n\x1a\n" + head + bytes(4))


def chunk(name: bytes, said: bytes) -> bytes:
    return struct.pack(">I", len(said)) + name + said + struct.pack(">I", zlib.crc32(name + said))


def test_a_grey_that_is_clear_becomes_opacity() -> None:
    grey = scene()[..., 0]
    plain = cv2.imencode(".png", grey)[1].tobytes()
    clear = chunk(b"tRNS", struct.pack(">H", int(grey[3, 30])))
    found = stored(plain[:33] + clear + plain[33:]).pixels
    assert found.shape == (40, 60, 4)
    assert np.array_equal(found[..., 3] == 0, grey == grey[3, 30])


INKS = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUV"
    "FQwPFxgWFBgSFBUU/8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAoJAP/EABQQAQAAAAAAAAAAAAAA"
    "AAAAAAD/2gAOBEMATQBZAEsAAD8AqmlUlUqmKuVQVQxVAq4q7CrlUFUM/9k="
)
"""16x16, red beside cyan, as Pillow writes four inks: inverted, with Adobe's marker."""


def test_the_four_inks_of_a_jpeg() -> None:
    found = stored(INKS)
    assert found.remarks == (
        "the four inks of the original became red, green and blue, without its colour profile",
    )
    assert found.pixels[8, 2].astype(int) == pytest.approx((0, 0, 255), abs=6)
    assert found.pixels[8, 13].astype(int) == pytest.approx((255, 255, 0), abs=6)


@pytest.mark.parametrize("depth", [10, 12])
def test_all_bits_of_an_avif_count(depth: int) -> None:
    deep = np.full((64, 64, 3), 600 << (depth - 10), np.uint16)
    _, content = cv2.imencode(".avif", deep, [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 95])
    found = stored(content.tobytes()).pixels
    assert found.dtype == np.uint16
    assert found.mean() / 65535 == pytest.approx(600 / 1023, abs=0.01)


def test_kinds_have_what_is_theirs() -> None:
    for kind, suffix in (
        (PictureFormat.WEBP, ".webp"),
        (PictureFormat.BMP, ".bmp"),
        (PictureFormat.PNG, ".png"),
    ):
        content = cv2.imencode(suffix, scene())[1].tobytes()
        found = read(content, kind)
        assert (found.quality, found.pages, found.followed, found.metadata.density) == (None, 1, False, None)
    jpeg = cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    assert read(jpeg + jpeg, PictureFormat.JPEG).followed
    assert read(jpeg, PictureFormat.JPEG).quality == 80


def test_how_a_file_is_coded_is_known(tmp_path: Path) -> None:
    finer = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        cv2.IMWRITE_JPEG_PROGRESSIVE,
        1,
    )
    save(tmp_path / "a.jpg", scene(), coding=finer)
    assert stored((tmp_path / "a.jpg").read_bytes()).coding == finer
    for packing in (
        cv2.IMWRITE_TIFF_COMPRESSION_NONE,
        cv2.IMWRITE_TIFF_COMPRESSION_ADOBE_DEFLATE,
        cv2.IMWRITE_TIFF_COMPRESSION_PACKBITS,
    ):
        packed = (cv2.IMWRITE_TIFF_COMPRESSION, packing)
        save(tmp_path / "a.tif", scene(), coding=packed)
        assert stored((tmp_path / "a.tif").read_bytes()).coding == packed
    jpeg = (cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_JPEG)
    save(tmp_path / "a.tif", scene(), coding=jpeg)
    assert stored((tmp_path / "a.tif").read_bytes()).coding == ()  # coding it once more would lose more
