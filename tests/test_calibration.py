from pathlib import Path

import numpy as np
import pytest

from faceswapd.core.errors import ModelError
from faceswapd.faces.templates import TEMPLATES
from faceswapd.inference import calibration
from faceswapd.inference.calibration import portrait_crops


def test_six_views_of_a_face_that_all_differ() -> None:
    for template in TEMPLATES:
        crops = portrait_crops(template, 128)

        assert [c.shape for c in crops] == [(128, 128, 3)] * 6
        assert {c.dtype for c in crops} == {np.dtype(np.uint8)}
        for n, one in enumerate(crops):
            for other in crops[n + 1 :]:
                assert np.abs(one.astype(int) - other).mean() > 5


def test_what_judges_is_no_darker_nor_lighter_a_set_than_what_calibrates() -> None:
    """The ranges of int8 have to hold what comes later: both halves have bright and dark views."""
    crops = portrait_crops("ffhq_512", 256)
    spread = [
        (min(c.mean() for c in half), max(c.mean() for c in half)) for half in (crops[::2], crops[1::2])
    ]

    assert all(high - low > 30 for low, high in spread)


def test_a_crop_is_aligned_by_its_template() -> None:
    """The first view is the template's own: the eyes of a portrait are darker than the cheeks below them."""
    crop = portrait_crops("arcface_112_v2", 112)[0].mean(axis=2)

    for x, y in TEMPLATES["arcface_112_v2"][:2] * 112:
        eye = crop[int(y) - 2 : int(y) + 3, int(x) - 3 : int(x) + 4].mean()
        cheek = crop[int(y) + 13 : int(y) + 18, int(x) - 3 : int(x) + 4].mean()
        assert eye < cheek - 15


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_portrait_that_cannot_be_read_is_a_broken_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(calibration, "_ASSETS", tmp_path)
    if content is not None:
        (tmp_path / "portrait.jpg").write_bytes(content)
    with pytest.raises(ModelError, match=r"portrait\.jpg cannot be read: reinstall faceswapd"):
        portrait_crops("ffhq_512", 128)
