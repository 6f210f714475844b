"""What stands beside the pixels, put into picture files that an encoder wrote without it."""

import struct
import zlib

from ..core import boxes, tiff
from ..core.metadata import Metadata
from ..core.picture_format import Density
from ..core.tiff import Directory

_INCH = 0.0254
"""Metres."""
_EXIF, _XMP, _PROFILE = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_SEGMENT = 65_533
"""The most that a segment of a JPEG holds."""
_PIECE = _SEGMENT - len(_PROFILE) - 2
_APP1, _APP2 = 0xE1, 0xE2


def jpeg(content: bytes, metadata: Metadata) -> bytes:
    """A JPEG as libjpeg writes it (JFIF), with EXIF, XMP, colour profile and density."""
    head = bytearray(content[:20])
    if metadata.density:
        struct.pack_into(">BHH", head, 13, 1, *(max(1, min(65_535, round(n))) for n in metadata.density))
    parts = [(_APP1, part) for part in _in_app1(metadata).values()]
    pieces = [metadata.profile[n : n + _PIECE] for n in range(0, len(metadata.profile), _PIECE)]
    parts += [(_APP2, _PROFILE + bytes((n, len(pieces))) + piece) for n, piece in enumerate(pieces, 1)]
    segments = (struct.pack(">BBH", 0xFF, at, 2 + len(part)) + part for at, part in parts)
    return b"".join((bytes(head), *segments, content[20:]))


def long_for_jpeg(metadata: Metadata) -> frozenset[str]:
    """The fields that a JPEG has no room for."""
    long = {name for name, part in _in_app1(metadata).items() if len(part) > _SEGMENT}
    return frozenset(long | ({"profile"} if len(metadata.profile) > 255 * _PIECE else set()))


def _in_app1(metadata: Metadata) -> dict[str, bytes]:
    """{field: as it stands in a JPEG}."""
    parts = {}
    if metadata.tags:
        parts["tags"] = _EXIF + tiff.write(metadata.tags, metadata.order)
    if metadata.xmp:
        parts["xmp"] = _XMP + metadata.xmp
    return parts


def png(content: bytes, metadata: Metadata) -> bytes:
    """A PNG with XMP, its density, and which light its codes mean."""
    chunks = dict(metadata.light)
    if metadata.xmp:  # OpenCV's own would go on behind its end
        chunks[b"iTXt"] = b"XML:com.adobe.xmp" + bytes(5) + metadata.xmp
    if metadata.density:
        chunks[b"pHYs"] = struct.pack(">IIB", *(round(n / _INCH) for n in metadata.density), 1)
    written = (
        struct.pack(">I", len(said)) + name + said + struct.pack(">I", zlib.crc32(name + said))
        for name, said in chunks.items()
    )
    return b"".join((content[:33], *written, content[33:]))


def bmp(content: bytes, density: Density) -> bytes:
    """A BMP with its density."""
    return content[:38] + struct.pack("<ii", *(round(n / _INCH) for n in density)) + content[46:]


def dense(tags: Directory, density: Density | None) -> Directory:
    """Tags that say the density too, where they do not yet."""
    if density is None or tiff.X_RESOLUTION in tags:
        return tags
    across, down = map(tiff.rational, density)
    said = {tiff.X_RESOLUTION: across, tiff.Y_RESOLUTION: down, tiff.RESOLUTION_UNIT: tiff.short(2)}
    return {**tags, **said}


def tiff_file(content: bytes, metadata: Metadata) -> bytes:
    """A TIFF of one page with what EXIF says, a colour profile (ICC.1, annex B.4), XMP and density."""
    beside = dense(metadata.tags, metadata.density)
    if metadata.profile:
        beside = {**beside, tiff.PROFILE: tiff.Value(tiff.UNDEFINED, metadata.profile)}
    if metadata.xmp:
        beside = {**beside, tiff.XMP: tiff.Value(tiff.BYTE, metadata.xmp)}
    return tiff.replaced(content, {**tiff.read(content), **beside}) if beside else content


def avif(content: bytes, metadata: Metadata) -> bytes:
    """An AVIF as libavif writes it, with a colour profile or the numbers that stand for one."""
    if len(metadata.colours) == 4:
        colours = boxes.find(content, b"meta", b"iprp", b"ipco", b"colr")
        at = colours.body + 4
        content = content[:at] + struct.pack(">HH", *metadata.colours[:2]) + content[at + 4 :]
    return described(content, b"colr", b"prof" + metadata.profile) if metadata.profile else content


def described(content: bytes, name: bytes, what: bytes, *, essential: bool = False) -> bytes:
    """An AVIF as libavif writes it, whose pictures all have one more property (ISO/IEC 14496-12, 8.11; 23008-12,
    9.3). `essential`: who does not know it must not show them."""
    box = struct.pack(">I4s", 8 + len(what), name) + what
    meta, properties = boxes.find(content, b"meta"), boxes.find(content, b"meta", b"iprp")
    known, table = (boxes.find(content, b"meta", b"iprp", of) for of in (b"ipco", b"ipma"))
    number = 1 + sum(1 for _ in boxes.within(content, known))
    associated = _associated(content, table, number, essential=essential)
    longer = len(box) + len(associated) - (table.end - table.body)
    out = bytearray(content)
    for grown, more in ((meta, longer), (properties, longer), (known, len(box)), (table, longer - len(box))):
        struct.pack_into(">I", out, grown.start, grown.end - grown.start + more)
    for extent in boxes.extents(content, boxes.find(content, b"meta", b"iloc")):
        at, end = extent.said_at, extent.said_at + extent.said_in
        # All data lies behind the boxes that have grown.
        out[at:end] = (int.from_bytes(content[at:end]) + longer).to_bytes(extent.said_in)
    return bytes(out[: known.end] + box + out[known.end : table.body] + associated + out[table.end :])


def _associated(content: bytes, table: boxes.Box, number: int, *, essential: bool) -> bytes:
    """The table of which picture has which properties, and that one too."""
    version, wide = content[table.body], content[table.body + 3] & 1
    out = bytearray(content[table.body : table.body + 8])
    for item, said in boxes.associations(content, table):
        all_ = [*said, (number, essential)]
        out += struct.pack(">I" if version else ">H", item) + bytes((len(all_),))
        for n, must in all_:
            out += struct.pack(">H", n | must << 15) if wide else bytes((n | must << 7,))
    return bytes(out)
