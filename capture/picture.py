"""Pictures to be processed: upright pixels, and beside them all that is to come back when they are written."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..core.errors import BadInputError, MissingInputError
from ..core.frame import Pixels
from ..core.metadata import Metadata
from ..core.picture_format import READABLE_SUFFIXES, PictureFormat, in_words, seen_in
from . import exif
from .picture_file import Deep, read
from .tonemap import HLG, PQ, tone_mapped
from .unreadable import UnreadableError

# EXIF's eight orientations, as what turns the stored picture upright: first a turn, then a mirror.
_TURNS = {3: cv2.ROTATE_180, 4: cv2.ROTATE_180, 5: cv2.ROTATE_90_CLOCKWISE, 6: cv2.ROTATE_90_CLOCKWISE,
          7: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}  # fmt: skip
_MIRRORED = frozenset({2, 4, 5, 7})
_SHOWN_IN_XMP = re.compile(rb"xmpGImg|GImage:Data|GDepth:Data")
"""A thumbnail of the original, or all of it beside a blurred one."""
_TURNED_IN_XMP = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[1-8]")
_LOOKED_AT = 4096
"""Bytes of a file that tell whether it moves."""
_SRGB = frozenset((primaries, transfer) for primaries in (1, 2) for transfer in (1, 2, 6, 13, 14, 15))
"""What a picture without a profile is taken for anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A picture that was read."""

    pixels: Pixels
    """BGR, upright."""
    stored: Deep
    """Upright, with its own depth (8 or 16 bits) and channels (1, 3, or 4 with alpha): height x width (x n)."""
    metadata: Metadata
    """Of the upright picture, without what shows the original."""
    kind: PictureFormat
    """What the file is, whatever its name says."""
    quality: int | None
    """Of a JPEG, as the usual encoders count it; None where a file does not tell."""
    coding: tuple[int, ...]
    """What else the encoder of the same kind should know, as OpenCV takes it: a JPEG's colour sampling, how a TIFF is
    packed."""
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
    """Reads JPEG, PNG, WebP, AVIF, HEIC, TIFF or BMP, whatever the file's name says. Any thread.

    Raises MissingInputError or BadInputError.
    """
    return opened(_content(path), f"picture {path}")


def opened(content: bytes, what: str) -> Original:
    """The picture in a file's content; `what` names it in errors. Any thread. Raises BadInputError."""
    kind = seen_in(content)
    if kind is None:
        raise BadInputError(f"{what} is no picture", f"{in_words()} work")
    try:
        found = read(content, kind)
    except UnreadableError as error:
        raise BadInputError(f"{what} {error.what}", error.remedy) from None
    stored, metadata, remarks = _ordinary(upright(found.pixels, found.turned), found.metadata)
    if found.pages > 1:
        remarks += (f"the original has {found.pages} pages: the first is processed, the others are left out",)
    return Original(
        np.ascontiguousarray(_shallow(_colours(stored))),
        stored,
        _kept(metadata, found.turned),
        kind,
        found.quality,
        found.coding,
        found.lossless,
        single=found.pages == 1 and not found.followed,
        remarks=found.remarks + remarks,
    )


def format_of(path: Path) -> PictureFormat | None:
    """What a picture is by what is in its file; None for what is none, or cannot be read."""
    return seen_in(_head(path))


def is_still(path: Path) -> bool:
    """A picture that does not move: by what is in the file, and by its name where that says nothing."""
    head = _head(path)
    if seen_in(head):
        return not animated(path)
    film = head[:4] == b"GIF8" or head[4:8] == b"ftyp"
    return not film and path.suffix.lower() in READABLE_SUFFIXES


def animated(path: Path) -> bool:
    """A WebP, PNG or AVIF that moves; False also for a file that cannot be read."""
    head = _head(path)
    if head[8:12] == b"WEBP":
        return head[12:16] == b"VP8X" and bool(head[20] & 0x02)
    return (head[:4] == b"\x89PNG" and b"acTL" in head.split(b"IDAT", 1)[0]) or head[4:12] == b"ftypavis"


def upright(pixels: Any, turned: int) -> Any:
    """A picture with EXIF orientation `turned` (1 to 8), turned and mirrored as it is meant."""
    if turned in _TURNS:
        pixels = cv2.rotate(pixels, _TURNS[turned])
    return cv2.flip(pixels, 1) if turned in _MIRRORED else pixels


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT)
    except OSError:
        return b""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingInputError(f"picture {path}", "there is no such file") from None
    except IsADirectoryError:
        raise MissingInputError(f"picture {path}", "that is a folder; name a file in it") from None
    except OSError as error:
        raise MissingInputError(f"picture {path}", f"it cannot be read ({error.strerror})") from None


def _ordinary(stored: Any, metadata: Metadata) -> tuple[Any, Metadata, tuple[str, ...]]:
    """High dynamic range, which the processors do not know, as an ordinary picture of 8 bits."""
    transfer = int.from_bytes(metadata.colours[1:2])
    if metadata.profile or transfer not in (PQ, HLG):
        return stored, metadata, ()
    shallow = _shallow(stored)
    mapped = tone_mapped(np.ascontiguousarray(_colours(shallow)), transfer)
    if shallow.ndim == 3 and shallow.shape[2] == 4:
        mapped = np.dstack([mapped, shallow[..., 3:]])
    return mapped, replace(metadata, colours=b""), ("high dynamic range was tone-mapped to BT.709",)


def _colours(stored: Deep) -> Any:
    return np.repeat(stored[..., None], 3, axis=2) if stored.ndim == 2 else stored[..., :3]


def _shallow(pixels: Any) -> Any:
    """The same with 8 bits."""
    return pixels if pixels.dtype == np.uint8 else ((pixels + np.uint32(128)) // 257).astype(np.uint8)


def _kept(metadata: Metadata, turned: int) -> Metadata:
    """Of a picture that was turned upright from orientation `turned` and changed."""
    density = metadata.density or exif.density(metadata.tags)
    return replace(
        metadata,
        tags=exif.cleaned(metadata.tags, turned),
        xmp=b"" if _SHOWN_IN_XMP.search(metadata.xmp) else _TURNED_IN_XMP.sub(rb"\g<1>1", metadata.xmp),
        # A picture of four inks was made RGB when it was read.
        profile=metadata.profile if metadata.profile[16:20] in (b"RGB ", b"GRAY") else b"",
        colours=b"" if tuple(metadata.colours[:2]) in _SRGB else metadata.colours,
        density=density[::-1] if density and turned >= 5 else density,
    )
