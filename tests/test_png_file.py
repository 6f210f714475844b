"""What PNG files say beside their pixels."""

import struct
import zlib

import pytest

from faceswapd.capture.png_file import PngFile


def chunk(name: bytes, said: bytes) -> bytes:
    return struct.pack(">I4s", len(said), name) + said + struct.pack(">I", zlib.crc32(name + said))


def png(*chunks: bytes, bits: int = 8, colour: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">II5B", 2, 1, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", b"x")


def test_density() -> None:
    assert PngFile(png()).density is None
    assert PngFile(png(chunk(b"pHYs", struct.pack(">IIB", 3, 2, 0)))).density is None  # a shape
    found = PngFile(png(chunk(b"pHYs", struct.pack(">IIB", 11_811, 5_906, 1)))).density
    assert found == pytest.approx((300, 150), abs=0.02)


def test_which_light_is_meant() -> None:
    gamma, white = chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"cHRM", bytes(32))
    assert PngFile(png(gamma, white)).light == {b"gAMA": struct.pack(">I", 100_000), b"cHRM": bytes(32)}
    for said in (chunk(b"sRGB", b"\0"), chunk(b"iCCP", b"x"), chunk(b"cICP", bytes(4))):
        assert PngFile(png(gamma, white, said)).light == {}
    assert PngFile(png(chunk(b"gAMA", struct.pack(">I", 45_455)), white)).light == {}


@pytest.mark.parametrize(("bits", "grey", "seen"), [(8, 100, 100), (16, 1000, 1000), (4, 5, 85), (1, 1, 255)])
def test_the_grey_that_is_clear(bits: int, grey: int, seen: int) -> None:
    said = chunk(b"tRNS", struct.pack(">H", grey))
    assert PngFile(png(said, bits=bits)).clear_grey == seen
    assert PngFile(png(said, bits=bits, colour=3)).clear_grey is None
    assert PngFile(png(bits=bits)).clear_grey is None


def test_xmp_packed_or_not_before_or_behind_the_pixels() -> None:
    head = b"XML:com.adobe.xmp\0"
    assert PngFile(png(chunk(b"iTXt", head + b"\0\0\0\0<x/>"))).xmp == b"<x/>"
    assert PngFile(png(chunk(b"iTXt", head + b"\1\0\0\0" + zlib.compress(b"<x/>")))).xmp == b"<x/>"
    assert PngFile(png() + chunk(b"iTXt", head + b"\0\0en\0de\0<x/>")).xmp == b"<x/>"
    assert PngFile(png(chunk(b"iTXt", head + b"\1\0\0\0no zip"))).xmp == b""
    assert PngFile(png(chunk(b"iTXt", head))).xmp == PngFile(png()).xmp == PngFile(b"").xmp == b""
