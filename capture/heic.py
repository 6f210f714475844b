"""HEIC pictures, as phones take them: HEVC in HEIF, mostly as a grid of tiles. Decoded by FFmpeg, tile by tile."""

import struct
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import av
import cv2
import numpy as np
from av.codec.context import CodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from ..core.settings import Size
from .heif import DAMAGED, Heif, Properties
from .unreadable import UnreadableError

Deep = NDArray[np.uint8] | NDArray[np.uint16]

_ALPHA = (b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
_EXACT = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.FULL_CHR_H_INT
)
_BT601, _BT2020, _RGB = 6, 9, 0
"""ITU-T H.273's matrices; the first is what HEIF means where nobody said, the last is none: green, blue, red."""
_SCALED = frozenset({1, 4, 5, 6, 7, 9})
"""The matrices that swscale computes."""
MOST_PIXELS = 1 << 30
"""As OpenCV has it for all other kinds."""


def decode(file: Heif) -> Deep:
    """The picture as stored, before it is turned: height x width x 3 or, with alpha, 4, in BGR; 8 bits, or 16 where it
    has more. Any thread.

    Raises UnreadableError.
    """
    try:
        colours = _colours(_picture(file, file.main), file.said)
        alpha = next((n for n in file.naming(file.main, b"auxl") if _is_alpha(file, n)), None)
        if alpha is not None:
            veil = _veil(_picture(file, alpha))
            height, width = colours.shape[:2]
            if veil.shape != (height, width):
                veil = cv2.resize(veil, (width, height))
            if veil.dtype != colours.dtype:
                veil, colours = _deep(veil), _deep(colours)
            colours = np.dstack([colours, veil])
        return np.ascontiguousarray(_cropped(colours, file.said))
    except (*DAMAGED, av.FFmpegError):
        raise UnreadableError from None


def _picture(file: Heif, item: int) -> tuple[VideoFrame, Size]:
    """One item as its planes, and how much of it is the picture: the last tiles of a grid may be larger than that."""
    kind = file.kinds[item]
    if kind == b"hvc1":
        (frame,) = _decoded(file, [item])
        return frame, (frame.width, frame.height)
    if kind == b"iden":  # another one; what is said of this one alone was all that made it new
        (other,) = file.named_by(item, b"dimg")
        if file.kinds[other] == b"iden":
            raise ValueError("derived twice")
        return _picture(file, other)
    if kind != b"grid":
        raise UnreadableError(
            f"is a HEIC of a kind that is not read ({kind.decode('latin-1')})", "save it as JPEG"
        )
    layout = file.data(item)
    rows, columns = layout[2] + 1, layout[3] + 1
    size: Size = struct.unpack_from(">II" if layout[1] & 1 else ">HH", layout, 4)
    tiles = file.named_by(item, b"dimg")
    if len(tiles) != rows * columns:
        raise ValueError(f"{len(tiles)} of {rows * columns} tiles")
    if any(file.kinds.get(tile) != b"hvc1" for tile in tiles):
        raise UnreadableError("has tiles that are no HEVC", "save it as JPEG")
    return _joined(_decoded(file, tiles), (rows, columns), size), size


def _decoded(file: Heif, items: list[int]) -> Iterator[VideoFrame]:
    """Items one after another. Each begins with a key frame, so that one decoder does for all of the same settings."""

    def said(item: int) -> tuple[bytes, Size]:
        properties = file.properties(item)
        return properties[b"hvcC"], struct.unpack_from(">II", properties[b"ispe"], 4)

    for (settings, (width, height)), group in groupby(items, said):
        decoder: Any = CodecContext.create("hevc", "r")
        decoder.extradata = settings
        decoder.thread_count = 1  # pictures are read side by side
        # A picture that is larger than its file says was let in by mistake; it is coded in blocks of up to 64.
        decoder.options = {"max_pixels": str((width + 64) * (height + 64))}
        wanted = found = 0
        for item in group:
            wanted += 1
            for frame in decoder.decode(av.Packet(file.data(item))):
                found += 1
                yield frame
        for frame in decoder.decode(None):
            found += 1
            yield frame
        if found != wanted:
            raise ValueError("a tile is missing")


