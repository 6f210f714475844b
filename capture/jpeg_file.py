"""What a JPEG file says of its picture before it is decoded (ITU-T T.81, annex B)."""

import re
import struct
from collections.abc import Iterator

import cv2
import numpy as np

from ..core.picture_format import Density
from ..core.settings import Size

# The luminance table of annex K in zigzag order, which the usual encoders scale by their quality.
_LUMINANCE = np.array([
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58,
    51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103,
    62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
])  # fmt: skip
_SAMPLINGS = {
    0x11: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    0x12: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    0x41: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
    0x21: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    0x22: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without content."""
_SCAN, _END, _TABLE, _JFIF = 0xDA, 0xD9, 0xDB, 0xE0
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In a scan: neither a byte that is 255 (255, 0) nor where it may be taken up again (208 to 215)."""


class JpegFile:
    """A file's segments; of what is no JPEG there are none."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._segments = list(_segments(content))

    @property
    def size(self) -> Size | None:
        """(width, height) as stored; None where it does not tell."""
        if len(self._frame) < 5:
            return None
        height, width = struct.unpack_from(">HH", self._frame, 1)
        return width, height

    @property
    def quality(self) -> int | None:
        """As the usual encoders count it, 1 to 100; None where it does not tell."""
        for marker, table in self._segments:
            if marker == _TABLE and len(table) >= 65 and table[0] == 0:
                percent = float(np.mean(np.frombuffer(table[1:65], np.uint8) * 100.0 / _LUMINANCE))
                quality = 5000 / percent if percent > 100 else (200 - percent) / 2
                return int(np.clip(round(quality), 1, 100))
        return None

    @property
    def coding(self) -> tuple[int, ...]:
        """The sampling of its colours and whether it comes line by line or finer and finer, as OpenCV's encoder takes
        it."""
        head, found = self._frame, []
        if len(head) > 8 and head[5] == 3 and head[7] in _SAMPLINGS:
            found += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLINGS[head[7]]]
        if any(marker in _PROGRESSIVE for marker, _ in self._segments):
            found += [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
        return tuple(found)

    @property
    def four_inks(self) -> bool:
        """It has the colours of a press."""
        return self._frame[5:6] == b"\4"

    @property
    def bits(self) -> int:
        """Of a colour: 8, 12 or, of a lossless one, up to 16; 0 where there is no picture."""
        return self._frame[0] if self._frame else 0

    @property
    def density(self) -> Density | None:
        """None where it does not tell, or tells of shapes only."""
        for marker, head in self._segments:
            if marker == _JFIF and head[:5] == b"JFIF\0" and len(head) >= 12:
                unit, across, down = struct.unpack_from(">BHH", head, 7)
                inch = {1: 1.0, 2: 2.54}.get(unit)
                return (across * inch, down * inch) if inch and across and down else None
        return None

    @property
    def followed(self) -> bool:
        """Something comes after the picture: further ones, or a film of the moment, as phones append them."""
        return bool(self._segments) and bool(self._content[_end(self._content) :].rstrip(b"\0"))

    @property
    def _frame(self) -> bytes:
        return next((head for marker, head in self._segments if marker in _FRAMES and len(head) > 5), b"")


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of what comes before the first scan."""
    for marker, at, end in _marked(content):
        if marker == _SCAN:
            return
        yield marker, content[at:end]


def _marked(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, place of its content, end of it) of all segments, scans with their pixels."""
    at = 2
    while content[:2] == b"\xff\xd8" and at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        if marker == _END:
            return
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        yield marker, at + 4, end
        if marker == _SCAN:
            found = _MARKER.search(content, end)
            end = found.start() if found else len(content)
        at = end


def _end(content: bytes) -> int:
    """Where the picture ends; the end of the file for one that is cut off."""
    last = 2
    for _, _, end in _marked(content):
        last = end
    found = content.find(bytes((0xFF, _END)), last)
    return len(content) if found < 0 else found + 2
