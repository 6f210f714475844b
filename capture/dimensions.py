"""How large a picture is, without decoding it."""

import mmap
import struct
from collections.abc import Callable
from pathlib import Path

from ..core import tiff
from ..core.picture_format import HEAD, PictureFormat, seen_in
from ..core.settings import Size
from .heif import DAMAGED, Heif
from .jpeg_file import JpegFile

_WIDTH, _HEIGHT = 256, 257
"""TIFF's tags."""


def dimensions(content: bytes) -> Size | None:
    """(width, height) as stored, of JPEG, PNG, WebP, AVIF, HEIC, TIFF or BMP; None where the file does not tell."""
    kind = seen_in(content[:HEAD])
    if kind is None:
        return None
    try:
        return _READERS[kind](content)
    except DAMAGED:
        return None


def dimensions_of(path: Path) -> Size | None:
    """The same of a file, of which no more is read than has to be. Raises OSError."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return dimensions(content)  # type: ignore[arg-type]  # as bytes to all who read it


def _png(content: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _bmp(content: bytes) -> Size | None:
    form = "<HH" if content[14] == 12 else "<ii"
    width, height = struct.unpack_from(form, content, 18)
    return width, abs(height)


def _jpeg(content: bytes) -> Size | None:
    return JpegFile(content).size


def _webp(content: bytes) -> Size | None:
    kind = content[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(content: bytes) -> Size | None:
    found = tiff.read(content)
    width, height = tiff.number(found, _WIDTH), tiff.number(found, _HEIGHT)
    return (width, height) if width and height else None


def _heif(content: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", Heif(content).said[b"ispe"], 4)
    return width, height


_READERS: dict[PictureFormat, Callable[[bytes], Size | None]] = {
    PictureFormat.JPEG: _jpeg,
    PictureFormat.PNG: _png,
    PictureFormat.WEBP: _webp,
    PictureFormat.AVIF: _heif,
    PictureFormat.HEIC: _heif,
    PictureFormat.TIFF: _tiff,
    PictureFormat.BMP: _bmp,
}
