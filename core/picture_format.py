"""The kinds of picture files: what they are called, how their files begin."""

import re
from enum import Enum

Density = tuple[float, float]
"""Pixels per inch, across and down."""


class PictureFormat(Enum):
    """A kind of picture; its value is its name."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    AVIF = "AVIF"
    HEIC = "HEIC"
    TIFF = "TIFF"
    BMP = "BMP"

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of its files, the usual one first."""
        return _SUFFIXES[self]


_SUFFIXES = {
    PictureFormat.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    PictureFormat.PNG: (".png", ".apng"),
    PictureFormat.WEBP: (".webp",),
    PictureFormat.AVIF: (".avif",),
    PictureFormat.HEIC: (".heic", ".heif", ".hif"),
    PictureFormat.TIFF: (".tif", ".tiff"),
    PictureFormat.BMP: (".bmp", ".dib"),
}
_BEGINNINGS = {
    PictureFormat.JPEG: rb"\xff\xd8\xff",
    PictureFormat.PNG: rb"\x89PNG\r\n\x1a\n",
    PictureFormat.WEBP: rb"RIFF....WEBP",
    PictureFormat.AVIF: rb"....ftyp(avif|avis|mif1....(....){0,8}avif)",
    PictureFormat.HEIC: rb"....ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)",
    PictureFormat.TIFF: rb"II[*+]\0|MM\0[*+]",
    PictureFormat.BMP: rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
}
_MATCHES = {kind: re.compile(beginning, re.DOTALL) for kind, beginning in _BEGINNINGS.items()}
HEAD = 64
"""So many bytes of a file tell its kind."""

WRITABLE = tuple(kind for kind in PictureFormat if kind is not PictureFormat.HEIC)
"""HEVC is encoded into no picture here: JPEG is what others are given in its place everywhere."""
READABLE_SUFFIXES = frozenset(suffix for kind in PictureFormat for suffix in kind.suffixes)
"""What is taken for a picture by its name alone."""
WRITABLE_SUFFIXES = frozenset(suffix for kind in WRITABLE for suffix in kind.suffixes)


def seen_in(head: bytes) -> PictureFormat | None:
    """What a file is by its first `HEAD` bytes; None for what is no picture that is known."""
    return next((kind for kind, match in _MATCHES.items() if match.match(head)), None)


def named(suffix: str) -> PictureFormat | None:
    """What a file says it is, by the end of its name (".JPG"); None for what is no picture's."""
    return next((kind for kind in PictureFormat if suffix.lower() in kind.suffixes), None)


def in_words(kinds: tuple[PictureFormat, ...] = tuple(PictureFormat), joint: str = "and") -> str:
    """Their names for people: "JPEG, PNG and BMP"."""
    names = [kind.value for kind in kinds]
    return f"{', '.join(names[:-1])} {joint} {names[-1]}"
