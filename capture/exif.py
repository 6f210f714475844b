"""EXIF in the bytes of its TIFF block: the orientation, and what else of the original it shows."""

import struct
from collections.abc import Iterator

ORIENTATION, _EXIF_IFD, _MAKER_NOTE = 0x0112, 0x8769, 0x927C
PROFILE, XMP = 34675, 700
"""Tags of TIFF files (Adobe's, and ICC.1 annex B.4)."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_HEAD = b"Exif\0\0"


def pages(content: bytes) -> int:
    """How many pictures follow each other in a TIFF file; 1 for what is none, or is damaged."""
    found: list[int] = []
    try:
        order, at = _order(content)
        while at and at not in found:
            found.append(at)
            (count,) = struct.unpack_from(order + "H", content, at)
            (at,) = struct.unpack_from(order + "I", content, at + 2 + 12 * count)
    except (struct.error, ValueError):
        return 1
    return len(found)


def beside(content: bytes) -> dict[int, bytes]:
    """{tag: content} of a TIFF file's colour profile (`PROFILE`) and `XMP` packet; empty for what is none."""
    found = {}
    try:
        order, first = _order(content)
        for tag, kind, count, at in _entries(content, order, first):
            if tag in (PROFILE, XMP) and kind in (1, 7):
                (where,) = struct.unpack_from(order + "I", content, at)
                found[tag] = content[where : where + count]
    except (struct.error, ValueError):
        return {}
    return found


def orientation(block: bytes) -> int:
    """1 to 8 as EXIF numbers it; 1, upright, where nothing is said or the block is damaged."""
    block = block.removeprefix(_HEAD)
    try:
        order, first = _order(block)
        for tag, kind, _, at in _entries(block, order, first):
            if tag == ORIENTATION and kind == 3:
                value = int(struct.unpack_from(order + "H", block, at)[0])
                return value if 1 <= value <= 8 else 1
    except (struct.error, ValueError):
        return 1
    return 1


def cleaned(block: bytes) -> bytes:
    """The block of a picture that was turned upright and changed.

    Orientation says upright. The thumbnail and the maker's note, which may hold a picture too, are taken
    out: they would still show the face as it was. An unreadable block gives b"".
    """
    block = block.removeprefix(_HEAD)
    out = bytearray(block)
    try:
        order, first = _order(block)
        inner = None
        for tag, kind, _, at in _entries(block, order, first):
            if tag == ORIENTATION and kind == 3:
                struct.pack_into(order + "H", out, at, 1)
            if tag == _EXIF_IFD:
                inner = struct.unpack_from(order + "I", block, at)[0]
        if inner is not None:
            for tag, kind, count, at in _entries(block, order, inner):
                if tag == _MAKER_NOTE:
                    size = count * _SIZES.get(kind, 1)
                    where = at if size <= 4 else struct.unpack_from(order + "I", block, at)[0]
                    out[where : where + size] = bytes(len(out[where : where + size]))
        link = first + 2 + 12 * struct.unpack_from(order + "H", block, first)[0]
        second = struct.unpack_from(order + "I", block, link)[0]
        struct.pack_into(order + "I", out, link, 0)
        if second:
            _wipe_thumbnail(block, out, order, second)
    except (struct.error, ValueError):
        return b""
    return bytes(out)


def _wipe_thumbnail(block: bytes, out: bytearray, order: str, ifd: int) -> None:
    found = {
        tag: struct.unpack_from(order + "I", block, at)[0] for tag, _, _, at in _entries(block, order, ifd)
    }
    for start, length in ((0x0201, 0x0202), (0x0111, 0x0117)):
        if start in found:
            at, size = found[start], found.get(length, len(block))
            out[at : at + size] = bytes(len(out[at : at + size]))


def _order(block: bytes) -> tuple[str, int]:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        raise ValueError("no TIFF block")
    return order, int(struct.unpack_from(order + "I", block, 4)[0])


def _entries(block: bytes, order: str, ifd: int) -> Iterator[tuple[int, int, int, int]]:
    """(tag, type, count, place of the value or of its offset) of one directory."""
    for i in range(struct.unpack_from(order + "H", block, ifd)[0]):
        tag, kind, count = struct.unpack_from(order + "HHI", block, ifd + 2 + 12 * i)
        yield tag, kind, count, ifd + 2 + 12 * i + 8
