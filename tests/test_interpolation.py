"""Films at a higher rate, read back by plain PyAV: where the square truly was is known at every moment."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from films import make_film, pictures, sound, times
from test_between import cloth, psnr
from test_film_job import Interrupt, NoFace, run, step

from faceswapd.capture.film import Colour, Shape
from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Pixels
from faceswapd.core.meter import Meter
from faceswapd.daemon.film_finish import Finish
from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.interpolation import reserve
from faceswapd.daemon.process_settings import parse_rate
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.processors.processor import Picture
from faceswapd.sinks.encoders import choose
from faceswapd.sinks.segments import Print
from faceswapd.trust.disclosure import Disclosure

SIZE = (192, 128)
GROUND, SQUARE = cloth(1, 128, 192, 20, 110), cloth(2, 56, 56, 110, 235)


def smooth(fps: Fraction | int, **more: object) -> FilmOptions:
    options = FilmOptions(preset="ultrafast", quality=100, interpolate=Fraction(fps))
    return msgspec.structs.replace(options, **more)


def at(time_s: float, pace: float = 120.0) -> Pixels:
    """The square after so many seconds, `pace` pixels a second to the right."""
    x = 16 + pace * time_s
    whole = int(np.floor(x))
    share = x - whole
    row = np.concatenate([SQUARE, SQUARE[:, -1:]], axis=1).astype(float)
    shifted = row * (1 - share) + np.concatenate([row[:, :1], row[:, :-1]], axis=1) * share
    picture = GROUND.astype(float).copy()
    picture[36:92, whole : whole + 57] = shifted
    return np.repeat(np.rint(picture).astype(np.uint8)[..., None], 3, axis=2)


def film(
    path: Path,
    frames: int,
    rate: Fraction | int = 30,
    look: Callable[[int], Pixels] | None = None,
    **more: object,
) -> Path:
    drawn = look or (lambda n: at(n / float(rate)))
    return make_film(
        path, frames, SIZE, rate=rate, pictures=(drawn(n) for n in range(frames)), options={"qp": "4"}, **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 2)
    yield Studio(Chain(), pool, Disclosure(), NoFace)
    pool.close()


def quality(path: Path, truth: Callable[[int], Pixels]) -> list[float]:
    """Of every frame against what it ought to show, without the border that the square's motion never reaches."""
    return [psnr(p, truth(n)) for n, p in enumerate(pictures(path))]


def test_frames_between_frames_show_what_truly_was_there(studio: Studio, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 20, sound=True)
    told = run(studio, source, tmp_path / "b.mp4", smooth(60))
    assert (told.frames_in, told.frames_out, told.interpolated) == (20, 40, 19)
    assert times(tmp_path / "b.mp4") == [Fraction(n, 60) for n in range(40)]
    assert sound(tmp_path / "b.mp4") == sound(source) != []
    seen, given = pictures(tmp_path / "b.mp4"), pictures(source)
    flown = [psnr(seen[n], at(n / 60)) for n in range(1, 38, 2)]
    mixed = [psnr((given[n].astype(float) + given[n + 1]) / 2, at((n + 0.5) / 30)) for n in range(19)]
    assert min(flown) > 32
    assert np.mean(flown) > np.mean(mixed) + 5
    assert min(psnr(seen[2 * n], given[n]) for n in range(20)) > 40
    assert psnr(seen[39], given[19]) > 40


@pytest.mark.parametrize(
    ("rate", "to", "frames"),
    [
        (24, Fraction(60), 50),
        (Fraction(30000, 1001), Fraction(60000, 1001), 40),
        (25, Fraction(60000, 1001), 48),
        (30, Fraction(30), 20),
    ],
)
def test_any_rate_becomes_any_higher_one_exactly(
    studio: Studio, tmp_path: Path, rate: Fraction | int, to: Fraction, frames: int
) -> None:
    source = film(tmp_path / "a.mp4", 20, rate, time_base=Fraction(1, 90_000) if rate == 25 else None,
        pts=[n * 3600 for n in range(20)] if rate == 25 else None)  # fmt: skip
    told = run(studio, source, tmp_path / "b.mp4", smooth(to))
    assert told.frames_out == frames
    assert times(tmp_path / "b.mp4") == [n / to for n in range(frames)]
    last = 19 / Fraction(rate)
    assert min(quality(tmp_path / "b.mp4", lambda n: at(float(min(n / to, last))))) > 30
    assert told.interpolated == (0 if to == rate else told.frames_out - len(originals(rate, to, 20)))


