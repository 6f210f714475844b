"""Picture files as they are: upright pixels, and beside them all that is to come back when they are written."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadInputError, MissingInputError
from ..core.frame import Pixels
from . import avif, exif
from .still import FORMATS

Deep = NDArray[np.uint8] | NDArray[np.uint16]

EXIF, XMP, ICC = cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP
# EXIF's eight orientations, as what turns the stored picture upright: first a turn, then a mirror.
_TURNS = {3: cv2.ROTATE_180, 4: cv2.ROTATE_180, 5: cv2.ROTATE_90_CLOCKWISE, 6: cv2.ROTATE_90_CLOCKWISE,
          7: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}  # fmt: skip
_MIRRORED = frozenset({2, 4, 5, 7})
# The luminance table of JPEG's annex K in zigzag order, which the usual encoders scale by their quality.
_LUMINANCE = np.array([
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58,
    51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103,
    62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
])  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A picture that was read."""

    pixels: Pixels
    """BGR, upright."""
    stored: Deep
    """Upright, with its own depth (8 or 16 bits) and channels (1, 3, or 4 with alpha): height x width (x n)."""
    metadata: dict[int, bytes]
    """EXIF (upright, without what shows the original), XMP and the colour profile, by OpenCV's kinds."""
    quality: int | None
    """Of a JPEG, as the usual encoders count it; None where a file does not tell."""
    sampling: int | None
    """Of a JPEG's colours, as OpenCV's encoder takes it."""
    lossless: bool
    single: bool = True
    """There is nothing else in the file that shows something: no further pages, no film after the picture."""
    remarks: tuple[str, ...] = ()
    """What of it is not in `stored`."""

    def with_changes(self, pixels: Pixels) -> Deep:
        """`pixels` (BGR, 8 bits) with the depth and the alpha of the original.

        What was not changed keeps all its bits, and a grey picture that was left grey stays one.
        """
        if pixels.shape != self.pixels.shape:
            return pixels
        deep = self.stored.dtype == np.uint16
        new: Any = pixels.astype(np.uint16) * np.uint16(257) if deep else pixels
        if deep:
            same = (pixels == self.pixels).all(axis=2, keepdims=True)
            new = np.where(same, _colours(self.stored), new)
        if self.stored.ndim == 2:
            grey = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
            return np.ascontiguousarray(new[..., 0]) if grey else new
        if self.stored.shape[2] == 4:
            new = np.concatenate([new, self.stored[..., 3:]], axis=2)
        return np.ascontiguousarray(new)


