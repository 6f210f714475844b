"""Films whose files tell their times badly, read back by plain PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest
from films import make_film, numbers, sound, times
from test_film_job import QUICK, Interrupt, NoFace, run

from faceswapd.capture.breaks import Believed, Unbroken, breaks
from faceswapd.capture.decode import decoded
from faceswapd.capture.film import Film
from faceswapd.core.meter import Meter
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.trust.disclosure import Disclosure


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 2)
    yield Studio(Chain(), pool, Disclosure(), NoFace)
    pool.close()


@pytest.fixture
def joined(tmp_path: Path) -> Path:
    """Seconds of a transport stream, the second and third with the clock of the first."""
    once = make_film(tmp_path / "once.ts", 30, sound=True).read_bytes()
    thrice = tmp_path / "thrice.ts"
    thrice.write_bytes(3 * once)
    return thrice


def heard(path: Path) -> list[Fraction]:
    with av.open(path) as file:
        base = file.streams.audio[0].time_base or Fraction(1)
        return [Fraction(p.pts or 0) * base for p in file.demux(audio=0) if p.size]


def test_a_clock_that_jumps_leaves_no_gap_and_loses_nothing(
    studio: Studio, joined: Path, tmp_path: Path
) -> None:
    told = run(studio, joined, tmp_path / "b.mp4")
    assert numbers(tmp_path / "b.mp4") == 3 * [*range(30)]
    assert any("clock" in note for note in told.notes)
    assert {b - a for a, b in pairwise(times(tmp_path / "b.mp4"))} == {Fraction(1, 30)}
    assert len(sound(tmp_path / "b.mp4")) == len(sound(joined))
    steps = [b - a for a, b in pairwise(heard(tmp_path / "b.mp4"))]
    assert min(steps) > 0
    assert max(steps) < 0.1


def test_a_part_of_it_and_going_on_with_it(studio: Studio, joined: Path, tmp_path: Path) -> None:
    part = msgspec.structs.replace(QUICK, start_s=0.5, end_s=1.5, segment_s=0.2)
    run(studio, joined, tmp_path / "b.mkv", part)
    assert numbers(tmp_path / "b.mkv") == [*range(15, 30), *range(15)]
    whole = msgspec.structs.replace(QUICK, segment_s=0.4)
    run(studio, joined, tmp_path / "whole.mp4", whole)
    with pytest.raises(KeyboardInterrupt):
        FilmJob(joined, tmp_path / "c.mp4", studio, whole, Meter(), tell=Interrupt(70)).run()
    assert run(studio, joined, tmp_path / "c.mp4", whole, resume=True).resumed > 30
    assert (tmp_path / "c.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    film = Film(joined)
    film.open()
    film.seek(10**6)  # a time says nothing of the place in such a file: from the beginning
    assert [p.n for p in film.pictures()] == list(range(90))
    film.close()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.avi", "mpeg4")]
)
@pytest.mark.parametrize("begin", [0.5, 1.5, 2.5])
def test_a_part_begins_where_it_is_wanted_though_decoding_cannot_begin_there(
    studio: Studio, tmp_path: Path, name: str, codec: str, begin: float
) -> None:
    source = make_film(tmp_path / name, 120, codec=codec, gop=40, options={"sc_threshold": "0"})
    told = run(
        studio, source, tmp_path / "b.mkv", msgspec.structs.replace(QUICK, start_s=begin, end_s=begin + 0.5)
    )
    first = round(begin * 30)
    assert numbers(tmp_path / "b.mkv") == list(range(first, first + 15))
    assert told.frames_in == 15


def test_a_clock_that_began_long_ago_begins_at_0(studio: Studio, tmp_path: Path) -> None:
    with (
        av.open(make_film(tmp_path / "a.ts", 10, sound=True)) as film,
        av.open(tmp_path / "b.ts", "w") as late,
    ):
        streams = {s.index: late.add_stream_from_template(s) for s in film.streams}
        for packet in film.demux():
            if packet.dts is not None:
                packet.pts, packet.dts = (packet.pts or 0) + 90_000 * 50_000, packet.dts + 90_000 * 50_000
                packet.stream = streams[packet.stream.index]
                late.mux(packet)
    run(studio, tmp_path / "b.ts", tmp_path / "c.mkv")
    seen, listened = times(tmp_path / "c.mkv"), heard(tmp_path / "c.mkv")
    assert min(seen[0], listened[0]) == 0
    with av.open(tmp_path / "a.ts") as film:
        first = [Fraction(s.start_time or 0) * (s.time_base or 1) for s in film.streams]
    assert abs((seen[0] - listened[0]) - (first[0] - first[1])) <= Fraction(1, 1000)


def test_a_pause_of_one_stream_is_no_jump_of_the_clock() -> None:
    late = Unbroken([Fraction(-1000)], Fraction(1))
    assert [late.at(t) for t in (0, 1, 100, 101)] == [0, 1, 100, 101]  # by the old clock it goes on best
    assert [late.at(t) for t in (1105, 1106)] == [105, 106]
    assert Unbroken([], Fraction(1)).at(7) == 7


def test_times_that_go_to_and_fro_give_way_to_those_of_decoding() -> None:
    avi = Believed()
    shown = [avi.of(pts, dts) for pts, dts in ((2, 4), (6, 6), (4, 8), (10, 10), (8, 12), (14, 14))]
    assert shown == [2, 6, 8, 10, 12, 14]
    usual = Believed()
    assert [usual.of(pts, dts) for pts, dts in ((0, -2), (1, -1), (2, None), (3, 1))] == [0, 1, 2, 3]
    assert Believed().of(None, 5) == 5
    assert Believed().of(None, None) is None


def test_b_frames_in_avi_are_shown_evenly(studio: Studio, tmp_path: Path) -> None:
    make_film(tmp_path / "a.avi", 40, options={"bf": "2", "b_strategy": "0", "x264-params": "threads=1"})
    run(studio, tmp_path / "a.avi", tmp_path / "b.mp4")
    assert numbers(tmp_path / "b.mp4") == list(range(40))
    assert {b - a for a, b in pairwise(times(tmp_path / "b.mp4")[2:])} == {Fraction(1, 30)}


def test_streams_that_come_in_the_middle_end_nothing(studio: Studio, tmp_path: Path) -> None:
    one = make_film(tmp_path / "a.ts", 30).read_bytes()
    other = make_film(tmp_path / "b.ts", 30, sound=True).read_bytes()
    (tmp_path / "c.ts").write_bytes(one + other)
    run(studio, tmp_path / "c.ts", tmp_path / "d.mp4")
    assert numbers(tmp_path / "d.mp4") == 2 * [*range(30)]


def test_an_end_that_pyav_trips_over_is_one(tmp_path: Path) -> None:
    class Tripping:
        def __init__(self, container: Any) -> None:
            self.container = container

        def demux(self, streams: Any) -> Iterator[Any]:
            yield from self.container.demux(streams)
            raise IndexError("list index out of range")

    def failed(reason: str) -> Exception:
        return AssertionError(reason)

    source = make_film(tmp_path / "a.ts", 30)
    with av.open(source) as file:
        tripping: Any = Tripping(file)
        frames = decoded(tripping, file.streams.video[0], damaged=lambda *_: None, failed=failed)
        assert len(list(frames)) == 30
    with av.open(source) as file:
        tripping = Tripping(file)
        assert breaks(tripping, file.streams.video[0]) == ()
