"""What is kept of a picture's tags, and what they tell of it.

Tags come from an EXIF block or from a TIFF file itself, whose own directory holds the same.
"""

from ..core import tiff
from ..core.picture_format import Density
from ..core.tiff import Directory

_HEAD = b"Exif\0\0"
_DESCRIBING = frozenset({
    0x000B, 0x010D, 0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x011D, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746,
    0x4749, 0x8298, 0x8769, 0x8825, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,
})  # fmt: skip
"""Who made the picture, with what, when, where, of what, how large on paper (TIFF 6.0, EXIF 2.32, Windows). All other
tags of a first directory describe pixels or hold previews, or nobody knows what they hold."""
_INCH, _CENTIMETRE = 2, 3
_LONGEST = 60_000
"""Bytes: a JPEG has room for 65533, with what other tags it may have."""


def of_block(block: bytes) -> tuple[Directory, str]:
    """The directory of an EXIF block and the order of its bytes; an empty one for a block that is damaged."""
    block = block[block.startswith(_HEAD) and len(_HEAD) :]
    try:
        return tiff.read(block), tiff.order(block)
    except ValueError:
        return {}, "<"


def orientation(tags: Directory) -> int:
    """1 to 8 as EXIF numbers it; 1, upright, where nothing is said."""
    value = tiff.number(tags, tiff.ORIENTATION)
    return value if value is not None and 1 <= value <= 8 else 1


def density(tags: Directory) -> Density | None:
    """As stored; None where nothing is said."""
    across, down = tiff.fraction(tags, tiff.X_RESOLUTION), tiff.fraction(tags, tiff.Y_RESOLUTION)
    unit = tiff.number(tags, tiff.RESOLUTION_UNIT) if tiff.RESOLUTION_UNIT in tags else _INCH
    inch = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(unit or 0)
    return (float(across) * inch, float(down) * inch) if inch and across and down else None


def cleaned(tags: Directory, turned: int) -> Directory:
    """The tags of a picture that was turned upright from orientation `turned` and changed.

    Thumbnails and the maker's note, which may hold a picture too, stay away: they would still show the face as it was.
    """
    kept = {tag: value for tag, value in tags.items() if tag in _DESCRIBING}
    within = kept.get(tiff.EXIF)
    if isinstance(within, dict):
        kept[tiff.EXIF] = {
            tag: value
            for tag, value in within.items()
            if tag != tiff.MAKER_NOTE and (isinstance(value, dict) or len(value.data) < _LONGEST)
        }
    if turned >= 5:
        _swap(kept, tiff.X_RESOLUTION, tiff.Y_RESOLUTION)
    return kept


def _swap(tags: Directory, one: int, other: int) -> None:
    if one in tags and other in tags:
        tags[one], tags[other] = tags[other], tags[one]
