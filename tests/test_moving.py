"""Moving pictures as live sources."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import number, stripes

from faceswapd.capture.moving import Moving
from faceswapd.capture.source import Shot, Source
from faceswapd.capture.sources import make_source
from faceswapd.capture.still import Still
from faceswapd.core.errors import BadInputError, MissingInputError

LENGTHS_MS = (40, 80, 60, 250, 70)
STARTS_MS = (0, 40, 120, 180, 430)
WHOLE_MS = 500


def drawn(path: Path, lengths_ms: tuple[int, ...] = LENGTHS_MS, times: int = 0) -> Path:
    """`stripes` for each of these times, which the file says is to be played so many times."""
    animation = cv2.Animation(times)
    animation.frames = [stripes(n) for n in range(len(lengths_ms))]
    animation.durations = list(lengths_ms)
    done, content = cv2.imencodeanimation(path.suffix, animation)
    assert done
    path.write_bytes(np.asarray(content).tobytes())
    return path


def changes(shots: list[Shot]) -> list[tuple[int, int]]:
    """(number, milliseconds) of every shot that shows another picture than the one before."""
    told = [(number(shot.pixels), round(1000 * (shot.pts_s or 0))) for shot in shots]
    return [told[0], *(now for before, now in pairwise(told) if now[0] != before[0])]


def opened(path: Path) -> Source:
    source = make_source(str(path), (1280, 720), 30)
    source.open()
    return source


@pytest.mark.parametrize("times", [0, 1])
@pytest.mark.parametrize("suffix", [".webp", ".png", ".avif", ".gif"])
def test_it_plays_over_and_over_at_its_own_times(tmp_path: Path, suffix: str, times: int) -> None:
    source = opened(drawn(tmp_path / f"a{suffix}", times=times))
    assert source.size == (64, 48)
    assert source.paced
    shown = changes([source.read() for _ in range(22)])[:15]
    source.close()

    assert [n for n, _ in shown] == [0, 1, 2, 3, 4] * 3
    assert [ms for _, ms in shown] == pytest.approx(
        [lap * WHOLE_MS + start for lap in range(3) for start in STARTS_MS], abs=1
    )


def test_a_picture_that_lasts_is_given_again_so_that_changes_are_soon_seen(tmp_path: Path) -> None:
    source = Moving(drawn(tmp_path / "a.webp"))
    source.open()
    shots = [source.read() for _ in range(14)]

    assert [round(1000 * (s.pts_s or 0)) for s in shots[:7]] == [0, 40, 120, 180, 263, 347, 430]
    assert source.fps == pytest.approx(14)
    assert shots[3].pixels is shots[5].pixels is shots[10].pixels
    assert not shots[3].pixels.flags.writeable
    source.close()


def test_opened_again_it_begins_at_its_beginning(tmp_path: Path) -> None:
    source = Moving(drawn(tmp_path / "a.png"))
    for _ in range(2):
        source.open()
        assert [number(source.read().pixels) for _ in range(3)] == [0, 1, 2]
        source.close()


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    animation = cv2.Animation()
    animation.frames = [np.full((20, 30, 4), (0, 0, 0, alpha), np.uint8) for alpha in (0, 255)]
    animation.durations = [50, 50]
    (tmp_path / "a.png").write_bytes(cv2.imencodeanimation(".png", animation)[1].tobytes())
    source = opened(tmp_path / "a.png")
    assert [int(source.read().pixels.mean()) for _ in range(2)] == [255, 0]


def test_a_picture_that_does_not_move_is_a_still(tmp_path: Path) -> None:
    for suffix in (".webp", ".png", ".avif"):
        cv2.imwrite(str(tmp_path / f"s{suffix}"), stripes(1))
        assert isinstance(make_source(str(tmp_path / f"s{suffix}"), (64, 48), 30), Still)


def test_what_is_damaged_or_gone_is_said(tmp_path: Path) -> None:
    path = drawn(tmp_path / "a.webp")
    path.write_bytes(path.read_bytes()[:60])
    source = make_source(str(path), (64, 48), 30)
    assert isinstance(source, Moving)
    with pytest.raises(BadInputError, match=r"a\.webp: it is damaged"):
        source.open()
    path.unlink()
    with pytest.raises(MissingInputError, match=r"a\.webp"):
        source.open()
