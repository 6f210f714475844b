"""Colour profiles and XMP in picture files where OpenCV writes none: TIFF and AVIF."""

import struct

_PROFILE, _XMP, _BYTES, _UNDEFINED = 34675, 700, 1, 7
"""Tags of TIFF and the kinds of what they hold."""


def tiff(content: bytes, profile: bytes = b"", xmp: bytes = b"") -> bytes:
    """A TIFF of one picture, with a colour profile (ICC.1, annex B.4) and XMP."""
    order = "<" if content[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, first)
    entries = [content[first + 2 + 12 * n :][:12] for n in range(count)]
    out = bytearray(content)
    for tag, kind, block in ((_PROFILE, _UNDEFINED, profile), (_XMP, _BYTES, xmp)):
        if len(block) > 4:
            out += bytes(len(out) % 2)
            entries.append(struct.pack(order + "HHII", tag, kind, len(block), len(out)))
            out += block
    out += bytes(len(out) % 2)
    struct.pack_into(order + "I", out, 4, len(out))
    entries.sort(key=lambda entry: int(struct.unpack_from(order + "H", entry)[0]))
    return bytes(out + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4))


def avif(content: bytes, profile: bytes) -> bytes:
    """An AVIF as libavif writes it, with a colour profile."""
    return described(content, b"colr", b"prof" + profile)


def described(content: bytes, name: bytes, what: bytes, *, essential: bool = False) -> bytes:
    """An AVIF as libavif writes it, whose pictures all have one more property (ISO/IEC 14496-12, 8.11; 23008-12,
    9.3). `essential`: who does not know it must not show them."""
    box = struct.pack(">I4s", 8 + len(what), name) + what
    meta, _ = _box(content, b"meta", 0)
    described, _ = _box(content, b"iprp", meta + 12)
    known, known_end = _box(content, b"ipco", described + 8)
    table, table_end = _box(content, b"ipma", described + 8)
    number, at = 1, known + 8
    while at < known_end:
        at, number = at + struct.unpack_from(">I", content, at)[0], number + 1
    associated = _associated(content[table:table_end], number, essential=essential)
    longer = len(box) + len(associated) - (table_end - table)
    out = bytearray(content)
    for grown, more in ((meta, longer), (described, longer), (known, len(box))):
        struct.pack_into(">I", out, grown, struct.unpack_from(">I", content, grown)[0] + more)
    _move(out, _box(content, b"iloc", meta + 12)[0], longer)
    return bytes(out[:known_end] + box + out[known_end:table] + associated + out[table_end:])


def _associated(table: bytes, number: int, *, essential: bool) -> bytes:
    """The table of which picture has which properties, and that one too."""
    form = ">I" if table[8] else ">H"
    wide = table[11] & 1
    out, at = bytearray(table[:16]), 16
    for _ in range(struct.unpack_from(">I", table, 12)[0]):
        item = struct.calcsize(form)
        size = table[at + item] * (2 if wide else 1)
        out += table[at : at + item] + bytes([table[at + item] + 1]) + table[at + item + 1 :][:size]
        out += struct.pack(">H", number | essential << 15) if wide else bytes([number | essential << 7])
        at += item + 1 + size
    struct.pack_into(">I", out, 0, len(out))
    return bytes(out)


def _move(out: bytearray, table: int, longer: int) -> None:
    """All data lies behind the boxes that have grown."""
    version, sizes = out[table + 8], struct.unpack_from(">H", out, table + 12)[0]
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    at = table + 14
    wide = ">I" if version == 2 else ">H"
    (count,) = struct.unpack_from(wide, out, at)
    at += struct.calcsize(wide)
    for _ in range(count):
        at += struct.calcsize(wide) + (2 if version else 0) + 2 + base
        (extents,) = struct.unpack_from(">H", out, at)
        at += 2
        for _ in range(extents):
            at += index if version else 0
            place = int.from_bytes(out[at : at + offset]) + longer
            out[at : at + offset] = place.to_bytes(offset)
            at += offset + length


def _box(content: bytes, name: bytes, at: int) -> tuple[int, int]:
    """Where the first box of this name begins and ends, from `at` on. Raises ValueError."""
    while at + 8 <= len(content):
        size, found = struct.unpack_from(">I4s", content, at)
        if found == name:
            return at, at + size
        if size < 8:
            break
        at += size
    raise ValueError(f"no {name.decode()} box")
