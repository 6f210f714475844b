"""EXIF blocks built byte by byte."""

import struct

import pytest

from faceswapd.capture.exif import cleaned, density, of_block, orientation
from faceswapd.core import tiff
from faceswapd.core.tiff import Directory


def block(
    turned: int = 6, order: str = "<", thumbnail: bytes = b"FACE" * 8, note: bytes = b"NOTEFACE"
) -> bytes:
    """Two directories and the maker's note: head 8, first 8..38, inner 38..56, second 56..86, then the data."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    first = struct.pack(order + "H", 2)
    first += struct.pack(order + "HHIHH", 0x0112, 3, 1, turned, 0)
    first += struct.pack(order + "HHII", 0x8769, 4, 1, 38)
    first += struct.pack(order + "I", 56)
    inner = struct.pack(order + "HHHIII", 1, 0x927C, 7, len(note), 86, 0)
    second = struct.pack(order + "H", 2)
    second += struct.pack(order + "HHII", 0x0201, 4, 1, 86 + len(note))
    second += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    second += struct.pack(order + "I", 0)
    return head + first + inner + second + note + thumbnail


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_orientation_in_both_byte_orders(order: str, turned: int) -> None:
    tags, found = of_block(block(turned, order))
    assert (orientation(tags), found) == (turned, order)
    assert of_block(b"Exif\0\0" + block(turned, order)) == (tags, order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_cleaned_is_upright_and_shows_nothing_of_the_original(order: str) -> None:
    tags, _ = of_block(block(order=order))
    out = tiff.write(cleaned(tags, orientation(tags)), order)
    assert orientation(of_block(out)[0]) == 1
    assert b"FACE" not in out
    assert b"NOTE" not in out


@pytest.mark.parametrize("damaged", [b"", b"II*\0", b"no exif at all", block()[:20], block()[:60]])
def test_a_damaged_block_is_upright_and_left_out(damaged: bytes) -> None:
    tags, order = of_block(damaged)
    assert orientation(tags) in (1, 6)
    assert b"FACE" not in tiff.write(cleaned(tags, 1), order)


def test_what_nobody_knows_in_a_first_directory_does_not_come_along() -> None:
    comment = tiff.Value(tiff.UNDEFINED, b"a comment")
    tags: Directory = {
        tiff.MAKE: tiff.Value(tiff.ASCII, b"Cam\0"),
        tiff.PHOTOSHOP: tiff.Value(tiff.BYTE, b"8BIM with a FACE"),
        tiff.SUB_IFDS: tiff.long(8),
        tiff.EXIF: {
            0x9286: comment,
            0x9999: tiff.Value(tiff.UNDEFINED, bytes(70_000)),
        },
    }
    assert cleaned(tags, 1) == {
        tiff.MAKE: tags[tiff.MAKE],
        tiff.EXIF: {
            0x9286: comment,
        },
    }


def test_densities_by_the_inch_and_the_centimetre() -> None:
    across, down = tiff.rational(300), tiff.rational(150)
    tags: Directory = {tiff.X_RESOLUTION: across, tiff.Y_RESOLUTION: down}
    assert density(tags) == (300, 150)
    assert density({**tags, tiff.RESOLUTION_UNIT: tiff.short(3)}) == pytest.approx((762, 381))
    assert density({**tags, tiff.RESOLUTION_UNIT: tiff.short(1)}) is None  # a shape
    assert density({**tags, tiff.Y_RESOLUTION: tiff.Value(tiff.RATIONAL, bytes(8))}) is None
    assert density({}) is None
    assert density(cleaned(tags, 6)) == (150, 300)
