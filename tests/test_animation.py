"""Moving pictures as films."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import number, numbers, stripes, times

from faceswapd.capture.animation import Animation
from faceswapd.core.errors import BadInputError, MissingInputError
from faceswapd.daemon.cli import main


def moving(path: Path, frames: int = 5, lengths: tuple[int, ...] = (40, 80, 120, 40, 60)) -> Path:
    animation = cv2.Animation()
    animation.frames = [stripes(n) for n in range(frames)]
    animation.durations = list(lengths)
    done, content = cv2.imencodeanimation(path.suffix, animation)
    assert done
    path.write_bytes(np.asarray(content).tobytes())
    return path


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_frames_have_their_own_times(tmp_path: Path, suffix: str) -> None:
    film = Animation(moving(tmp_path / f"a{suffix}"))
    shape = film.open()
    assert (shape.size, shape.frames, shape.duration_s) == ((64, 48), 5, 0.34)
    pictures = list(film.pictures())
    assert [p.pts for p in pictures] == [0, 40, 120, 240, 280]
    assert [number(film.pixels(p.image)) for p in pictures] == list(range(5))
    film.close()


def test_it_becomes_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    source = moving(tmp_path / "a.webp")
    assert main(["process", str(source), "-o", str(tmp_path / "out"), "--processors", "none", "-q"]) == 0
    assert numbers(tmp_path / "out" / "a.mp4") == list(range(5))
    assert times(tmp_path / "out" / "a.mp4") == [Fraction(ms, 1000) for ms in (0, 40, 120, 240, 280)]


def test_what_is_no_moving_picture(tmp_path: Path) -> None:
    (tmp_path / "a.webp").write_bytes(b"RIFF")
    with pytest.raises(BadInputError, match=r"a\.webp"):
        Animation(tmp_path / "a.webp").open()
    with pytest.raises(MissingInputError, match=r"b\.webp"):
        Animation(tmp_path / "b.webp").open()
