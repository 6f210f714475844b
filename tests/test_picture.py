"""Pictures read and written: what belongs to them comes back."""

import errno
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from test_exif import block

from faceswapd.capture import exif
from faceswapd.capture.picture import animated, format_of, is_still, load, upright
from faceswapd.core import tiff
from faceswapd.core.errors import BadInputError, DeviceLostError, MissingInputError, UsageError
from faceswapd.core.metadata import Metadata
from faceswapd.core.picture_format import PictureFormat
from faceswapd.core.tiff import Directory
from faceswapd.sinks.picture import save, write


def scene(height: int = 40, width: int = 60) -> Any:
    """Smooth, and different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)]).astype(
        np.uint8
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif", ".bmp"])
def test_there_and_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Zwölf é{suffix}"
    save(path, scene())
    assert int(cv2.norm(load(path).pixels, scene(), cv2.NORM_INF)) <= (
        12 if suffix in (".jpg", ".webp", ".avif") else 0
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("turned", range(1, 9))
def test_orientation_as_opencv_has_it(tmp_path: Path, turned: int) -> None:
    blocks = [np.frombuffer(block(turned), np.uint8)]
    _, content = cv2.imencodeWithMetadata(".png", scene(), [cv2.IMAGE_METADATA_EXIF], blocks)
    (tmp_path / "a.png").write_bytes(content.tobytes())
    assert np.array_equal(
        load(tmp_path / "a.png").pixels, np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))
    )


PROFILE = bytes(16) + b"RGB " + bytes(108)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif"])
def test_metadata_comes_back_without_the_original_face(tmp_path: Path, suffix: str) -> None:
    tags, order = exif.of_block(block(1))
    lost = save(tmp_path / f"a{suffix}", scene(), Metadata(tags, order, b"<x:xmpmeta/>"))
    found = load(tmp_path / f"a{suffix}").metadata
    assert tiff.MAKER_NOTE not in found.tags[tiff.EXIF]  # type: ignore[operator]
    assert lost == ()
    assert found.xmp == b"<x:xmpmeta/>"


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_the_colour_profile_comes_back(tmp_path: Path, suffix: str) -> None:
    assert save(tmp_path / f"a{suffix}", scene(), Metadata(profile=PROFILE)) == ()
    assert load(tmp_path / f"a{suffix}").metadata == Metadata(profile=PROFILE)


def test_a_damaged_profile_does_not_cost_the_picture_nor_the_rest(tmp_path: Path) -> None:
    assert "damaged" in save(tmp_path / "a.png", scene(), Metadata(profile=PROFILE, xmp=b"<x/>"))[0]
    assert np.array_equal(load(tmp_path / "a.png").pixels, scene())
    assert load(tmp_path / "a.png").metadata.xmp == b"<x/>"


def test_a_profile_of_four_inks_and_a_thumbnail_in_xmp_are_left_out(tmp_path: Path) -> None:
    profile = bytes(16) + b"CMYK" + bytes(108)
    save(tmp_path / "a.jpg", scene(), Metadata(xmp=b"<xmpGImg:image>FACE</>", profile=profile))
    assert load(tmp_path / "a.jpg").metadata == Metadata()


def test_xmp_too_says_upright(tmp_path: Path) -> None:
    for said, upright_ in (
        (b'<r tiff:Orientation="6"/>', b'<r tiff:Orientation="1"/>'),
        (b"<tiff:Orientation>8</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
    ):
        save(tmp_path / "a.png", scene(), Metadata(xmp=said))
        assert load(tmp_path / "a.png").metadata.xmp == upright_


def test_a_profile_of_greys_does_not_come_with_colours(tmp_path: Path) -> None:
    greys = Metadata(profile=bytes(16) + b"GRAY" + bytes(108))
    assert save(tmp_path / "a.jpg", scene(), greys) == ("its colour profile is for greys and was left out",)
    assert save(tmp_path / "b.jpg", scene()[..., 0], greys) == ()
    assert load(tmp_path / "b.jpg").metadata == greys


def test_what_is_longer_than_a_jpeg_may_have_it_is_said(tmp_path: Path) -> None:
    long = Metadata(
        {tiff.MAKE: tiff.Value(tiff.ASCII, bytes(70_000))},
        xmp=bytes(70_000),
        profile=PROFILE + bytes(150_000),
    )
    assert save(tmp_path / "a.jpg", scene(), long) == ("JPEG has no room for EXIF and XMP",)
    assert load(tmp_path / "a.jpg").metadata == Metadata(profile=long.profile)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif", ".bmp"])
def test_the_density_comes_back_from_any_kind_into_any(tmp_path: Path, suffix: str) -> None:
    for dpi in ((300.0, 300.0), (72.0, 144.0)):
        save(tmp_path / f"a{suffix}", scene(), Metadata(density=dpi))
        found = load(tmp_path / f"a{suffix}").metadata
        assert found.density == pytest.approx(dpi, abs=0.02)
        save(tmp_path / "b.jpg", scene(), found)
        assert load(tmp_path / "b.jpg").metadata.density == dpi
    save(tmp_path / f"a{suffix}", scene())
    assert load(tmp_path / f"a{suffix}").metadata.density is None


def test_exif_says_how_large_the_picture_is(tmp_path: Path) -> None:
    within: Directory = {
        tiff.PIXEL_WIDTH: tiff.short(9), tiff.PIXEL_HEIGHT: tiff.long(8), 0x9003: tiff.short(1)
    }  # fmt: skip
    save(tmp_path / "a.jpg", scene(), Metadata({tiff.EXIF: within}))
    assert load(tmp_path / "a.jpg").metadata.tags[tiff.EXIF] == {
        tiff.PIXEL_WIDTH: tiff.long(60),
        tiff.PIXEL_HEIGHT: tiff.long(40),
        0x9003: tiff.short(1),
    }


def test_colours_by_number_and_by_gamma_come_back_where_there_is_room(tmp_path: Path) -> None:
    p3 = Metadata(colours=bytes((12, 13, 0, 1)))
    for suffix in (".png", ".avif"):
        assert save(tmp_path / f"a{suffix}", scene(), p3) == ()
        assert load(tmp_path / f"a{suffix}").metadata == p3
    assert save(tmp_path / "a.webp", scene(), p3) == ("WebP has no room for colours by number",)
    linear = Metadata(light={b"gAMA": (100_000).to_bytes(4)})
    assert save(tmp_path / "a.png", scene(), linear) == ()
    assert load(tmp_path / "a.png").metadata == linear
    assert save(tmp_path / "a.jpg", scene(), linear) == ("JPEG has no room for a gamma",)


@pytest.mark.parametrize("quality", [35, 75, 90, 97])
@pytest.mark.parametrize("sampling", ["444", "440", "422", "420", "411"])
def test_a_jpeg_tells_its_quality(tmp_path: Path, quality: int, sampling: str) -> None:
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")
    save(tmp_path / "a.jpg", scene(), quality=quality, coding=(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor))
    original = load(tmp_path / "a.jpg")
    assert original.quality is not None
    assert abs(original.quality - quality) <= 1
    assert original.coding == (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor)
    save(tmp_path / "b.png", scene())
    assert load(tmp_path / "b.png").quality is None


def test_alpha_and_depth_are_kept_where_nothing_changed(tmp_path: Path) -> None:
    deep = np.dstack([scene().astype(np.uint16) * 256 + 77, np.full((40, 60), 1234, np.uint16)])
    save(tmp_path / "a.png", deep)
    original = load(tmp_path / "a.png")
    changed = original.pixels.copy()
    changed[:10, :10] = (1, 2, 3)
    out = original.with_changes(changed)
    assert out.dtype == np.uint16
    assert np.array_equal(out[10:], deep[10:])
    assert out[0, 0].tolist() == [257, 514, 771, 1234]


def test_grey_stays_grey_unless_something_is_coloured(tmp_path: Path) -> None:
    save(tmp_path / "a.png", scene()[..., 0])
    original = load(tmp_path / "a.png")
    assert original.with_changes(original.pixels).ndim == 2
    coloured = original.pixels.copy()
    coloured[0, 0] = (255, 0, 0)
    assert original.with_changes(coloured).shape == (40, 60, 3)


def test_what_a_format_cannot_keep_is_said(tmp_path: Path) -> None:
    alpha = np.dstack([scene(), np.zeros((40, 60), np.uint8)])
    assert "laid on white" in save(tmp_path / "a.jpg", alpha)[0]
    assert load(tmp_path / "a.jpg").pixels.min() > 250
    assert save(tmp_path / "a.png", alpha) == ()
    assert save(tmp_path / "a.webp", scene().astype(np.uint16) * 257) == ("WebP has 8 bits",)
    tags, order = exif.of_block(block(1))
    assert save(tmp_path / "a.bmp", scene(), Metadata(tags, order)) == ("BMP has no room for EXIF",)


def test_a_lossless_webp_stays_lossless(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    save(tmp_path / "a.webp", noise, lossless=True)
    original = load(tmp_path / "a.webp")
    assert original.lossless
    assert np.array_equal(original.pixels, noise)
    save(tmp_path / "b.webp", noise)
    assert not load(tmp_path / "b.webp").lossless


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadInputError, match=r"a\.png"):
        load(tmp_path / "a.png")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        load(tmp_path / "a.png")
    with pytest.raises(MissingInputError, match="folder"):
        load(tmp_path)
    with pytest.raises(MissingInputError, match="no folder"):
        save(tmp_path / "no" / "a.png", scene())
    with pytest.raises(UsageError, match=r"a\.gif"):
        save(tmp_path / "a.gif", scene())


def test_a_disk_that_is_read_only_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(MissingInputError, match="Read-only file system: save elsewhere"):
        write(tmp_path / "a.png", b"x")


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png", scene())
    before = (tmp_path / "a.png").read_bytes()

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DeviceLostError, match="No space left"):
        save(tmp_path / "a.png", scene()[:20])
    assert (tmp_path / "a.png").read_bytes() == before


def test_moving_pictures_are_told_from_still_ones(tmp_path: Path) -> None:
    moving = cv2.Animation()
    moving.frames, moving.durations = [scene(), scene()[::-1].copy()], [100, 100]
    for suffix in (".webp", ".png", ".avif"):
        done, content = cv2.imencodeanimation(suffix, moving)
        assert done
        (tmp_path / f"a{suffix}").write_bytes(np.asarray(content).tobytes())
        save(tmp_path / f"b{suffix}", scene())
        assert animated(tmp_path / f"a{suffix}")
        assert not animated(tmp_path / f"b{suffix}")
        assert is_still(tmp_path / f"b{suffix}")
        assert not is_still(tmp_path / f"a{suffix}")
    assert not animated(tmp_path / "none.webp")


def test_what_a_file_is_stands_in_it_not_in_its_name(tmp_path: Path) -> None:
    save(tmp_path / "a.png", scene())
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    original = load(tmp_path / "a.jpg")
    assert (original.kind, original.quality) == (PictureFormat.PNG, None)
    assert np.array_equal(original.pixels, scene())
    (tmp_path / "a.jpg").rename(tmp_path / "nothing")
    assert is_still(tmp_path / "nothing")
    assert format_of(tmp_path / "nothing") is PictureFormat.PNG
    for content, still in (
        (b"GIF89a" + bytes(9), False),
        (b"\0\0\0\x20ftypisom", False),
        (b"a letter", True),
    ):
        (tmp_path / "b.jpg").write_bytes(content)
        assert is_still(tmp_path / "b.jpg") is still
    assert is_still(tmp_path / "none.heic")
    assert not is_still(tmp_path / "none.mp4")
    assert format_of(tmp_path / "none.heic") is None


def test_upright_leaves_upright_alone() -> None:
    assert upright(scene(), 1) is not None
    assert np.array_equal(upright(scene(), 1), scene())


def test_a_damaged_picture_and_what_is_none_are_told_apart(tmp_path: Path) -> None:
    save(tmp_path / "a.png", scene())
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:40])
    with pytest.raises(BadInputError, match=r"cut\.png is damaged"):
        load(tmp_path / "cut.png")
    (tmp_path / "text.jpg").write_text("a letter")
    with pytest.raises(
        BadInputError,
        match=r"picture .*text\.jpg is no picture: JPEG, PNG, WebP, AVIF, HEIC, TIFF and BMP work",
    ):
        load(tmp_path / "text.jpg")


def test_high_dynamic_range_is_made_ordinary(tmp_path: Path) -> None:
    pq = np.full((20, 30, 4), 30_000, np.uint16)
    pq[..., 3] = 65_535
    save(tmp_path / "a.png", pq, Metadata(colours=bytes((9, 16, 0, 1))))
    original = load(tmp_path / "a.png")
    assert original.remarks == ("high dynamic range was tone-mapped to BT.709",)
    assert original.metadata == Metadata()
    assert original.stored.shape == (20, 30, 4)
    assert original.pixels.max() > 120  # 117 as it is stored


def test_ten_bits_stay_in_an_avif(tmp_path: Path) -> None:
    deep = scene().astype(np.uint16) * 257
    assert save(tmp_path / "a.avif", deep) == ("AVIF has 10 bits",)
    stored = load(tmp_path / "a.avif").stored
    assert stored.dtype == np.uint16
    assert np.abs(stored.astype(int) - deep).mean() < 700
