"""HEIC pictures, tile by tile."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from heic_files import heic
from test_picture import scene

from faceswapd.capture.heic import decode
from faceswapd.capture.heif import Heif
from faceswapd.capture.picture import load
from faceswapd.core import tiff
from faceswapd.core.errors import BadInputError
from faceswapd.core.picture_format import PictureFormat
from faceswapd.sinks.picture import save


def far(one: Any, other: Any) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("size", [(128, 128), (100, 150), (64, 64), (33, 65)])
def test_tiles_become_one_picture_without_seams(size: tuple[int, int]) -> None:
    pixels = scene(*size)
    found = decode(Heif(heic(pixels)))
    assert found.dtype == np.uint8
    assert found.shape == pixels.shape
    assert far(found, pixels) < 1.5
    assert np.abs(found.astype(int) - pixels).max() < 16


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p10le", "yuv444p12le"])
def test_more_bits_come_as_sixteen(pix_fmt: str) -> None:
    found = decode(Heif(heic(scene(70, 70), pix_fmt=pix_fmt)))
    assert found.dtype == np.uint16
    assert far(found / 257, scene(70, 70)) < 1.5
    assert len(np.unique(found)) > 1000


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_what_is_transparent_stays_so(pix_fmt: str) -> None:
    alpha = scene(80, 70)[..., 0].copy()
    found = decode(Heif(heic(scene(80, 70), alpha=alpha, pix_fmt=pix_fmt)))
    assert found.shape == (80, 70, 4)
    assert far(found[..., 3] / (257 if found.dtype == np.uint16 else 1), alpha) < 2


def test_greys(tmp_path: Path) -> None:
    grey = np.repeat(scene()[..., :1], 3, axis=2)
    assert far(decode(Heif(heic(grey, pix_fmt="gray"))), grey) < 1.5


def test_a_phone_s_picture_is_upright_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    exif = tiff.write({
        tiff.MAKE: tiff.Value(tiff.ASCII, b"Phone\0"),
        tiff.ORIENTATION: tiff.short(6),  # as phones say it once more
        tiff.X_RESOLUTION: tiff.rational(72),
        tiff.Y_RESOLUTION: tiff.rational(72),
        tiff.EXIF: {tiff.MAKER_NOTE: tiff.Value(tiff.UNDEFINED, b"NOTEFACE"), tiff.PIXEL_WIDTH: tiff.long(90)},
    })  # fmt: skip
    profile = bytes(16) + b"RGB " + bytes(108)
    (tmp_path / "IMG_1.HEIC").write_bytes(
        heic(scene(60, 90), turns=3, exif=exif, profile=profile, xmp=b"<x/>")
    )
    original = load(tmp_path / "IMG_1.HEIC")
    assert original.kind is PictureFormat.HEIC
    assert far(original.pixels, np.rot90(scene(60, 90), -1)) < 1.5
    assert (original.metadata.profile, original.metadata.xmp) == (profile, b"<x/>")
    assert save(tmp_path / "a.jpg", original.stored, original.metadata) == ()
    there = load(tmp_path / "a.jpg")
    assert far(there.pixels, original.pixels) < 3
    assert there.metadata.density == (72, 72)
    assert there.metadata.tags[tiff.MAKE] == tiff.Value(tiff.ASCII, b"Phone\0")
    assert there.metadata.tags[tiff.EXIF] == {tiff.PIXEL_WIDTH: tiff.long(60)}
    assert b"NOTE" not in (tmp_path / "a.jpg").read_bytes()


def test_high_dynamic_range_is_tone_mapped(tmp_path: Path) -> None:
    (tmp_path / "a.hif").write_bytes(
        heic(np.full((64, 64, 3), 116, np.uint8), numbers=(9, 16, 9), pix_fmt="yuv422p10le")
    )
    original = load(tmp_path / "a.hif")
    assert original.remarks == ("high dynamic range was tone-mapped to BT.709",)
    assert original.pixels.min() > 120


def test_only_what_is_to_be_seen() -> None:
    """A clean aperture of 40x30, two pixels right of the middle."""
    content = heic(scene(64, 64))
    aperture = struct.pack(">8i", 40, 1, 30, 1, 2, 1, 0, 1)
    file = Heif(content)
    file.said[b"clap"] = aperture
    assert far(decode(file), scene(64, 64)[17:47, 14:54]) < 1.5
    file.said[b"clap"] = struct.pack(">8i", 99, 1, 30, 1, 2, 1, 0, 1)  # more than there is
    assert decode(file).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"grid\0", b"iovl\0", r"a\.heic is a HEIC of a kind that is not read \(iovl\): save it as JPEG"),
        (b"hvc1\0", b"av01\0", r"a\.heic has tiles that are no HEVC: save it as JPEG"),
        (b"\0\0\0\1\0\x96\0\x64", b"\0\0\0\2\0\x96\0\x64", r"a\.heic is damaged: get it anew"),
        (b"\0\0\0\1\0\x96\0\x64", b"\0\0\1\2\x7f\x96\x7f\x64", r"a\.heic is damaged: get it anew"),
        (b"hvcC", b"hvcX", r"a\.heic is damaged: get it anew"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, old: bytes, new: bytes, said: str) -> None:
    content = heic(scene(100, 150))
    grid = b"\0\0\1\2"
    assert old in content or grid in content
    changed = content.replace(old, new) if old in content else content.replace(grid + old[4:], new)
    assert changed != content
    (tmp_path / "a.heic").write_bytes(changed)
    with pytest.raises(BadInputError, match=said):
        load(tmp_path / "a.heic")


def test_a_file_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    content = heic(scene(100, 150))
    for length in (20, 300, len(content) - 50):
        (tmp_path / "a.heic").write_bytes(content[:length])
        with pytest.raises(BadInputError, match=r"a\.heic is damaged: get it anew"):
            load(tmp_path / "a.heic")
