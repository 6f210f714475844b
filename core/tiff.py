"""TIFF's directories of tags, as TIFF files, BigTIFF files and EXIF blocks have them.

TIFF 6.0, section 2; BigTIFF; EXIF 2.32, section 4.6. Pixels are left where they are.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

MAKE, ORIENTATION, SUB_IFDS, XMP, PHOTOSHOP, PROFILE = 0x010F, 0x0112, 0x014A, 0x02BC, 0x8649, 0x8773
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
MAKER_NOTE, PIXEL_WIDTH, PIXEL_HEIGHT = 0x927C, 0xA002, 0xA003

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
_KINDS = {
    BYTE: (1, 1), ASCII: (1, 1), SHORT: (2, 2), LONG: (4, 4), RATIONAL: (8, 4), 6: (1, 1), UNDEFINED: (1, 1), 8: (2, 2),
    9: (4, 4), 10: (8, 4), 11: (4, 4), 12: (8, 8), 13: (4, 4), 16: (8, 8), 17: (8, 8), 18: (8, 8), 129: (1, 1),
}  # fmt: skip
"""{TIFF's number of a kind: (bytes of one value, bytes of a number in it)}; 129 is EXIF 3's UTF-8."""
_FORMS = {BYTE: "B", SHORT: "H", LONG: "I", 13: "I", 16: "Q", 18: "Q"}
_WITHIN = frozenset({EXIF, GPS, INTEROPERABILITY})
"""Tags whose value is the place of another directory."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a tag says."""

    kind: int
    """TIFF's number: `BYTE`, `ASCII`, ..."""
    data: bytes
    """Numbers in it are little-endian, whatever the file's order was."""

    def number(self) -> int | None:
        """The first of its whole numbers; None where it has none."""
        form = _FORMS.get(self.kind)
        return struct.unpack_from("<" + form, self.data)[0] if form and self.data else None

    def fraction(self) -> Fraction | None:
        """The first of its fractions; None where it has none, or one by zero."""
        if self.kind != RATIONAL or not self.data:
            return None
        above, below = struct.unpack_from("<II", self.data)
        return Fraction(above, below) if below else None


Directory = dict[int, "Value | Directory"]
"""{tag: what it says}; `EXIF`, `GPS` and `INTEROPERABILITY` are directories themselves."""


def number(directory: Directory, tag: int) -> int | None:
    """The first whole number of a tag; None where there is none."""
    return value.number() if isinstance(value := directory.get(tag), Value) else None


def fraction(directory: Directory, tag: int) -> Fraction | None:
    """The first fraction of a tag; None where there is none."""
    return value.fraction() if isinstance(value := directory.get(tag), Value) else None


def data(directory: Directory, tag: int) -> bytes:
    """What a tag says as it is; b"" where there is none."""
    return value.data if isinstance(value := directory.get(tag), Value) else b""


def short(number: int) -> Value:
    """A whole number below 65536."""
    return Value(SHORT, struct.pack("<H", number))


def long(number: int) -> Value:
    """A whole number below 2^32."""
    return Value(LONG, struct.pack("<I", number))


def rational(number: float) -> Value:
    """A number that is not negative, to about a thousandth."""
    fraction = Fraction(number).limit_denominator(1000)
    return Value(RATIONAL, struct.pack("<II", fraction.numerator, fraction.denominator))


def order(content: bytes) -> str:
    """The order of its bytes as `struct` has it, "<" or ">". Raises ValueError for what is no TIFF."""
    return _Reader(content).order


def read(content: bytes) -> Directory:
    """Its first directory, with those within; what lies outside of the file is left out. Raises ValueError for what
    is no TIFF or has no directory."""
    reader = _Reader(content)
    try:
        return reader.directory(reader.first, _WITHIN)
    except struct.error:
        raise ValueError("the first directory lies outside of the file") from None


def pages(content: bytes) -> int:
    """How many directories follow each other; 1 for what is no TIFF."""
    found = 0
    with suppress(struct.error, ValueError):
        for _ in _Reader(content).chain():
            found += 1
    return max(1, found)


def write(directory: Mapping[int, "Value | Directory"], order: str = "<") -> bytes:
    """A block that holds a directory and nothing else, as EXIF has it."""
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + _laid(directory, 8, order)


def replaced(content: bytes, directory: Mapping[int, "Value | Directory"]) -> bytes:
    """A TIFF file of one page with another directory; its pixels stay in their places."""
    order = _Reader(content).order
    content += bytes(len(content) % 2)
    return (
        content[:4]
        + struct.pack(order + "I", len(content))
        + content[8:]
        + _laid(directory, len(content), order)
    )


def patched(content: bytes, tag: int, number: int) -> bytes:
    """The same file, in whose first directory a tag that says a `SHORT` says another one."""
    reader = _Reader(content)
    out = bytearray(content)
    for found, kind, _, entry in reader.entries(reader.first):
        if (found, kind) == (tag, SHORT):
            struct.pack_into(reader.order + "H", out, entry, number)
    return bytes(out)


def _laid(directory: Mapping[int, "Value | Directory"], at: int, order: str) -> bytes:
    """A directory, what it says and those within it, for the place `at` of a file."""
    head = 2 + 12 * len(directory) + 4
    entries, behind = bytearray(), bytearray()
    for tag, value in sorted(directory.items()):
        behind += bytes(len(behind) % 2)
        where = at + head + len(behind)
        if isinstance(value, dict):
            entries += struct.pack(order + "HHII", tag, LONG, 1, where)
            behind += _laid(value, where, order)
            continue
        data = _turned(value.data, value.kind) if order == ">" else value.data
        entries += struct.pack(order + "HHI", tag, value.kind, len(data) // _KINDS[value.kind][0])
        if len(data) <= 4:
            entries += data.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", where)
            behind += data
    return struct.pack(order + "H", len(directory)) + bytes(entries) + bytes(4) + bytes(behind)


def _turned(data: bytes, kind: int) -> bytes:
    """The same numbers in the other order of bytes."""
    size = _KINDS[kind][1]
    return data if size == 1 else b"".join(data[n : n + size][::-1] for n in range(0, len(data), size))


class _Reader:
    def __init__(self, content: bytes) -> None:
        """Raises ValueError for what is no TIFF."""
        found = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
        head = found.get(bytes(content[:4]))
        if head is None or len(content) < (16 if head[1] else 8):
            raise ValueError("no TIFF")
        self._content = content
        self.order, big = head
        self._count, self._place, self._entry = ("Q", "Q", "HHQ") if big else ("H", "I", "HHI")
        self.first = self._number(self._place, 8 if big else 4)
        self._left = len(content)
        """So many bytes of values are read at most: a file may name one place a thousand times."""

    def directory(self, at: int, within: frozenset[int]) -> Directory:
        """The directory at this place and those that it names. Raises struct.error for one that is cut off."""
        found: Directory = {}
        for tag, kind, count, entry in self.entries(at):
            unit = _KINDS.get(kind, (0, 1))[0]
            size, room = unit * count, struct.calcsize(self.order + self._place)
            where = entry if size <= room else self._number(self._place, entry)
            data = bytes(self._content[where : where + size])
            if not unit or len(data) < size or size > self._left:
                continue
            self._left -= size
            value = Value(kind, data if self.order == "<" else _turned(data, kind))
            if tag not in within:
                found[tag] = value
            elif (place := value.number()) is not None:
                with_ = frozenset({INTEROPERABILITY}) if tag == EXIF else frozenset[int]()
                try:
                    found[tag] = self.directory(place, with_)
                except struct.error:  # the others may be whole
                    continue
        return found

    def chain(self) -> Iterator[int]:
        """Where the directories are. Raises struct.error for one that is cut off."""
        seen: set[int] = set()
        at = self.first
        while at and at not in seen:
            seen.add(at)
            size = struct.calcsize(self.order + self._count)
            step = struct.calcsize(self.order + self._entry + self._place)
            link = at + size + step * self._number(self._count, at)
            yield at
            at = self._number(self._place, link)

    def entries(self, at: int) -> Iterator[tuple[int, int, int, int]]:
        """(tag, kind, count, place of the value or of its offset). Raises struct.error for what is cut off."""
        size = struct.calcsize(self.order + self._count)
        head = struct.calcsize(self.order + self._entry)
        step = struct.calcsize(self.order + self._entry + self._place)
        for n in range(self._number(self._count, at)):
            entry = at + size + step * n
            yield *struct.unpack_from(self.order + self._entry, self._content, entry), entry + head

    def _number(self, form: str, at: int) -> int:
        if at > len(self._content):  # further than any file is long
            raise struct.error
        return int(struct.unpack_from(self.order + form, self._content, at)[0])
