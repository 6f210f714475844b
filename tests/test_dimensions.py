"""The size of a picture without decoding it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.capture.dimensions import dimensions


@pytest.mark.parametrize("size", [(33, 21), (300, 411)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".avif"])
def test_every_kind_tells(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    picture = np.full((size[1], size[0], 3), 90, np.uint8)
    done, content = cv2.imencode(suffix, picture)
    assert done
    (tmp_path / f"a{suffix}").write_bytes(content.tobytes())
    assert dimensions(content.tobytes()) == size
    # OpenCV writes a TIFF's table of contents behind its pixels.
    assert suffix == ".tiff" or dimensions(content.tobytes()[:20]) is None or suffix in (".webp", ".bmp")


def test_lossless_and_extended_webp() -> None:
    picture = np.full((21, 33, 4), 90, np.uint8)
    picture[..., 3] = 7
    for quality in (50, 101):
        _, content = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])
        assert dimensions(content.tobytes()) == (33, 21)


@given(
    st.sampled_from([b"\x89PNG", b"\xff\xd8", b"RIFF1234WEBP", b"II*\0", b"1234ftypavif", b"BM", b""]),
    st.binary(),
)
def test_damaged_heads_tell_nothing_wrong(magic: bytes, rest: bytes) -> None:
    found = dimensions(magic + rest)
    assert found is None or len(found) == 2
