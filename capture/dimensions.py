"""How large a picture is, from the first bytes of its file."""

import re
import struct
from collections.abc import Callable

from ..core.settings import Size

HEAD = 1 << 20
"""So many bytes of a file are looked at: a JPEG may have its EXIF, with a thumbnail, before its size."""
_JPEG_SEGMENT = struct.Struct(">BBH")
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def dimensions(head: bytes) -> Size | None:
    """(width, height) as stored, of JPEG, PNG, WebP, AVIF, TIFF or BMP; None where the head does not tell."""
    try:
        for magic, find in _KINDS.items():
            if re.match(magic, head, re.DOTALL):
                return find(head)
    except (struct.error, IndexError):  # it ends too early
        return None
    return None


def _png(head: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _bmp(head: bytes) -> Size | None:
    width, height = struct.unpack_from("<ii", head, 18)
    return width, abs(height)


def _jpeg(head: bytes) -> Size | None:
    at = 2
    while True:
        mark, kind, length = _JPEG_SEGMENT.unpack_from(head, at)
        if mark != 0xFF:
            return None
        if kind in _SOF:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 1 if kind == 0xFF else 2 + length


def _webp(head: bytes) -> Size | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(head: bytes) -> Size | None:
    order = "<" if head[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", head, 4)
    (count,) = struct.unpack_from(order + "H", head, at)
    found = {}
    for n in range(count):
        tag, kind = struct.unpack_from(order + "HH", head, at + 2 + 12 * n)
        (found[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), head, at + 10 + 12 * n)
    return (found[256], found[257]) if {256, 257} <= found.keys() else None


def _avif(head: bytes) -> Size | None:
    sizes = [struct.unpack_from(">II", head, m.end() + 4) for m in re.finditer(b"ispe", head)]
    return max(((w, h) for w, h in sizes), key=lambda size: size[0] * size[1], default=None)


_KINDS: dict[bytes, Callable[[bytes], Size | None]] = {
    rb"\x89PNG": _png,
    rb"\xff\xd8": _jpeg,
    rb"RIFF....WEBP": _webp,
    rb"II\*\0|MM\0\*": _tiff,
    rb"....ftypavi": _avif,
    rb"BM": _bmp,
}
