"""The size of a picture without decoding it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.capture.dimensions import dimensions, dimensions_of


@pytest.mark.parametrize("size", [(33, 21), (300, 411)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".avif"])
def test_every_kind_tells(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    done, content = cv2.imencode(suffix, picture)
    assert done
    (tmp_path / f"a{suffix}").write_bytes(content.tobytes())
    assert dimensions(content.tobytes()) == dimensions_of(tmp_path / f"a{suffix}") == size
    assert dimensions(content.tobytes()[:20]) is None or suffix == ".webp"


def test_an_empty_file_and_one_that_is_no_picture_tell_nothing(tmp_path: Path) -> None:
    for content in (b"", b"a letter"):
        (tmp_path / "a.jpg").write_bytes(content)
        assert dimensions_of(tmp_path / "a.jpg") is None
    with pytest.raises(OSError, match="No such file"):
        dimensions_of(tmp_path / "none.jpg")


def test_lossless_and_extended_webp() -> None:
    picture = np.full((21, 33, 4), 90, np.uint8)
    picture[..., 3] = 7
    for quality in (50, 101):
        _, content = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
        assert dimensions(content.tobytes()) == (33, 21)


BEGINNINGS = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF1234WEBP", b"II*\0", b"MM\0+", b"1234ftypheic", b"1234ftypavif", b"BM",
    b"",
)  # fmt: skip


@given(st.sampled_from(BEGINNINGS), st.binary())
def test_damaged_heads_tell_nothing_wrong(magic: bytes, rest: bytes) -> None:
    found = dimensions(magic + rest)
    assert found is None or len(found) == 2
