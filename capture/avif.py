"""What an AVIF says of its picture beside its pixels: how it is turned, and its colour profile.

ISO/IEC 14496-12 (boxes), 23008-12 (items and their properties).
"""

import struct
from collections.abc import Iterator

_TURNED = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF's orientation for a turn by so many quarters against the clock."""
_MIRRORED = {1: 2, 8: 7, 3: 4, 6: 5}
"""EXIF's orientation for a turn and then a mirror, left for right; top for bottom is that and half a turn."""
_HALF = {2: 4, 4: 2, 5: 7, 7: 5}


def properties(content: bytes) -> dict[bytes, bytes]:
    """{name: content} of the properties of its main picture, the later of two with one name; empty for what is no
    AVIF or is damaged."""
    try:
        return dict(_properties(content)) if content[4:8] == b"ftyp" else {}
    except (struct.error, IndexError, KeyError):
        return {}


def orientation(found: dict[bytes, bytes]) -> int:
    """1 to 8 as EXIF numbers it. What EXIF itself says of it does not count in an AVIF."""
    turned = _TURNED[found.get(b"irot", b"\0")[0] & 3]
    if b"imir" not in found:
        return turned
    mirrored = _MIRRORED[turned]
    return mirrored if found[b"imir"][0] & 1 else _HALF[mirrored]


def profile(found: dict[bytes, bytes]) -> bytes:
    """Its ICC profile, b"" without one."""
    colour = found.get(b"colr", b"")
    return colour[4:] if colour[:4] in (b"prof", b"rICC") else b""


def _properties(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    inside = dict(_boxes(dict(_boxes(content))[b"meta"][4:]))
    main = struct.unpack_from(">I" if inside[b"pitm"][0] else ">H", inside[b"pitm"], 4)[0]
    described = dict(_boxes(inside[b"iprp"]))
    known = list(_boxes(described[b"ipco"]))
    for n in _associated(described[b"ipma"], main):
        name, body = known[n - 1]
        # A picture may have two of these: a profile, and numbers that say the same.
        if name != b"colr" or body[:4] in (b"prof", b"rICC"):
            yield name, body


def _associated(table: bytes, main: int) -> list[int]:
    """Which properties the main picture has, counted from 1."""
    wide, at = table[3] & 1, 8
    for _ in range(struct.unpack_from(">I", table, 4)[0]):
        item = struct.unpack_from(">I" if table[0] else ">H", table, at)[0]
        at += 4 if table[0] else 2
        count = table[at]
        form, mask = (f">{count}H", 0x7FFF) if wide else (f">{count}B", 0x7F)
        found = [n & mask for n in struct.unpack_from(form, table, at + 1)]
        if item == main:
            return [n for n in found if n]
        at += 1 + struct.calcsize(form)
    return []


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", content, at + 8)[0], 16
        end = at + size if size else len(content)
        if end < at + head:
            return
        yield name, content[at + head : end]
        at = end
