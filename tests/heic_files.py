"""HEIC files as phones write them, from the encoder up: a grid of HEVC tiles in HEIF."""

import io
import struct
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from faceswapd.core import boxes

TILE = 64


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def encoded(pictures: Sequence[Any], pix_fmt: str = "yuv420p") -> tuple[bytes, list[bytes]]:
    """(the decoder's settings as `hvcC` has them, each picture's units) of BGR pictures of one size."""
    height, width = pictures[0].shape[:2]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as film:
        stream: Any = film.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.options = {
            "x265-params": "keyint=1:crf=4:log-level=none:range=full:colormatrix=smpte170m:info=0"
        }
        for picture in pictures:
            image = VideoFrame.from_ndarray(np.ascontiguousarray(picture), "bgr24").reformat(
                format=pix_fmt, dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG
            )
            film.mux(stream.encode(image))
        film.mux(stream.encode(None))
    content = file.getvalue()
    at = content.index(b"hvcC")
    settings = content[at + 4 : at - 4 + int.from_bytes(content[at - 4 : at])]
    file.seek(0)
    with av.open(file, "r") as made:
        return settings, [bytes(packet) for packet in made.demux(video=0) if packet.size]


def heic(
    pixels: Any,
    *,
    turns: int = 0,
    profile: bytes = b"",
    exif: bytes = b"",
    xmp: bytes = b"",
    alpha: Any = None,
    pix_fmt: str = "yuv420p",
    numbers: tuple[int, int, int] = (1, 13, 6),
) -> bytes:
    """A picture (BGR, 8 bits) in tiles of 64, stored as it is and to be turned by `turns` quarters against the clock.

    numbers: the colours' by ITU-T H.273.
    """
    height, width = pixels.shape[:2]
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(pixels, ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0)), "edge")
    settings, tiles = encoded(
        [padded[TILE * y :, TILE * x :][:TILE, :TILE] for y in range(rows) for x in range(columns)], pix_fmt
    )
    # Item 1 is the grid, 2 EXIF, 3 XMP, 4 the opacity, those from 10 on are tiles.
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    items: list[tuple[int, bytes, bytes]] = [(1, b"grid", grid)]
    references = box(b"dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *range(10, 10 + len(tiles))))
    if exif:
        items.append((2, b"Exif", struct.pack(">I", 6) + b"Exif\0\0" + exif))
        references += box(b"cdsc", struct.pack(">HHH", 2, 1, 1))
    if xmp:
        items.append((3, b"mime", xmp))
        references += box(b"cdsc", struct.pack(">HHH", 3, 1, 1))
    known = [
        box(b"hvcC", settings),
        full(b"ispe", struct.pack(">II", TILE, TILE)),
        full(b"ispe", struct.pack(">II", width, height)),
        box(b"colr", b"nclx", struct.pack(">HHHB", *numbers, 0x80)),
        box(b"irot", bytes((turns,))),
    ]
    said = {1: [3, 4, 5], **{10 + n: [1, 2] for n in range(len(tiles))}}
    if profile:
        known.append(box(b"colr", b"prof", profile))
        said[1].append(len(known))
    if alpha is not None:
        own, (veil,) = encoded(
            [np.repeat(alpha[..., None], 3, axis=2)], "gray" if pix_fmt == "yuv420p" else pix_fmt
        )
        items.append((4, b"hvc1", veil))
        references += box(b"auxl", struct.pack(">HHH", 4, 1, 1))
        known += [box(b"hvcC", own), full(b"auxC", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")]
        said[4] = [len(known) - 1, len(known), 3]
    items += [(10 + n, b"hvc1", tile) for n, tile in enumerate(tiles)]
    return _file(items, references, known, said)


def _file(
    items: list[tuple[int, bytes, bytes]], references: bytes, known: list[bytes], said: dict[int, list[int]]
) -> bytes:
    entries = b"".join(
        full(b"infe", struct.pack(">HH4s", n, 0, kind), b"\0" + (b"application/rdf+xml\0" if kind == b"mime" else b""),
             version=2)
        for n, kind, _ in items
    )  # fmt: skip
    associations = b"".join(struct.pack(f">HB{len(ps)}B", n, len(ps), *ps) for n, ps in sorted(said.items()))
    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(at: int) -> bytes:
        places = b""
        for n, _, data in items:
            places += struct.pack(">HHHII", n, 0, 1, at, len(data))
            at += len(data)
        return full(
            b"meta",
            full(b"hdlr", struct.pack(">I4s12x", 0, b"pict"), b"\0"),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)), places),
            full(b"iinf", struct.pack(">H", len(items)), entries),
            full(b"iref", references),
            box(
                b"iprp",
                box(b"ipco", *known),
                full(b"ipma", struct.pack(">I", len(said)), associations),
            ),
        )

    at = len(head) + len(meta(0)) + 8
    content = head + meta(at) + box(b"mdat", *(data for _, _, data in items))
    assert boxes.find(content, b"mdat").body == at
    return content
