"""Before and after."""

from pathlib import Path

from fakes import picture

from faceswapd.capture.picture import load
from faceswapd.daemon.contact_sheet import WIDTH, ContactSheet


def test_frames_are_spread_evenly() -> None:
    sheet = ContactSheet(4)
    assert [n for n in range(80) if sheet.wants(n, 80)] == [10, 30, 50, 70]
    assert [n for n in range(3) if ContactSheet(3).wants(n, 3)] == [0, 1, 2]


def test_pairs_lie_side_by_side_in_order(tmp_path: Path) -> None:
    sheet = ContactSheet(2)
    assert not sheet.save(tmp_path / "a.png")
    sheet.add(7, picture(96, 54, 70), picture(96, 54, 75))
    sheet.add(3, picture(96, 54, 30), picture(96, 54, 35))
    assert not sheet.wants(5, 10)
    assert sheet.save(tmp_path / "a.png")
    pixels = load(tmp_path / "a.png").pixels
    assert pixels.shape == (2 * 270 + 8, 2 * WIDTH + 8, 3)
    assert [int(pixels[y, x, 0]) for y in (10, 300) for x in (10, WIDTH + 20)] == [30, 35, 70, 75]
