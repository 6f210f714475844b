"""What stands beside a picture's pixels in its file."""

from dataclasses import dataclass, field

from .picture_format import Density
from .tiff import Directory


@dataclass(frozen=True, slots=True)
class Metadata:
    """Of one picture; what is not there is empty."""

    tags: Directory = field(default_factory=dict)
    """Of EXIF: its first directory, with those within."""
    order: str = "<"
    """Of the bytes of these in their file, as `struct` has it: a maker's text may depend on it."""
    xmp: bytes = b""
    """A packet, without what a JPEG has before it."""
    profile: bytes = b""
    """ICC."""
    colours: bytes = b""
    """ITU-T H.273's numbers, a byte each: primaries, transfer, matrix (0: RGB), whether all codes are used."""
    light: dict[bytes, bytes] = field(default_factory=dict)
    """{chunk of a PNG: its content} that say which light its codes mean, where it is not sRGB's."""
    density: Density | None = None
