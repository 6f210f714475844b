"""Flicker of processed places goes, ghosts do not come, and nothing unprocessed is ever carried in."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from films import pictures
from numpy.typing import NDArray
from test_between import cloth, psnr
from test_film_job import Interrupt, run, step
from test_interpolation import SIZE, at, film, smooth

from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.studio import Studio
from faceswapd.faces.face import Face, Sighting
from faceswapd.inference.pool import Pool
from faceswapd.motion.steady import carry, look, steady
from faceswapd.processors.chain import Chain
from faceswapd.processors.processor import Picture
from faceswapd.trust.disclosure import Disclosure

Grey = NDArray[np.uint8]
X, Y, SIDE = 80, 60, 90


def moved(n: int, pace: int = 6) -> Grey:
    """A cloth that moves to the left by `pace` a picture."""
    return np.asarray(np.ascontiguousarray(cloth(3, 240, 480)[:, pace * n : pace * n + 320]), np.uint8)


def bgr(grey: Grey) -> Grey:
    return np.asarray(np.repeat(grey[..., None], 3, axis=2), np.uint8)


def processed(grey: Grey, more: int, x: int = X) -> Grey:
    """A square of it, lighter by `more`."""
    out = grey.astype(int)
    out[Y : Y + SIDE, x : x + SIDE] += more
    return np.asarray(np.clip(out, 0, 255), np.uint8)


def drawn(first: tuple[Grey, Grey], second: tuple[Grey, Grey], weight: float) -> Grey | None:
    """The second processed picture after a share of the first was drawn into it."""
    looks = [look(bgr(before), bgr(after)) for before, after in (first, second)]
    assert looks[0] is not None
    assert looks[1] is not None
    way = carry(looks[0], looks[1])
    if way is None:
        return None
    out = second[1].copy()
    steady((out,), (first[1],), way, weight)
    return out


@pytest.mark.parametrize("pace", [0, 6])
def test_flicker_is_halved_where_it_is_also_while_it_moves(pace: int) -> None:
    one, two = moved(0, pace), moved(1, pace)
    out = drawn((one, processed(one, 30)), (two, processed(two, 40)), 0.5)
    assert out is not None
    inner = np.s_[Y + 12 : Y + SIDE - 12, X + 12 : X + SIDE - 12]
    assert abs(out[inner].astype(int) - processed(two, 35)[inner]).mean() < 1.5
    outside = np.ones(out.shape, bool)
    outside[Y : Y + SIDE, X : X + SIDE] = False
    assert np.array_equal(out[outside], two[outside])


def test_nothing_unprocessed_is_carried_in() -> None:
    one = two = moved(0)
    out = drawn((one, processed(one, 40, X + 30)), (two, processed(two, 40)), 0.9)
    assert out is not None
    new = np.s_[Y : Y + SIDE, X : X + 30]
    assert np.array_equal(out[new], processed(two, 40)[new])


def test_another_scene_is_not_carried_over() -> None:
    one, two = moved(0), np.ascontiguousarray(cloth(8, 240, 320))
    out = drawn((one, processed(one, 40)), (two, processed(two, 40)), 0.8)
    assert out is None or abs(out.astype(int) - processed(two, 40)).mean() < 0.5


def test_a_badge_stays_sharp_before_a_moving_ground() -> None:
    badge = np.where(cloth(5, SIDE, SIDE) > 128, 255, 0).astype(np.uint8)

    def shown(n: int) -> tuple[Grey, Grey]:
        before = (moved(n) // 4 + 100).astype(np.uint8)
        after = before.copy()
        after[Y : Y + SIDE, X : X + SIDE] = badge
        return before, after

    out = drawn(shown(0), shown(1), 0.5)
    assert out is None or psnr(out, shown(1)[1]) > 32


def test_what_nothing_changed_has_no_look() -> None:
    picture = bgr(moved(0))
    assert look(picture, picture) is None
    assert look(picture, picture.copy()) is None
    assert look(picture, picture[:100]) is None


def test_a_mirrored_picture_is_followed_as_it_is_shown() -> None:
    one, two = moved(0), moved(1)
    out = drawn((one, one[:, ::-1].copy()), (two, two[:, ::-1].copy()), 0.5)
    assert out is not None
    assert abs(out.astype(int) - two[:, ::-1])[20:-20, 20:-20].mean() < 2


def flickers(picture: Picture) -> Picture:
    """Lightens a square by what its sum says: nearly at random, and the same in every run."""
    more = int(picture.pixels.sum() // 3 % 3) * 14
    picture.pixels[20:108, 10:110] = np.clip(picture.pixels[20:108, 10:110].astype(int) + 10 + more, 0, 255)
    return picture


class Faces:
    """A tracker that sees one face, whose number changes at frame `switch` of a part."""

    switch = 1000

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        face = Face(
            1 + (frame.seq >= self.switch), np.zeros(4, np.float32), np.zeros((478, 3), np.float32), 1.0
        )
        return Sighting((face,), detected=True)


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 3)

    def treats(picture: Picture) -> Picture:
        return replace(flickers(picture), treated=frozenset(face.id for face in picture.faces))

    yield Studio(Chain((step(treats, hides=True),)), pool, Disclosure(False), Faces)
    pool.close()


def flicker(path: Path, still: Callable[[int], Grey]) -> float:
    """How much the brightness of the square's middle goes up and down."""
    levels = [
        float(p[30:98, 20:100].mean()) - float(still(n)[30:98, 20:100].mean())
        for n, p in enumerate(pictures(path))
    ]
    return float(np.std(levels))