def originals(rate: Fraction | int, to: Fraction, count: int) -> list[int]:
    """The ticks at which a frame of the original is shown: on it, or after the last one."""
    near = [
        n for n in range(count) if abs((moved := n * to / Fraction(rate)) - round(moved)) <= Fraction(1, 8)
    ]
    end = ceil(count * to / Fraction(rate) - Fraction(1, 8))
    last = ceil((count - 1) * to / Fraction(rate) - Fraction(1, 8))
    return [n for n in near if n != count - 1] + list(range(last, end))


def test_a_variable_rate_becomes_even(studio: Studio, tmp_path: Path) -> None:
    pts = [0, 3, 4, 7, 8, 12, 13, 15, 18, 20]
    source = film(tmp_path / "a.mp4", 10, 30, lambda n: at(pts[n] / 60), pts=pts, time_base=Fraction(1, 60))
    run(studio, source, tmp_path / "b.mp4", smooth(60))
    assert times(tmp_path / "b.mp4")[:21] == [Fraction(n, 60) for n in range(21)]
    assert min(quality(tmp_path / "b.mp4", lambda n: at(min(n, 20) / 60))) > 30


def test_nothing_is_drawn_across_a_cut_nor_a_pause(studio: Studio, tmp_path: Path) -> None:
    other = np.repeat(cloth(9, 128, 192)[..., None], 3, axis=2)
    pts = [0, 2, 4, 6, 8, 48, 50]

    def look(n: int) -> Pixels:
        return at(n / 30) if n < 3 else other if n < 5 else np.roll(other, 2 * n, axis=1)

    source = film(tmp_path / "a.mp4", 7, 30, look, pts=pts, time_base=Fraction(1, 60))
    told = run(studio, source, tmp_path / "b.mp4", smooth(60))
    seen = pictures(tmp_path / "b.mp4")
    assert psnr(seen[5], look(2)) > 35 or psnr(seen[5], other) > 35
    assert min(psnr(seen[n], other) for n in range(6, 48)) > 35
    assert psnr(seen[49], np.roll(other, 11, axis=1)) > 30
    assert told.interpolated == 3


