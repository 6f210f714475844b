"""High dynamic range made ordinary."""

import numpy as np
import pytest

from faceswapd.capture.tonemap import HLG, PQ, tone_mapped


def ramp() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_greys_stay_grey_and_in_order(transfer: int) -> None:
    out = tone_mapped(ramp(), transfer)[0].astype(int)
    assert (np.ptp(out, axis=1) <= 1).all()
    assert (np.diff(out[:, 1]) >= 0).all()
    assert out[0].max() == 0
    assert out[255].min() == 255


def test_a_white_sheet_is_bright_but_not_burnt() -> None:
    paper_pq, paper_hlg = 148, 191  # 203 cd/m2 in both (ITU-R BT.2408, table 1: 58 % and 75 %)
    for code, transfer in ((paper_pq, PQ), (paper_hlg, HLG)):
        out = int(tone_mapped(np.full((1, 1, 3), code, np.uint8), transfer)[0, 0, 1])
        assert 190 < out < 245
