"""Picture files as they are stored, one kind after another: pixels, and what else there is in the file."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core import tiff
from ..core.metadata import Metadata
from ..core.picture_format import HEAD, PictureFormat
from . import exif, heic, heif
from .dimensions import dimensions
from .heif import Heif
from .jpeg_file import JpegFile
from .png_file import INCH, PngFile
from .unreadable import UnreadableError

Deep = NDArray[np.uint8] | NDArray[np.uint16]

MOST_PIXELS = 1 << 30
"""What OpenCV reads."""
_INKS = "the four inks of the original became red, green and blue, without its colour profile"
_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_MIME_XMP = b"application/rdf+xml"
_SUBFILE, _BITS, _PACKED, _PHOTOMETRIC, _SAMPLE_FORMAT, _DNG = 254, 258, 259, 262, 339, 50706
_SEPARATED, _FLOAT, _LAB = 5, 3, (8, 9, 10)
"""Of TIFF: tags, and what they say of four inks, of fractions, of CIELab."""
_PACKINGS = frozenset({
    cv2.IMWRITE_TIFF_COMPRESSION_NONE, cv2.IMWRITE_TIFF_COMPRESSION_LZW, cv2.IMWRITE_TIFF_COMPRESSION_ADOBE_DEFLATE,
    cv2.IMWRITE_TIFF_COMPRESSION_PACKBITS,
})  # fmt: skip
"""Of TIFFs, that lose nothing of any picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What is in a file."""

    pixels: Deep
    """Not yet turned: height x width, or BGR or BGRA."""
    metadata: Metadata
    """As it is in the file; a density that only EXIF tells is found in its tags."""
    turned: int = 1
    """As EXIF numbers orientations."""
    quality: int | None = None
    coding: tuple[int, ...] = ()
    lossless: bool = False
    pages: int = 1
    followed: bool = False
    """There is something behind the picture."""
    remarks: tuple[str, ...] = ()
    """What of the file is not here."""


def read(content: bytes, kind: PictureFormat) -> Stored:
    """What is in a picture file of this kind. Any thread. Raises UnreadableError."""
    if (size := dimensions(content)) and size[0] * size[1] > MOST_PIXELS:
        raise UnreadableError(f"has {size[0]}x{size[1]} pixels", "make it smaller")
    return _READERS[kind](content)


def _jpeg(content: bytes) -> Stored:
    file = JpegFile(content)
    if file.bits > 8:
        raise UnreadableError(f"has {file.bits} bits a colour", "save it as a JPEG with 8, or as PNG")
    pixels, metadata = _decoded(content)
    return Stored(
        pixels,
        replace(metadata, xmp=metadata.xmp.removeprefix(_XMP_IN_JPEG), density=file.density),
        exif.orientation(metadata.tags),
        quality=file.quality,
        coding=file.coding,
        followed=file.followed,
        remarks=(_INKS,) if file.four_inks else (),
    )


def _png(content: bytes) -> Stored:
    pixels, metadata = _decoded(content)
    file = PngFile(content)
    if pixels.ndim == 2 and (clear := file.clear_grey) is not None:
        most = np.iinfo(pixels.dtype).max
        alpha = np.where(pixels == clear, 0, most).astype(pixels.dtype)
        pixels = np.dstack([pixels, pixels, pixels, alpha])
    metadata = replace(metadata, xmp=file.xmp, density=file.density, light=file.light)
    return Stored(pixels, metadata, exif.orientation(metadata.tags))


def _webp(content: bytes) -> Stored:
    pixels, metadata = _decoded(content)
    return Stored(pixels, metadata, exif.orientation(metadata.tags), lossless=b"VP8L" in content[:HEAD])


def _bmp(content: bytes) -> Stored:
    pixels, metadata = _decoded(content)
    across, down = struct.unpack_from("<ii", content, 38) if content[14] >= 40 else (0, 0)
    density = (across * INCH, down * INCH) if across > 0 and down > 0 else None
    return Stored(pixels, replace(metadata, density=density))


def _tiff(content: bytes) -> Stored:
    try:
        tags = tiff.read(content)
    except ValueError:
        raise UnreadableError from None
    if content[8:10] == b"CR" or _DNG in tags or (tiff.number(tags, _SUBFILE) or 0) & 1:
        # What lies open in it is a small preview.
        raise UnreadableError("is a camera's raw data", "develop it first, into a TIFF or JPEG")
    bits, form, ink = (tiff.number(tags, tag) for tag in (_BITS, _SAMPLE_FORMAT, _PHOTOMETRIC))
    if form == _FLOAT or (bits or 1) > 16:
        numbers = "fractions" if form == _FLOAT else "numbers"
        raise UnreadableError(f"has {numbers} of {bits} bits", "save it with 8 or 16 bits")
    if ink in _LAB:  # OpenCV leaves its light as it is, which is yellow on a screen
        raise UnreadableError("is in CIELab", "save it as RGB")
    turned = exif.orientation(tags)
    # OpenCV would turn it by itself, and makes a mess of one in tiles.
    pixels, metadata = _decoded(content if turned == 1 else tiff.patched(content, tiff.ORIENTATION, 1))
    if ink == _SEPARATED and pixels.ndim == 3:
        pixels = pixels[..., :3]  # what would be their opacity is none
    return Stored(
        pixels,
        replace(
            metadata,
            tags=tags,
            order=tiff.order(content),
            xmp=tiff.data(tags, tiff.XMP),
            profile=tiff.data(tags, tiff.PROFILE),
        ),
        turned,
        coding=(cv2.IMWRITE_TIFF_COMPRESSION, packed)
        if (packed := tiff.number(tags, _PACKED)) in _PACKINGS
        else (),
        pages=tiff.pages(content),
        remarks=(_INKS,) if ink == _SEPARATED else (),
    )


def _avif(content: bytes) -> Stored:
    pixels, metadata = _decoded(content)
    try:
        file = Heif(content)
        said, turned = file.said, heif.orientation(file.said)
        metadata = replace(
            metadata,
            xmp=file.described_by(_MIME_XMP),
            profile=heif.profile(said),
            colours=heif.colours(said),
        )
        most = (1 << heif.depth(said)) - 1
    except heif.DAMAGED:
        raise UnreadableError from None
    if pixels.dtype == np.uint16:  # OpenCV leaves 10 or 12 bits as they are
        pixels = np.rint(np.minimum(pixels, most) * np.float32(65535 / most)).astype(np.uint16)
    return Stored(pixels, metadata, turned)


def _heic(content: bytes) -> Stored:
    try:
        file = Heif(content)
        turned = heif.orientation(file.said)
        block = file.described_by(b"Exif")
        tags, order = exif.of_block(block[4 + struct.unpack_from(">I", block)[0] :]) if block else ({}, "<")
        metadata = Metadata(
            tags, order, file.described_by(_MIME_XMP), heif.profile(file.said), heif.colours(file.said)
        )
    except heif.DAMAGED:
        raise UnreadableError from None
    return Stored(heic.decode(file), metadata, turned)


_READERS: dict[PictureFormat, Callable[[bytes], Stored]] = {
    PictureFormat.JPEG: _jpeg,
    PictureFormat.PNG: _png,
    PictureFormat.WEBP: _webp,
    PictureFormat.AVIF: _avif,
    PictureFormat.HEIC: _heic,
    PictureFormat.TIFF: _tiff,
    PictureFormat.BMP: _bmp,
}


def _decoded(content: bytes) -> tuple[Any, Metadata]:
    """As OpenCV reads it. Raises UnreadableError where it does not."""
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_ANYDEPTH
    pixels: Any
    try:
        pixels, kinds, found = cv2.imdecodeWithMetadata(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        raise UnreadableError from None
    if pixels is None or not pixels.size or pixels.dtype not in (np.uint8, np.uint16):
        raise UnreadableError
    if pixels.ndim == 3 and pixels.shape[2] == 2:  # grey with alpha
        pixels = np.dstack([pixels[..., :1]] * 3 + [pixels[..., 1:]])
    blocks = {int(k): np.asarray(b).tobytes() for k, b in zip(kinds, found, strict=True)}
    tags, order = exif.of_block(blocks.get(cv2.IMAGE_METADATA_EXIF, b""))
    xmp, profile, colours = (
        blocks.get(kind, b"")
        for kind in (cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_CICP)
    )
    return pixels, Metadata(tags, order, xmp, profile, colours)