def test_held_frames_are_drawn_through_and_a_rest_stays(studio: Studio, tmp_path: Path) -> None:
    def on_twos(n: int) -> Pixels:
        return at(n // 2 * 2 / 30) if n < 12 else at(12 / 30)

    source = film(tmp_path / "a.mp4", 24, 30, on_twos)
    told = run(studio, source, tmp_path / "b.mp4", smooth(60))
    assert told.frames_out == 48
    seen = pictures(tmp_path / "b.mp4")
    assert min(psnr(seen[n], at(n / 60)) for n in range(24)) > 30
    assert min(psnr(seen[n], at(12 / 30)) for n in range(24, 48)) > 36


@pytest.mark.parametrize("after", [2, 17, 30, 41, 95])
def test_an_interrupted_film_goes_on_and_is_the_same(studio: Studio, tmp_path: Path, after: int) -> None:
    options = smooth(Fraction(60), segment_s=0.25)
    source = film(tmp_path / "a.mp4", 48, 25, lambda n: at(n / 25, 50))
    whole = run(studio, source, tmp_path / "whole.mp4", options)
    with pytest.raises(KeyboardInterrupt):
        FilmJob(source, tmp_path / "b.mp4", studio, options, Meter(), tell=Interrupt(after)).run()
    again = run(studio, source, tmp_path / "b.mp4", options, resume=True)
    assert (again.resumed > 0) == (after > 20)
    for told in (whole, again):
        assert (told.frames_in, told.frames_out) == (48, 116)
    assert again.interpolated == whole.interpolated
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_lower_rate_is_refused_with_what_does_it(studio: Studio, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 6, 30)
    with pytest.raises(UsageError, match="--fps"):
        run(studio, source, tmp_path / "b.mp4", smooth(24))


def test_little_memory_changes_the_pace_and_nothing_else(studio: Studio, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 12)
    run(studio, source, tmp_path / "whole.mp4", smooth(60))
    studio.max_bytes = 1
    told = run(studio, source, tmp_path / "b.mp4", smooth(60, quality=99))
    assert told.frames_out == 24
    assert told.peak_bytes == SIZE[0] * SIZE[1] * 9
    assert len(pictures(tmp_path / "b.mp4")) == 24


def test_what_every_worker_holds_while_it_draws_is_counted() -> None:
    hd = (1920, 1080)
    alone, ahead = reserve(hd, 8, 1), reserve(hd, 8, 8)
    assert 7 * 10e6 < ahead - alone < 7 * 16e6  # 10 to 13 MB were measured
    assert reserve(hd, 1, 8) == reserve(hd, 1, 3)  # no more are at work than are drawn ahead
    assert reserve((64, 48), 8, 8) < 1e7
    assert reserve(hd, 8, 8, deep=True) > ahead


def test_a_limit_leaves_room_for_what_workers_hold_while_they_blend(studio: Studio) -> None:
    film = Shape(
        (1920, 1080), Fraction(30), Fraction(1, 30), 9, 0.3, 0, Colour(), interlaced=False, plain=True
    )
    print_ = Print(choose("h264", film.size, 30, live=False), film.size, film.fps, film.time_base, 1, 1, 1)

    def made(**options: Any) -> Finish:
        return Finish(FilmOptions(**options), film, print_, studio, Meter())

    plain, blended = made(), made(temporal_blend=0.3)
    assert (plain.reserve, plain.at_work) == (0, 0)
    assert blended.at_work >= 36  # measured: 32 bytes a pixel on top of a look
    assert blended.reserve >= 1920 * 1080 * 24
    both = made(temporal_blend=0.3, interpolate=Fraction(60))
    assert both.reserve == blended.reserve + made(interpolate=Fraction(60)).reserve


def test_ten_bits_are_drawn_in_ten_bits(studio: Studio, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", 10, pix_fmt="yuv420p10le", codec="libx265")
    told = run(studio, source, tmp_path / "b.mp4", smooth(60, encoder="hevc"))
    assert told.interpolated == 9
    assert min(quality(tmp_path / "b.mp4", lambda n: at(min(n / 60, 9 / 30)))) > 30


def test_nothing_is_drawn_between_a_treated_frame_and_another(studio: Studio, tmp_path: Path) -> None:
    def treats(picture: Picture) -> Picture:
        late = bool(picture.pixels[36:92, 40:50].mean() < 100)  # the square has left this place
        if late:
            picture.pixels[:30] = 250
        return replace(picture, treated=frozenset({1} if late else ()))

    studio.chain = Chain((step(treats),))
    source = film(tmp_path / "a.mp4", 12, 30)
    told = run(studio, source, tmp_path / "b.mp4", smooth(60))
    levels = [float(p[5:25].mean()) for p in pictures(tmp_path / "b.mp4")]
    assert all(level < 110 or level > 235 for level in levels)
    assert min(levels) < 110 < 235 < max(levels)
    assert told.interpolated == 10


def test_rates_as_people_write_them() -> None:
    assert parse_rate("60") == 60
    assert parse_rate("59.94") == parse_rate("60000/1001") == Fraction(60000, 1001)
    assert parse_rate("23.976") == Fraction(24000, 1001)
    assert parse_rate("50") == 50
    for wrong in ("fast", "0", "1/0", "-3", "1000"):
        with pytest.raises(UsageError, match="--interpolate"):
            parse_rate(wrong)
