"""Pictures into files: whole or absent."""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..core import tiff
from ..core.errors import DeviceLostError, MissingInputError, UsageError
from ..core.metadata import Metadata
from ..core.picture_format import WRITABLE_SUFFIXES, PictureFormat, named
from . import annotate

QUALITY = 95
"""Of JPEG, WebP and AVIF where the original does not tell, 0 to 100."""
_NO_ALPHA = frozenset({PictureFormat.JPEG, PictureFormat.BMP})
_BITS = {PictureFormat.JPEG: 8, PictureFormat.BMP: 8, PictureFormat.WEBP: 8, PictureFormat.AVIF: 10}
"""What fits, where it is less than 16."""
_LOSSLESS_WEBP = 101
_BY_OPENCV = {
    PictureFormat.PNG: (cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_CICP),
    PictureFormat.WEBP: (cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP),
    PictureFormat.AVIF: (cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP),
}
"""What it writes beside the pixels; the rest is put in afterwards."""
_DENSE_BY_EXIF = frozenset({PictureFormat.WEBP, PictureFormat.AVIF})


def save(
    path: Path,
    pixels: Any,
    metadata: Metadata | None = None,
    *,
    quality: int | None = None,
    coding: Sequence[int] = (),
    lossless: bool = False,
) -> tuple[str, ...]:
    """Writes a picture (uint8 or uint16; grey, BGR or BGRA) in the format of its suffix, whole or not at all.

    coding: what else its encoder should know, as OpenCV takes it.
    Returns what the format could not keep, a line each. Raises UsageError for a suffix that is no picture's,
    MissingInputError for a folder that is not there, DeviceLostError for a full disk.
    """
    kind = named(path.suffix)
    if kind is None or path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UsageError(
            f"{path} is no kind of picture that is written",
            f"its name ends with {', '.join(sorted(WRITABLE_SUFFIXES))}",
        )
    lost = []
    if kind in _NO_ALPHA and pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _on_white(pixels)
        lost.append(f"{kind.value} has no transparency: it was laid on white")
    if pixels.dtype == np.uint16 and (bits := _BITS.get(kind)):
        if bits == 8:
            pixels = (pixels // 257).astype(np.uint8)
        lost.append(f"{kind.value} has {bits} bits")
    if (metadata := metadata or Metadata()).profile[16:20] == b"GRAY" and pixels.ndim == 3:
        metadata = replace(metadata, profile=b"")
        lost.append("its colour profile is for greys and was left out")
    metadata, missing = _fitting(kind, _sized(metadata, pixels))
    if missing:
        lost.append(f"{kind.value} has no room for {' and '.join(missing)}")
    params = [*_params(kind, pixels, quality, lossless=lossless), *coding]
    content = _encoded(kind, pixels, metadata, params)
    if content is None and metadata.profile:  # libpng refuses a picture for a profile that it finds at fault
        content = _encoded(kind, pixels, replace(metadata, profile=b""), params)
        lost.append("its colour profile is damaged, or not for such pixels, and was left out")
    if content is None:
        raise UsageError(f"a picture of {pixels.shape[1]}x{pixels.shape[0]} does not fit into {kind.value}")
    write(path, content)
    return tuple(lost)


def _fitting(kind: PictureFormat, metadata: Metadata) -> tuple[Metadata, list[str]]:
    """What the format can hold, and what it cannot, in words."""
    bare, jpeg = kind is PictureFormat.BMP, kind is PictureFormat.JPEG
    numbers = kind in (PictureFormat.PNG, PictureFormat.AVIF)
    long = annotate.long_for_jpeg(metadata) if jpeg else frozenset[str]()
    cannot: dict[str, tuple[str, Any, bool]] = {
        "EXIF": ("tags", {}, bare or "tags" in long),
        "XMP": ("xmp", b"", bare or "xmp" in long),
        "a colour profile": ("profile", b"", bare or "profile" in long),
        "colours by number": ("colours", b"", not numbers),
        "a gamma": ("light", {}, kind is not PictureFormat.PNG),
    }
    left = {
        words: (name, empty) for words, (name, empty, no) in cannot.items() if no and getattr(metadata, name)
    }
    missing = [words for words in left if words != "colours by number" or not metadata.profile]
    return replace(metadata, **dict(left.values())), missing


def _sized(metadata: Metadata, pixels: Any) -> Metadata:
    """EXIF that says a size says that of these pixels."""
    within = metadata.tags.get(tiff.EXIF)
    if not isinstance(within, dict):
        return metadata
    height, width = pixels.shape[:2]
    sizes = {tiff.PIXEL_WIDTH: width, tiff.PIXEL_HEIGHT: height}
    said = {tag: tiff.long(size) for tag, size in sizes.items() if tag in within}
    return replace(metadata, tags={**metadata.tags, tiff.EXIF: {**within, **said}})


def _params(kind: PictureFormat, pixels: Any, quality: int | None, *, lossless: bool) -> list[int]:
    value = QUALITY if quality is None else quality
    match kind:
        case PictureFormat.JPEG:
            return [cv2.IMWRITE_JPEG_QUALITY, value]
        case PictureFormat.PNG:
            return [cv2.IMWRITE_PNG_COMPRESSION, 3]
        case PictureFormat.WEBP:
            return [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS_WEBP if lossless else value]
        case PictureFormat.AVIF:
            deep = [cv2.IMWRITE_AVIF_DEPTH, 10] if pixels.dtype == np.uint16 else []
            return [cv2.IMWRITE_AVIF_QUALITY, value, *deep]
        case _:
            return []


def _encoded(kind: PictureFormat, pixels: Any, metadata: Metadata, params: list[int]) -> bytes | None:
    """None where the format does not take it."""
    tags = annotate.dense(metadata.tags, metadata.density) if kind in _DENSE_BY_EXIF else metadata.tags
    blocks = {
        cv2.IMAGE_METADATA_EXIF: tiff.write(tags, metadata.order) if tags else b"",
        cv2.IMAGE_METADATA_XMP: metadata.xmp,
        cv2.IMAGE_METADATA_ICCP: metadata.profile,
        cv2.IMAGE_METADATA_CICP: metadata.colours,
    }
    by_opencv = {name: block for name, block in blocks.items() if block and name in _BY_OPENCV.get(kind, ())}
    if kind is PictureFormat.AVIF and pixels.dtype == np.uint16:
        pixels = pixels >> 6
    content = _written(kind.suffixes[0], pixels, by_opencv, params)
    return content and _annotated(kind, content, metadata)


def _written(suffix: str, pixels: Any, blocks: dict[int, bytes], params: list[int]) -> bytes | None:
    """As OpenCV writes it."""
    if blocks:
        raw = [np.frombuffer(block, np.uint8) for block in blocks.values()]
        done, content = cv2.imencodeWithMetadata(suffix, pixels, list(blocks), raw, params)
    else:
        done, content = cv2.imencode(suffix, pixels, params)
    return np.asarray(content).tobytes() if done else None


def _annotated(kind: PictureFormat, content: bytes, metadata: Metadata) -> bytes:
    """With what OpenCV does not write."""
    match kind:
        case PictureFormat.JPEG:
            return annotate.jpeg(content, metadata)
        case PictureFormat.PNG:
            return annotate.png(content, metadata)
        case PictureFormat.TIFF:
            return annotate.tiff_file(content, metadata)
        case PictureFormat.AVIF:
            return annotate.avif(content, metadata)
        case PictureFormat.BMP:
            return annotate.bmp(content, metadata.density) if metadata.density else content
        case _:
            return content


def _on_white(pixels: Any) -> Any:
    most = np.float32(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., 3:].astype(np.float32) / most
    return np.rint(pixels[..., :3] * alpha + most * (1 - alpha)).astype(pixels.dtype)


def write(path: Path, content: bytes) -> None:
    """Writes a file as a whole or not at all. Raises MissingInputError or DeviceLostError."""
    part = path.with_name(f".{path.name}-{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except FileNotFoundError:
        raise MissingInputError(f"there is no folder {path.parent}", "create it or save elsewhere") from None
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise MissingInputError(f"cannot write {path}: {error.strerror}", "save elsewhere") from None
        raise DeviceLostError(
            f"{path} could not be written: {error.strerror}", "free some space there"
        ) from error
    finally:
        with suppress(OSError):  # a disk that is read only says so once more
            part.unlink()
