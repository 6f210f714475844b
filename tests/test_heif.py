"""What HEIF files say, and what is made of damaged ones."""

import struct
from typing import Any

import numpy as np
import pytest
from heic_files import box, full, heic
from hypothesis import given, settings
from hypothesis import strategies as st
from test_picture import scene

from faceswapd.capture import heif
from faceswapd.capture.heif import DAMAGED, Heif
from faceswapd.core import boxes

PROFILE = bytes(16) + b"RGB " + bytes(108)


@pytest.fixture(scope="module")
def content() -> bytes:
    return heic(scene(100, 150), turns=3, profile=PROFILE, exif=b"II*\0 and so on", xmp=b"<x/>")


def test_what_a_file_says(content: bytes) -> None:
    file = Heif(content)
    assert file.kinds[file.main] == b"grid"
    assert file.named_by(file.main, b"dimg") == [10, 11, 12, 13, 14, 15]
    assert struct.unpack(">II", file.said[b"ispe"][4:]) == (150, 100)
    assert file.described_by(b"Exif").endswith(b"II*\0 and so on")
    assert file.described_by(b"application/rdf+xml") == b"<x/>"
    assert file.described_by(b"text/plain") == b""
    assert heif.orientation(file.said) == 6
    assert heif.profile(file.said) == PROFILE
    assert heif.colours(file.said) == bytes((1, 13, 0, 1))


def test_a_grid_has_the_colours_of_its_tiles() -> None:
    known = [
        box(b"colr", b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0)),
        full(b"ispe", bytes(8)),
        full(b"ispe", bytes(8)),
    ]
    file = Heif(
        full(
            b"meta",
            full(b"pitm", struct.pack(">I", 70_000), version=1),
            full(
                b"iinf",
                struct.pack(">I", 2),
                full(b"infe", struct.pack(">IH4s", 70_000, 0, b"grid"), b"\0", version=3),
                full(b"infe", struct.pack(">IH4s", 70_001, 0, b"hvc1"), b"\0", version=3),
                version=1,
            ),
            full(b"iref", box(b"dimg", struct.pack(">IHI", 70_000, 1, 70_001)), version=1),
            box(
                b"iprp",
                box(b"ipco", *known),
                full(
                    b"ipma", struct.pack(">I", 2), struct.pack(">IBH", 70_000, 1, 3),
                    struct.pack(">IBHH", 70_001, 2, 1, 0x8002), version=1, flags=1,
                ),
            ),
            full(b"iloc", struct.pack(">BBI", 0x44, 0x40, 1), struct.pack(">IHHIHII", 70_001, 1, 0, 3, 1, 2, 4),
                 version=2),
            box(b"idat", b"0123456789"),
        )
    )  # fmt: skip
    assert file.main == 70_000
    assert heif.colours(file.said) == bytes((9, 16, 0, 1))
    assert set(file.said) == {b"nclx", b"ispe"}
    assert file.data(70_001) == b"5678"
    extents = boxes.extents(file._content, boxes.find(file._content, b"meta", b"iloc"))
    assert [(e.item, e.method, e.place, e.length, e.said_in) for e in extents] == [(70_001, 1, 5, 4, 4)]


def test_depth_and_turns_as_the_properties_say() -> None:
    assert heif.depth({}) == 8
    assert heif.depth({b"pixi": bytes(4) + b"\3\x0a\x0a\x0a"}) == 10
    assert [heif.depth({b"av1C": bytes((0x81, 0, n, 0))}) for n in (0, 0x40, 0x60)] == [8, 10, 12]
    assert heif.orientation({}) == 1
    assert heif.profile({b"colr": b"rICCabc"}) == b"abc"
    assert heif.profile({}) == heif.colours({}) == b""


@settings(max_examples=200)
@given(st.data())
def test_damaged_files_raise_what_is_said(content: bytes, data: Any) -> None:
    spoiled = bytearray(content[: data.draw(st.integers(0, 1500)) or None])
    for _ in range(data.draw(st.integers(0, 4))):
        if spoiled:
            spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        file = Heif(bytes(spoiled))
        for item in (*file.kinds, file.main):
            file.properties(item)
            file.data(item)
        heif.orientation(file.said)
        heif.colours(file.said)
    except DAMAGED:
        return
    assert file.kinds


def test_boxes_end_where_one_is_damaged() -> None:
    two = box(b"free", b"x") + box(b"mdat", b"yz")
    assert [b.name for b in boxes.within(two)] == [b"free", b"mdat"]
    assert [b.content(two) for b in boxes.within(two)] == [b"x", b"yz"]
    assert [b.name for b in boxes.within(two[:-1])] == [b"free"]
    assert [b.name for b in boxes.within(struct.pack(">I4s", 3, b"free") + two)] == []
    large = struct.pack(">I4sQ", 1, b"mdat", 18) + b"yz"
    assert [b.content(large) for b in boxes.within(large)] == [b"yz"]
    rest = struct.pack(">I4s", 0, b"mdat") + b"to the end"
    assert boxes.find(rest, b"mdat").content(rest) == b"to the end"
    with pytest.raises(ValueError, match="no meta box"):
        boxes.find(two, b"meta")
    assert np.array_equal(boxes.number(b"\0\1\0\2", 0), 1)
    assert boxes.number(b"\0\1\0\2", 0, wide=True) == 65_538
