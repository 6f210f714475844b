"""What a PNG file says of its picture beside its pixels (PNG, third edition, section 11)."""

import struct
import zlib
from collections.abc import Iterator

from ..core.picture_format import Density

INCH = 0.0254
"""Metres."""
_USUAL_GAMMA = range(45_000, 46_001)
"""Of sRGB, 1/2.2, as PNG counts it."""
_GREY = 0
_XMP = b"XML:com.adobe.xmp\0"
_LONGEST = 16 << 20
"""Bytes of XMP, unpacked."""


class PngFile:
    """A file's chunks by name, the first of each."""

    def __init__(self, content: bytes) -> None:
        self._chunks: dict[bytes, bytes] = {}
        for name, said in _chunks(content):
            self._chunks.setdefault(_XMP if said.startswith(_XMP) else name, said)

    @property
    def xmp(self) -> bytes:
        """b"" without any. OpenCV's own goes on behind its end."""
        said = self._chunks.get(_XMP, b"").removeprefix(_XMP)
        packed, text = said[:1] == b"\1", said[2:].split(b"\0", 2)[2:]
        try:
            return zlib.decompressobj().decompress(text[0], _LONGEST) if packed and text else b"".join(text)
        except zlib.error:
            return b""

    @property
    def density(self) -> Density | None:
        """None where it does not tell, or tells of shapes only."""
        said = self._chunks.get(b"pHYs", b"")
        if len(said) != 9 or said[8] != 1:
            return None
        across, down = struct.unpack_from(">II", said)
        return (across * INCH, down * INCH) if across and down else None

    @property
    def light(self) -> dict[bytes, bytes]:
        """Its gamma and the colours of its light (`gAMA`, `cHRM`), where nothing else says it and it is not sRGB's."""
        gamma = self._chunks.get(b"gAMA", b"")
        said = any(name in self._chunks for name in (b"sRGB", b"iCCP", b"cICP"))
        if said or len(gamma) != 4 or int.from_bytes(gamma) in _USUAL_GAMMA:
            return {}
        return {name: self._chunks[name] for name in (b"gAMA", b"cHRM") if name in self._chunks}

    @property
    def clear_grey(self) -> int | None:
        """The grey that is transparent, as it comes out with 8 or 16 bits; None where none is."""
        head, said = self._chunks.get(b"IHDR", b""), self._chunks.get(b"tRNS", b"")
        if len(head) < 10 or head[9] != _GREY or len(said) != 2:
            return None
        bits, grey = head[8], int.from_bytes(said)
        return grey if bits >= 8 else grey * 255 // ((1 << bits) - 1)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        if at + 12 + size > len(content):
            return
        if name != b"IDAT":
            yield name, content[at + 8 : at + 8 + size]
        at += 12 + size
