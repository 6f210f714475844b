"""The boxes that AVIF and HEIC files consist of, and the two tables in them that say where what is.

ISO/IEC 14496-12 (4.2, boxes; 8.11.3, where items lie), 23008-12 (9.3, what is said of items).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_AHEAD = {b"meta": 4, b"iref": 4}
"""So many bytes stand in a box before the boxes in it, where it is more than none."""


@dataclass(frozen=True, slots=True)
class Box:
    """Places in its file."""

    name: bytes
    start: int
    body: int
    """Where its content begins."""
    end: int

    def content(self, file: bytes) -> bytes:
        """All behind its head."""
        return bytes(file[self.body : self.end])


def within(file: bytes, box: Box | None = None) -> Iterator[Box]:
    """The boxes in a box, or in the whole file; none after one that is damaged."""
    at, last = (0, len(file)) if box is None else (box.body + _AHEAD.get(box.name, 0), box.end)
    while at + 8 <= last:
        size, name = struct.unpack_from(">I4s", file, at)
        body = at + 8
        if size == 1 and at + 16 <= last:
            size, body = struct.unpack_from(">Q", file, at + 8)[0], at + 16
        end = at + size if size else last
        if end < body or end > last:
            return
        yield Box(name, at, body, end)
        at = end


def find(file: bytes, *names: bytes) -> Box:
    """The first box of that name, each in the one before. Raises ValueError where there is none."""
    box: Box | None = None
    for name in names:
        box = next((b for b in within(file, box) if b.name == name), None)
        if box is None:
            raise ValueError(f"no {name.decode('latin-1')} box")
    assert box is not None, "no name"
    return box


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of an item's content."""

    item: int
    method: int
    """How its place counts: 0 in the file, 1 in the box `idat`."""
    place: int
    length: int
    """0: to the end."""
    said_at: int
    """Where in the file its place is written, as its distance from the item's base,"""
    said_in: int
    """and in how many bytes."""


def extents(file: bytes, table: Box) -> Iterator[Extent]:
    """What the box `iloc` says. Raises struct.error or IndexError for one that is damaged."""
    at = table.body
    version, sizes = file[at], struct.unpack_from(">H", file, at + 4)[0]
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = version == 2
    count, at = number(file, at + 6, wide=wide), at + (10 if wide else 8)
    for _ in range(count):
        item, at = number(file, at, wide=wide), at + (4 if wide else 2)
        method = number(file, at) & 15 if version else 0
        at += 4 if version else 2
        start = int.from_bytes(file[at : at + base])
        parts, at = number(file, at + base), at + base + 2
        for _ in range(parts):
            at += index if version else 0
            place, end = int.from_bytes(file[at : at + offset]), at + offset + length
            yield Extent(item, method, start + place, int.from_bytes(file[at + offset : end]), at, offset)
            at = end


def associations(file: bytes, table: Box) -> Iterator[tuple[int, list[tuple[int, bool]]]]:
    """What the box `ipma` says: (item, [(property, counted from 1; who does not know it must not show the item)]).
    Raises struct.error or IndexError for one that is damaged."""
    version, wide, at = file[table.body], file[table.body + 3] & 1, table.body + 8
    for _ in range(struct.unpack_from(">I", file, table.body + 4)[0]):
        item, at = number(file, at, wide=version > 0), at + (4 if version else 2)
        count, bits = file[at], 15 if wide else 7
        form = f">{count}{'H' if wide else 'B'}"
        said = struct.unpack_from(form, file, at + 1)
        yield item, [(n & ~(1 << bits), bool(n >> bits)) for n in said]
        at += 1 + struct.calcsize(form)


def number(file: bytes, at: int, *, wide: bool = False) -> int:
    """Of 16 or 32 bits."""
    return int(struct.unpack_from(">I" if wide else ">H", file, at)[0])