def _joined(tiles: Iterator[VideoFrame], shape: tuple[int, int], size: Size) -> VideoFrame:
    """Tiles beside and below each other. As planes, so that colours are interpolated across their borders."""
    (rows, columns), whole = shape, None
    for n, tile in enumerate(tiles):
        width, height, form = tile.width, tile.height, tile.format.name
        if whole is None:
            across, down = (width * (columns - 1), width * columns), (height * (rows - 1), height * rows)
            if not (across[0] < size[0] <= across[1] and down[0] < size[1] <= down[1]):
                raise ValueError("the tiles do not cover it")
            if across[1] * down[1] > MOST_PIXELS:
                raise ValueError("its tiles are too many")
            whole = VideoFrame(across[1], down[1], form)
            whole.colorspace, whole.color_range = tile.colorspace, tile.color_range
        if (width * columns, height * rows, form) != (whole.width, whole.height, whole.format.name):
            raise ValueError("the tiles differ")
        row, column = divmod(n, columns)
        for to, from_ in zip(_planes(whole), _planes(tile), strict=True):
            high, wide = from_.shape
            to[row * high : (row + 1) * high, column * wide : (column + 1) * wide] = from_
    assert whole is not None, "no tile"
    return whole


def _colours(found: tuple[VideoFrame, Size], said: Properties) -> Any:
    """BGR by the matrix and range that the file says, else the stream, else what HEIF means without either."""
    frame, (width, height) = found
    matrix = int(frame.colorspace)
    full = int(frame.color_range) != ColorRange.MPEG or frame.format.name.startswith("yuvj")
    if (numbers := said.get(b"nclx", b"")) and len(numbers) >= 11:
        matrix, full = struct.unpack_from(">H", numbers, 8)[0], bool(numbers[10] & 0x80)
    if matrix == _RGB and len(frame.planes) == 3 and frame.format.components[1].width == frame.width:
        green, blue, red = (_scaled(plane, _depth(frame)) for plane in _planes(frame))
        return np.dstack([blue, green, red])[:height, :width]
    deep = _depth(frame) > 8
    if not frame.format.is_rgb:
        frame.colorspace = matrix if matrix in _SCALED else _BT2020 if matrix == 10 else _BT601
    image = VideoReformatter().reformat(
        frame,
        # swscale makes noise of 4:2:0 as `bgr48le`.
        format="gbrp16le" if deep else "bgr24",
        src_colorspace=int(frame.colorspace),
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_EXACT,
        threads=1,
    )
    pixels = image.to_ndarray()[:height, :width]
    return pixels[..., ::-1] if deep else pixels


def _veil(found: tuple[VideoFrame, Size]) -> Any:
    """How opaque each pixel is: the brightness of a picture."""
    frame, (width, height) = found
    return _scaled(_planes(frame)[0], _depth(frame))[:height, :width]


def _cropped(pixels: Any, said: Properties) -> Any:
    """The part that is to be seen (`clap`): its size, and how far its middle is off."""
    if len(said.get(b"clap", b"")) < 32:
        return pixels
    above = struct.unpack(">8i", said[b"clap"][:32])
    wide, high, right, down = (n / d for n, d in zip(above[::2], above[1::2], strict=True))
    height, width = pixels.shape[:2]
    x, y = round((width - wide) / 2 + right), round((height - high) / 2 + down)
    if min(x, y) < 0 or x + wide > width or y + high > height or min(wide, high) < 1:
        return pixels
    return pixels[y : y + int(high), x : x + int(wide)]


def _is_alpha(file: Heif, item: int) -> bool:
    return file.properties(item).get(b"auxC", b"")[4:].split(b"\0")[0] in _ALPHA


def _depth(frame: VideoFrame) -> int:
    return frame.format.components[0].bits


def _scaled(plane: Any, depth: int) -> Any:
    """Numbers of `depth` bits as 8 or 16."""
    if depth <= 8:
        return plane
    return np.rint(plane * np.float32(65535 / ((1 << depth) - 1))).astype(np.uint16)


def _deep(pixels: Any) -> Any:
    return pixels.astype(np.uint16) * np.uint16(257) if pixels.dtype == np.uint8 else pixels


def _planes(frame: VideoFrame) -> list[Any]:
    """The memory of its planes, without what pads their lines."""
    form, planes = np.uint16 if _depth(frame) > 8 else np.uint8, []
    for plane in frame.planes:
        memory: Any = plane
        lines = np.frombuffer(memory, np.uint8).reshape(plane.height, plane.line_size)
        planes.append(lines.view(form)[:, : plane.width])
    return planes
