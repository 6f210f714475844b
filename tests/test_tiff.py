"""Directories of tags: written, read back, damaged."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.core import tiff
from faceswapd.core.tiff import Directory, Value

TAGS: Directory = {
    tiff.MAKE: Value(tiff.ASCII, b"Camera\0"),
    tiff.ORIENTATION: tiff.short(6),
    tiff.X_RESOLUTION: tiff.rational(118.11),
    tiff.EXIF: {
        0x829A: Value(tiff.RATIONAL, struct.pack("<II", 1, 250)),
        0x9286: Value(tiff.UNDEFINED, b"UNICODE\0\x01\x02"),
        tiff.INTEROPERABILITY: {1: Value(tiff.ASCII, b"R98\0")},
    },
    tiff.GPS: {
        0: Value(tiff.BYTE, b"\2\3\0\0"),
        2: Value(tiff.RATIONAL, struct.pack("<6I", 48, 1, 6, 1, 0, 1)),
    },
}


@pytest.mark.parametrize("order", ["<", ">"])
def test_there_and_back_in_both_orders_of_bytes(order: str) -> None:
    block = tiff.write(TAGS, order)
    assert tiff.read(block) == TAGS
    assert tiff.order(block) == order
    assert tiff.pages(block) == 1
    assert struct.pack(order + "II", 1, 250) in block


def test_what_a_tag_says() -> None:
    assert tiff.number(TAGS, tiff.ORIENTATION) == 6
    assert tiff.number(TAGS, tiff.MAKE) is None
    assert tiff.number(TAGS, tiff.EXIF) is tiff.number(TAGS, 1) is None
    assert tiff.fraction(TAGS, tiff.X_RESOLUTION) == pytest.approx(118.11)
    assert tiff.fraction(TAGS, tiff.ORIENTATION) is None
    assert Value(tiff.RATIONAL, bytes(8)).fraction() is None
    assert tiff.data(TAGS, tiff.MAKE) == b"Camera\0"
    assert tiff.data(TAGS, tiff.GPS) == b""
    assert tiff.rational(300).data == struct.pack("<II", 300, 1)
    assert tiff.long(70_000).number() == 70_000


def test_a_file_keeps_its_pixels_when_its_directory_is_replaced() -> None:
    file = b"II*\0" + struct.pack("<I", 11) + b"pix" + struct.pack("<HHHII", 1, 273, 4, 1, 8) + bytes(4)
    out = tiff.replaced(file, {**tiff.read(file), **TAGS})
    assert out[8 : len(file)] == file[8:]
    assert tiff.read(out) == {273: tiff.long(8), **TAGS}


@pytest.mark.parametrize("order", ["<", ">"])
def test_one_number_is_changed_in_place(order: str) -> None:
    block = tiff.write(TAGS, order)
    out = tiff.patched(block, tiff.ORIENTATION, 1)
    assert tiff.read(out) == {**TAGS, tiff.ORIENTATION: tiff.short(1)}
    assert tiff.patched(block, tiff.MAKE, 1) == tiff.patched(block, 1, 1) == block


def test_a_large_tiff() -> None:
    entry = struct.pack(">HHQ", 256, 4, 1) + struct.pack(">I4x", 77)
    text = struct.pack(">HHQQ", tiff.MAKE, 2, 12, 72)
    file = b"MM\0+" + struct.pack(">HHQ", 8, 0, 16) + struct.pack(">Q", 2) + entry + text + bytes(8)
    file = file.ljust(72, b"\0") + b"Camera\0 and "
    assert tiff.read(file) == {256: tiff.long(77), tiff.MAKE: Value(tiff.ASCII, b"Camera\0 and ")}
    assert tiff.pages(file) == 1


def test_pages_are_counted_once_each() -> None:
    second = struct.pack("<HHHHI", 1, 256, 3, 1, 0)
    first = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 3, 1, 5, 26)
    assert tiff.pages(first + struct.pack("<HHHIII", 1, 256, 3, 1, 5, 0)) == 2
    assert tiff.pages(first + struct.pack("<HHHIII", 1, 256, 3, 1, 5, 8)) == 2  # and round again
    assert tiff.pages(first + second[:4]) == 2
    assert tiff.pages(b"no tiff") == tiff.pages(b"II*\0\xff\xff\xff\xff") == 1


def test_what_lies_outside_of_the_file_is_left_out() -> None:
    block = bytearray(
        tiff.write({tiff.MAKE: Value(tiff.ASCII, b"Camera\0"), tiff.ORIENTATION: tiff.short(6)})
    )
    struct.pack_into("<I", block, 18, 9_999)
    assert tiff.read(bytes(block)) == {tiff.ORIENTATION: tiff.short(6)}
    struct.pack_into("<I", block, 14, 0xFFFFFFFF)
    assert tiff.read(bytes(block)) == {tiff.ORIENTATION: tiff.short(6)}
    for nothing in (b"", b"II*\0", b"no tiff at all", b"II*\0" + struct.pack("<I", 99)):
        with pytest.raises(ValueError, match=r"no TIFF|outside"):
            tiff.read(nothing)


def test_one_place_that_is_named_a_thousand_times_is_read_once() -> None:
    many = b"".join(struct.pack("<HHII", n, 7, 10_000, 0) for n in range(1, 1001))
    block = b"II*\0" + struct.pack("<IH", 8, 1000) + many + bytes(4)
    assert len(tiff.read(block)) == 1


@given(st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]), st.binary(max_size=200))
def test_damaged_files_are_read_as_far_as_they_go(magic: bytes, rest: bytes) -> None:
    try:
        found = tiff.read(magic + rest)
    except ValueError:
        return
    assert tiff.read(tiff.write(found)) == found
    assert tiff.pages(magic + rest) >= 1
