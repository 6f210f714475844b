"""Pictures read and written: what belongs to them comes back."""

import errno
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from test_exif import block

from faceswapd.capture.picture import EXIF, ICC, XMP, animated, load, upright
from faceswapd.core.errors import BadInputError, DeviceLostError, MissingInputError, UsageError
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
    _, content = cv2.imencodeWithMetadata(".png", scene(), [EXIF], blocks)
    (tmp_path / "a.png").write_bytes(content.tobytes())
    assert np.array_equal(
        load(tmp_path / "a.png").pixels, np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_metadata_comes_back_without_the_original_face(tmp_path: Path, suffix: str) -> None:
    lost = save(tmp_path / f"a{suffix}", scene(), {EXIF: block(), XMP: b"<x:xmpmeta/>"})
    found = load(tmp_path / f"a{suffix}").metadata
    assert b"FACE" not in found[EXIF]
    assert b"NOTE" not in found[EXIF]
    if suffix == ".avif":
        assert "not all" in lost[0]
    else:
        assert found[XMP].startswith(b"<x:xmpmeta/>")


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_the_colour_profile_comes_back(tmp_path: Path, suffix: str) -> None:
    profile = bytes(16) + b"RGB " + bytes(108)
    assert save(tmp_path / f"a{suffix}", scene(), {ICC: profile}) == ()
    assert load(tmp_path / f"a{suffix}").metadata == {ICC: profile}


def test_a_damaged_profile_does_not_cost_the_picture(tmp_path: Path) -> None:
    assert "damaged" in save(tmp_path / "a.png", scene(), {ICC: bytes(16) + b"RGB " + bytes(108)})[0]
    assert np.array_equal(load(tmp_path / "a.png").pixels, scene())


def test_a_profile_of_four_inks_and_a_thumbnail_in_xmp_are_left_out(tmp_path: Path) -> None:
    blocks = {XMP: b"<xmpGImg:image>FACE</>", ICC: bytes(16) + b"CMYK" + bytes(108)}
    save(tmp_path / "a.jpg", scene(), blocks)
    assert load(tmp_path / "a.jpg").metadata == {}


@pytest.mark.parametrize("quality", [35, 75, 90, 97])
@pytest.mark.parametrize("sampling", ["444", "422", "420"])
def test_a_jpeg_tells_its_quality(tmp_path: Path, quality: int, sampling: str) -> None:
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")
    save(tmp_path / "a.jpg", scene(), quality=quality, sampling=factor)
    original = load(tmp_path / "a.jpg")
    assert original.quality is not None
    assert abs(original.quality - quality) <= 1
    assert original.sampling == factor
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
    assert "8 bits" in save(tmp_path / "a.webp", scene().astype(np.uint16) * 257)[0]
    assert "not all" in save(tmp_path / "a.tif", scene(), {EXIF: block()})[0]


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
    assert not animated(tmp_path / "none.webp")


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
        BadInputError, match=r"text\.jpg is no picture: JPEG, PNG, WebP, AVIF, TIFF and BMP work"
    ):
        load(tmp_path / "text.jpg")
