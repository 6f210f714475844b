"""Pictures into files: whole or absent."""

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..core.errors import DeviceLostError, MissingInputError, UsageError
from . import annotate

SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".jpe", ".png", ".tif", ".tiff", ".webp"})
QUALITY = 95
"""Of JPEG, WebP and AVIF where the original does not tell, 0 to 100."""
_NO_ALPHA = frozenset({".jpeg", ".jpg", ".jpe", ".bmp"})
_EIGHT_BITS = frozenset({".jpeg", ".jpg", ".jpe", ".bmp", ".webp", ".avif"})
_ALL = frozenset({cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP})
_BLOCKS = {
    ".tif": frozenset({cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP}),
    ".tiff": frozenset({cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP}),
    ".bmp": frozenset[int](),
    ".avif": frozenset({cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP}),
}
"""What can be written beside the pixels, where it is not all."""
_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_LOSSLESS_WEBP = 101


def save(
    path: Path,
    pixels: Any,
    metadata: Mapping[int, bytes] | None = None,
    *,
    quality: int | None = None,
    sampling: int | None = None,
    lossless: bool = False,
) -> tuple[str, ...]:
    """Writes a picture (uint8 or uint16; grey, BGR or BGRA) in the format of its suffix, whole or not at all.

    Returns what the format could not keep, a line each. Raises UsageError for a suffix that is no picture's,
    MissingInputError for a folder that is not there, DeviceLostError for a full disk.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path} is no kind of picture", f"its name ends with {', '.join(sorted(SUFFIXES))}")
    lost = []
    if suffix in _NO_ALPHA and pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _on_white(pixels)
        lost.append(f"{suffix[1:]} has no transparency: it was laid on white")
    if suffix in _EIGHT_BITS and pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
        lost.append(f"{suffix[1:]} has 8 bits")
    blocks = {k: v for k, v in (metadata or {}).items() if k in _BLOCKS.get(suffix, _ALL)}
    if len(blocks) < len(metadata or {}):
        lost.append(f"not all of EXIF, XMP and colour profile can be written into {suffix[1:]}")
    params = _params(suffix, quality, sampling, lossless=lossless)
    content = _encoded(suffix, pixels, blocks, params)
    if content is None and blocks:  # libpng refuses a picture for a profile that it finds at fault
        lost.append("its colour profile or other metadata is damaged and was left out")
        content = _encoded(suffix, pixels, {}, params)
    if content is None:
        raise UsageError(f"a picture of {pixels.shape[1]}x{pixels.shape[0]} does not fit into {suffix[1:]}")
    write(path, content)
    return tuple(lost)


def _params(suffix: str, quality: int | None, sampling: int | None, *, lossless: bool) -> list[int]:
    value = QUALITY if quality is None else quality
    if suffix in (".jpeg", ".jpg", ".jpe"):
        params = [cv2.IMWRITE_JPEG_QUALITY, value]
        return params if sampling is None else [*params, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    if suffix == ".png":
        return [cv2.IMWRITE_PNG_COMPRESSION, 3]
    if suffix == ".webp":
        return [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS_WEBP if lossless else value]
    return [cv2.IMWRITE_AVIF_QUALITY, value] if suffix == ".avif" else []


def _encoded(suffix: str, pixels: Any, metadata: Mapping[int, bytes], params: list[int]) -> bytes | None:
    raw = dict(metadata)
    if suffix in (".tif", ".tiff"):
        content = _plainly(suffix, pixels, {}, params)
        icc, xmp = (raw.get(kind, b"") for kind in (cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_XMP))
        return content and annotate.tiff(content, icc, xmp) if icc or xmp else content
    if suffix == ".avif" and (profile := raw.pop(cv2.IMAGE_METADATA_ICCP, b"")):
        content = _plainly(suffix, pixels, raw, params)
        return content and annotate.avif(content, profile)
    return _plainly(suffix, pixels, raw, params)


def _plainly(suffix: str, pixels: Any, raw: dict[int, bytes], params: list[int]) -> bytes | None:
    """As OpenCV writes it."""
    kinds = list(raw)
    if suffix in (".jpeg", ".jpg", ".jpe") and cv2.IMAGE_METADATA_XMP in raw:
        raw[cv2.IMAGE_METADATA_XMP] = _XMP_IN_JPEG + raw[cv2.IMAGE_METADATA_XMP]
    blocks = [np.frombuffer(raw[kind], np.uint8) for kind in kinds]
    if kinds:
        done, content = cv2.imencodeWithMetadata(suffix, pixels, kinds, blocks, params)
    else:
        done, content = cv2.imencode(suffix, pixels, params)
    return np.asarray(content).tobytes() if done else None


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
