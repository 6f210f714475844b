"""EXIF blocks built byte by byte."""

import struct

import pytest

from faceswapd.capture.exif import cleaned, orientation


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
    assert orientation(block(turned, order)) == turned
    assert orientation(b"Exif\0\0" + block(turned, order)) == turned


@pytest.mark.parametrize("order", ["<", ">"])
def test_cleaned_is_upright_and_shows_nothing_of_the_original(order: str) -> None:
    out = cleaned(block(order=order))
    assert orientation(out) == 1
    assert b"FACE" not in out
    assert len(out) == len(block(order=order))


@pytest.mark.parametrize("damaged", [b"", b"II*\0", b"no exif at all", block()[:20], block()[:60]])
def test_a_damaged_block_is_upright_and_left_out(damaged: bytes) -> None:
    assert orientation(damaged) in (1, 6)
    assert b"FACE" not in cleaned(damaged)
