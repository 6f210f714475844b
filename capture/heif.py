"""The items of an AVIF or HEIC file: pictures, tiles of pictures, EXIF, XMP, and what is said of each.

ISO/IEC 14496-12 (boxes), 23008-12 (items, references and properties).
"""

import struct
from functools import cached_property

from ..core import boxes

Properties = dict[bytes, bytes]
"""{name: content}, the later of two with one name."""

_TURNED = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF's orientation for a turn by so many quarters against the clock."""
_MIRRORED = {1: 2, 8: 7, 3: 4, 6: 5}
"""EXIF's orientation for a turn and then a mirror, left for right; top for bottom is that and half a turn."""
_HALF = {2: 4, 4: 2, 5: 7, 7: 5}
_PROFILES = (b"prof", b"rICC")
_OF_ALL_TILES = frozenset({b"colr", b"nclx", b"pixi", b"av1C"})
_MOST_BYTES = 1 << 30
"""Of one item: extents may name one place of the file again and again."""


class Heif:
    """What a file says, read as it is asked for. Damaged files raise ValueError, struct.error, IndexError or
    KeyError (`DAMAGED`) from any of these."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._meta = boxes.find(content, b"meta")

    @cached_property
    def main(self) -> int:
        """The item that is the picture."""
        body = self._inside(b"pitm")
        return boxes.number(body, 4, wide=body[0] > 0)

    @cached_property
    def kinds(self) -> dict[int, bytes]:
        """{item: its kind}: `hvc1`, `grid`, `Exif`, ...; MIME types as they are."""
        body = self._inside(b"iinf")
        at, found = (8 if body[0] else 6), {}
        while at + 8 <= len(body):
            size, name = struct.unpack_from(">I4s", body, at)
            if size < 8:
                break
            entry = body[at + 8 : at + size]
            if name == b"infe" and entry[0] >= 2:
                wide = entry[0] > 2
                kind = 10 if wide else 8
                words = entry[kind + 4 :].split(b"\0")
                found[boxes.number(entry, 4, wide=wide)] = (
                    words[1] if entry[kind : kind + 4] == b"mime" else entry[kind : kind + 4]
                )
            at += size
        return found

    @cached_property
    def said(self) -> Properties:
        """What is said of the picture; of a grid's colours and depth its first tile may say more."""
        tiles = self.named_by(self.main, b"dimg") if self.kinds.get(self.main) == b"grid" else []
        of_tiles = self.properties(tiles[0]) if tiles else {}
        return {k: v for k, v in of_tiles.items() if k in _OF_ALL_TILES} | self.properties(self.main)

    def properties(self, item: int) -> Properties:
        """What is said of an item."""
        found = {}
        for n in self._associated.get(item, ()):
            box = self._known[n - 1]
            body = box.content(self._content)
            # A picture may have two of these: a profile, and numbers that say the same.
            name = b"nclx" if box.name == b"colr" and body[:4] == b"nclx" else box.name
            found[name] = body
        return found

    def named_by(self, item: int, kind: bytes) -> list[int]:
        """The items that it refers to, in order: the tiles (`dimg`) of a grid."""
        return [to for name, of, to in self._references if (name, of) == (kind, item)]

    def naming(self, item: int, kind: bytes) -> list[int]:
        """The items that refer to it: what describes it (`cdsc`), stands beside it (`auxl`)."""
        return [of for name, of, to in self._references if (name, to) == (kind, item)]

    def data(self, item: int) -> bytes:
        """An item's content."""
        extents = self._places[item]
        if any(extent.method > 1 for extent in extents):
            raise ValueError(f"item {item} lies in other items")
        if sum(extent.length for extent in extents) > _MOST_BYTES:
            raise ValueError(f"item {item} is too large")
        parts = []
        for extent in extents:
            inside = self._inside(b"idat") if extent.method else self._content
            end = extent.place + extent.length if extent.length else None
            parts.append(inside[extent.place : end])
            if len(parts[-1]) < extent.length:
                raise ValueError(f"item {item} is cut off")
        return b"".join(parts)

    def described_by(self, kind: bytes) -> bytes:
        """What of this kind is there about the picture (`Exif`, a MIME type); b"" without any."""
        item = next((n for n in self.naming(self.main, b"cdsc") if self.kinds.get(n) == kind), None)
        return b"" if item is None else self.data(item)

    @cached_property
    def _known(self) -> list[boxes.Box]:
        return list(boxes.within(self._content, boxes.find(self._content, b"meta", b"iprp", b"ipco")))

    @cached_property
    def _references(self) -> list[tuple[bytes, int, int]]:
        """(kind, from, to)."""
        try:
            table = boxes.find(self._content, b"meta", b"iref")
        except ValueError:
            return []
        wide = self._content[table.body] > 0
        size, found = (4 if wide else 2), []
        for box in boxes.within(self._content, table):
            body = box.content(self._content)
            of, count = boxes.number(body, 0, wide=wide), boxes.number(body, size)
            found += [
                (box.name, of, boxes.number(body, size + 2 + size * n, wide=wide)) for n in range(count)
            ]
        return found

    @cached_property
    def _places(self) -> dict[int, list[boxes.Extent]]:
        found: dict[int, list[boxes.Extent]] = {}
        for extent in boxes.extents(self._content, boxes.find(self._content, b"meta", b"iloc")):
            found.setdefault(extent.item, []).append(extent)
        return found

    @cached_property
    def _associated(self) -> dict[int, list[int]]:
        """{item: its properties, counted from 1}."""
        table = boxes.find(self._content, b"meta", b"iprp", b"ipma")
        return {item: [n for n, _ in said if n] for item, said in boxes.associations(self._content, table)}

    def _inside(self, name: bytes) -> bytes:
        return boxes.find(self._content, b"meta", name).content(self._content)


DAMAGED = (ValueError, struct.error, IndexError, KeyError)
"""What a damaged file raises."""


def orientation(said: Properties) -> int:
    """1 to 8 as EXIF numbers it. What EXIF itself says of it does not count in these files."""
    turned = _TURNED[said.get(b"irot", b"\0")[0] & 3]
    if b"imir" not in said:
        return turned
    mirrored = _MIRRORED[turned]
    return mirrored if said[b"imir"][0] & 1 else _HALF[mirrored]


def profile(said: Properties) -> bytes:
    """The ICC profile, b"" without one."""
    colour = said.get(b"colr", b"")
    return colour[4:] if colour[:4] in _PROFILES else b""


def colours(said: Properties) -> bytes:
    """ITU-T H.273's numbers for its colours once they are RGB, as a PNG has them: primaries, transfer, 0, 1; b""
    without any."""
    numbers = said.get(b"nclx", b"")
    return bytes((*numbers[5:9:2], 0, 1)) if len(numbers) >= 11 else b""


def depth(said: Properties) -> int:
    """Bits of a colour."""
    if len(bits := said.get(b"pixi", b"")) > 5:
        return bits[5]
    more = said.get(b"av1C", b"\0\0\0")[2] >> 5 & 3
    return {0: 8, 2: 10, 3: 12}.get(more, 8)