def test_a_film_flickers_less_and_is_the_same_in_every_run(studio: Studio, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 40, 30, lambda n: at(n / 30, 40))
    plain = FilmOptions(preset="ultrafast", quality=100)
    blend = msgspec.structs.replace(plain, temporal_blend=0.6)
    run(studio, source, tmp_path / "plain.mp4", plain)
    run(studio, source, tmp_path / "b.mp4", blend)
    run(studio, source, tmp_path / "c.mp4", blend)
    still = lambda n: at(n / 30, 40)  # noqa: E731
    assert flicker(tmp_path / "plain.mp4", still) > 8
    assert flicker(tmp_path / "b.mp4", still) < 0.6 * flicker(tmp_path / "plain.mp4", still)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()


@pytest.mark.parametrize("after", [9, 20])
def test_an_interrupted_film_goes_on_and_is_the_same(studio: Studio, tmp_path: Path, after: int) -> None:
    options = smooth(60, segment_s=0.25, temporal_blend=0.5)
    source = film(tmp_path / "a.mp4", 30, 30, lambda n: at(n / 30, 40))
    run(studio, source, tmp_path / "whole.mp4", options)
    with pytest.raises(KeyboardInterrupt):
        FilmJob(source, tmp_path / "b.mp4", studio, options, Meter(), tell=Interrupt(after)).run()
    told = run(studio, source, tmp_path / "b.mp4", options, resume=True)
    assert (told.frames_in, told.frames_out) == (30, 60)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_another_track_begins_anew(studio: Studio, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 6, 30, lambda n: at(n / 30, 40))
    plain = FilmOptions(preset="ultrafast", quality=100)
    blend = msgspec.structs.replace(plain, temporal_blend=0.6)

    class Switching(Faces):
        switch = 3

    run(studio, source, tmp_path / "plain.mp4", plain)
    run(studio, source, tmp_path / "one.mp4", blend)
    studio.tracker = Switching
    run(studio, source, tmp_path / "two.mp4", blend)
    bare, one, two = (pictures(tmp_path / f"{name}.mp4") for name in ("plain", "one", "two"))
    assert psnr(two[2], one[2]) > 45
    assert psnr(two[3], bare[3]) > 45 > psnr(one[3], bare[3])
    assert (bare[0].shape[1], bare[0].shape[0]) == SIZE