def load(path: Path) -> Original:
    """Reads JPEG, PNG, WebP, AVIF, TIFF or BMP. Raises MissingInputError or BadInputError."""
    content = _content(path)
    stored: Any
    try:
        stored, kinds, blocks = cv2.imdecodeWithMetadata(
            np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_ANYDEPTH
        )
    except cv2.error:  # more pixels than OpenCV allows
        stored, kinds, blocks = None, (), ()
    if stored is None or not stored.size:
        if cv2.haveImageReader(str(path)):  # it begins as a picture does
            raise BadInputError(f"picture {path} is damaged", "get it anew")
        raise BadInputError(f"{path} is no picture", f"{FORMATS} work")
    if stored.dtype not in (np.uint8, np.uint16):
        raise BadInputError(f"picture {path} has {stored.dtype} pixels", "save it with 8 or 16 bits")
    metadata = {int(k): np.asarray(b).tobytes() for k, b in zip(kinds, blocks, strict=True)}
    tags, described = exif.beside(content), avif.properties(content)
    if described:
        metadata |= {ICC: avif.profile(described)}
    metadata |= {kind: tags[tag] for kind, tag in ((ICC, exif.PROFILE), (XMP, exif.XMP)) if tag in tags}
    turned = avif.orientation(described) if described else exif.orientation(metadata.get(EXIF, b""))
    stored = upright(stored, turned)
    if stored.ndim == 3 and stored.shape[2] == 2:  # grey with alpha
        stored = np.concatenate([np.repeat(stored[..., :1], 3, axis=2), stored[..., 1:]], axis=2)
    colours = _colours(stored)
    pixels = colours if colours.dtype == np.uint8 else ((colours + np.uint32(128)) // 257).astype(np.uint8)
    return Original(
        np.ascontiguousarray(pixels),
        stored,
        _kept(metadata),
        _jpeg_quality(content),
        _jpeg_sampling(content),
        b"VP8L" in content[:64] if content[8:12] == b"WEBP" else False,
        single=(count := exif.pages(content)) == 1 and not _followed(content),
        remarks=_remarks(count, content),
    )


def animated(path: Path) -> bool:
    """A WebP, PNG or AVIF that moves; False also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    if head[8:12] == b"WEBP":
        return head[12:16] == b"VP8X" and bool(head[20] & 0x02)
    return (head[:4] == b"\x89PNG" and b"acTL" in head.split(b"IDAT", 1)[0]) or head[4:12] == b"ftypavis"


def upright(pixels: Any, turned: int) -> Any:
    """A picture with EXIF orientation `turned` (1 to 8), turned and mirrored as it is meant."""
    if turned in _TURNS:
        pixels = cv2.rotate(pixels, _TURNS[turned])
    return cv2.flip(pixels, 1) if turned in _MIRRORED else pixels


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingInputError(f"picture {path}", "there is no such file") from None
    except IsADirectoryError:
        raise MissingInputError(f"picture {path}", "that is a folder; name a file in it") from None
    except OSError as error:
        raise MissingInputError(f"picture {path}", f"it cannot be read ({error.strerror})") from None


def _followed(content: bytes) -> bool:
    """Something comes after a JPEG: phones append a film of the moment."""
    return content[:2] == b"\xff\xd8" and not content.rstrip(b"\0").endswith(b"\xff\xd9")


def _remarks(pages: int, content: bytes) -> tuple[str, ...]:
    remarks = []
    if pages > 1:
        remarks.append(f"the original has {pages} pages: the first is processed, the others are left out")
    if any(0xC0 <= kind <= 0xC2 and head[5:6] == b"\4" for kind, head in _segments(content)):
        remarks.append("the four inks of the original became red, green and blue, without its colour profile")
    return tuple(remarks)


def _colours(stored: Deep) -> Any:
    return np.repeat(stored[..., None], 3, axis=2) if stored.ndim == 2 else stored[..., :3]


def _kept(metadata: dict[int, bytes]) -> dict[int, bytes]:
    kept = {}
    if block := exif.cleaned(metadata.get(EXIF, b"")):
        kept[EXIF] = block
    xmp = metadata.get(XMP, b"").removeprefix(b"http://ns.adobe.com/xap/1.0/\0")  # as JPEG has it
    if xmp and b"xmpGImg" not in xmp:  # a thumbnail of the original
        kept[XMP] = xmp
    profile = metadata.get(ICC, b"")
    if profile[16:20] in (b"RGB ", b"GRAY"):  # a picture of four inks was made RGB when it was read
        kept[ICC] = profile
    return kept


def _segments(content: bytes) -> list[tuple[int, bytes]]:
    """(marker, content) of a JPEG's segments before its picture; empty for other files."""
    found: list[tuple[int, bytes]] = []
    at = 2
    while content[:2] == b"\xff\xd8" and at + 4 <= len(content) and content[at] == 0xFF:
        marker, (size,) = content[at + 1], struct.unpack_from(">H", content, at + 2)
        if marker == 0xDA:
            break
        found.append((marker, content[at + 4 : at + 2 + size]))
        at += 2 + size
    return found


def _jpeg_quality(content: bytes) -> int | None:
    for marker, table in _segments(content):
        if marker == 0xDB and len(table) >= 65 and table[0] == 0:
            percent = float(np.mean(np.frombuffer(table[1:65], np.uint8) * 100.0 / _LUMINANCE))
            quality = 5000 / percent if percent > 100 else (200 - percent) / 2
            return int(np.clip(round(quality), 1, 100))
    return None


def _jpeg_sampling(content: bytes) -> int | None:
    known = {
        0x11: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        0x21: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
        0x22: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    }
    for marker, head in _segments(content):
        if 0xC0 <= marker <= 0xC2 and len(head) > 7:
            return known.get(head[7])
    return None
