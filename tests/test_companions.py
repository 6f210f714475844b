"""What comes along with a film's pictures, and what must not, read back by plain PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest
from films import make_film
from test_film_job import QUICK, NoFace, run, step

from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.trust.disclosure import Disclosure


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 2)
    yield Studio(Chain(), pool, Disclosure(), NoFace)
    pool.close()


def with_data(path: Path, codec: str, payloads: list[bytes], **more: str) -> Path:
    """A film of three seconds with sound, and a stream that says something every second."""
    plain = make_film(path.with_name(f"plain-{path.stem}.mp4"), 90, sound=True, gop=15, metadata=more)
    with av.open(plain) as film, av.open(path, "w") as file:
        file.metadata.update(film.metadata)
        if film.chapters():
            file.set_chapters(film.chapters())
        copies = {s.index: file.add_stream_from_template(s) for s in film.streams}
        data = file.add_data_stream(codec)
        data.time_base = Fraction(1, 1000)
        data.metadata["handler_name"] = "GoPro MET"
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                file.mux(packet)
        for n, payload in enumerate(payloads):
            said: Any = av.Packet(payload)
            said.pts = said.dts = 1000 * n
            said.duration, said.time_base, said.stream = 1000, Fraction(1, 1000), data
            file.mux(said)
    return path


def measured(path: Path) -> list[tuple[Fraction, bytes]]:
    """What the data streams of a film say, and when."""
    with av.open(path) as file:
        return [
            (Fraction(p.pts or 0) * Fraction(p.time_base), bytes(p))
            for stream in file.streams.data
            if stream.name == "bin_data"
            for p in file.demux(stream)
            if p.size
        ]


SAID = [b"DEVC" + bytes([n]) * 60 for n in range(3)]


@pytest.mark.parametrize("out", ["b.mp4", "b.mov"])
@pytest.mark.parametrize(
    ("part", "first"),
    [
        ((None, None), [(0, 0), (1, 1), (2, 2)]),
        (
            (0.5, None),
            [(Fraction(1, 2), 1), (Fraction(3, 2), 2)],
        ),  # the one that begins before would be half wrong
        ((0.5, 2.5), [(Fraction(1, 2), 1)]),
        ((1.0, 3.0), [(0, 1), (1, 2)]),
    ],
)
def test_a_camera_s_measurements_come_along_at_their_times(
    studio: Studio,
    tmp_path: Path,
    out: str,
    part: tuple[float | None, float | None],
    first: list[tuple[Fraction | int, int]],
) -> None:
    source = with_data(tmp_path / "a.mp4", "bin_data", SAID)
    options = msgspec.structs.replace(QUICK, start_s=part[0], end_s=part[1], segment_s=0.5)
    told = run(studio, source, tmp_path / out, options)
    assert told.notes == ()
    assert measured(tmp_path / out) == [(at, SAID[n]) for at, n in first]
    with av.open(tmp_path / out) as file:
        assert file.streams.data[0].metadata["handler_name"] == "GoPro MET"


@pytest.mark.parametrize(
    ("name", "codec", "out"),
    [("a.mp4", "bin_data", "b.mkv"), ("a.ts", "klv", "b.mp4"), ("a.ts", "bin_data", "b.mov")],
)
def test_data_that_the_film_cannot_hold_is_named(
    studio: Studio, tmp_path: Path, name: str, codec: str, out: str
) -> None:
    source = with_data(tmp_path / name, codec, SAID)
    assert run(studio, source, tmp_path / out).notes == (f"left out: a data stream ({codec})",)
    assert not measured(tmp_path / out)


def test_chapters_are_not_taken_for_measurements(studio: Studio, tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mp4", 60)
    with av.open(plain) as film, av.open(tmp_path / "a.mov", "w") as file:
        copy = file.add_stream_from_template(film.streams.video[0])
        file.set_chapters([
            {"id": n, "start": n, "end": n + 1, "time_base": Fraction(1), "metadata": {"title": f"part {n}"}}
            for n in range(2)
        ])  # fmt: skip
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = copy
                file.mux(packet)
    assert run(studio, tmp_path / "a.mov", tmp_path / "b.mov").notes == ()
    with av.open(tmp_path / "b.mov") as file:
        assert [c["metadata"]["title"] for c in file.chapters()] == ["part 0", "part 1"]
        assert len(file.streams.data) == 1


def time_code(path: Path) -> str:
    with av.open(path) as file:
        told = {**file.metadata, **file.streams.video[0].metadata}
        return next(v for k, v in told.items() if k.lower() == "timecode")


@pytest.mark.parametrize("out", ["b.mov", "b.mp4", "b.mkv"])
def test_the_time_code_is_that_of_the_first_frame_in_the_film(
    studio: Studio, tmp_path: Path, out: str
) -> None:
    source = make_film(tmp_path / "a.mov", 60, rate=25, metadata={"timecode": "10:00:00:20"})
    assert run(studio, source, tmp_path / out).notes == ()
    assert time_code(tmp_path / out) == "10:00:00:20"
    part = msgspec.structs.replace(QUICK, start_s=1.2)
    run(studio, source, tmp_path / f"part-{out}", part)
    assert time_code(tmp_path / f"part-{out}") == "10:00:02:00"
    run(studio, source, tmp_path / f"even-{out}", msgspec.structs.replace(part, fps=50.0))
    assert time_code(tmp_path / f"even-{out}") == "10:00:02:00"


def test_what_may_be_a_picture_stays_behind_where_faces_are_processed(studio: Studio, tmp_path: Path) -> None:
    make_film(tmp_path / "v.mkv", 5)
    with av.open(tmp_path / "v.mkv") as film, av.open(tmp_path / "a.mkv", "w") as file:
        file.metadata["COVERART"] = "aGVyIGZhY2U="
        video = file.add_stream_from_template(film.streams.video[0])
        file.add_attachment("her.webp", "image/webp", b"her face")
        file.add_attachment("any", "application/octet-stream", b"her face")
        file.add_attachment("font.ttf", "application/x-truetype-font", b"glyphs")
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                file.mux(packet)
    busy = Studio(
        Chain((step(lambda picture: picture),)),
        studio.pool,
        Disclosure(),
        NoFace,
    )
    told = run(busy, tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert told.notes == ("left out: attachment her.webp", "left out: attachment any")
    assert b"her face" not in (tmp_path / "b.mkv").read_bytes()
    assert b"aGVyIGZhY2U=" not in (tmp_path / "b.mkv").read_bytes()
    assert b"glyphs" in (tmp_path / "b.mkv").read_bytes()
    assert run(studio, tmp_path / "a.mkv", tmp_path / "c.mkv").notes == ()


def test_what_was_counted_in_the_original_is_not_said_of_the_film(studio: Studio, tmp_path: Path) -> None:
    plain = make_film(tmp_path / "plain.mkv", 30, sound=True)
    with av.open(plain) as film, av.open(tmp_path / "a.mkv", "w") as file:
        copies = {s.index: file.add_stream_from_template(s) for s in film.streams}
        for copy in copies.values():
            copy.metadata.update({"BPS": "1", "NUMBER_OF_FRAMES-eng": "99", "title": "kept"})
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                file.mux(packet)
    run(studio, tmp_path / "a.mkv", tmp_path / "b.mkv")
    with av.open(tmp_path / "b.mkv") as film:
        for stream in film.streams:
            assert stream.metadata["title"] == "kept"
            assert not {"BPS", "NUMBER_OF_FRAMES-eng"} & set(stream.metadata)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"), [("a.mov", "prores_ks", "yuva444p10le"), ("a.mkv", "ffv1", "bgra")]
)
def test_transparency_that_is_lost_is_named(
    studio: Studio, tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    source = make_film(tmp_path / name, 3, codec=codec, pix_fmt=pix_fmt)
    assert "transparent" in run(studio, source, tmp_path / "b.mp4").notes[0]


def test_what_is_opaque_is_not_called_transparent(studio: Studio, tmp_path: Path) -> None:
    assert (
        run(studio, make_film(tmp_path / "a.gif", 3, codec="gif", pix_fmt="rgb8"), tmp_path / "b.mp4").notes
        == ()
    )
    clear = make_film(tmp_path / "a.webm", 3, codec="libvpx-vp9", pix_fmt="yuva420p")
    told = run(studio, clear, tmp_path / "b.webm", FilmOptions(encoder="vp9"))
    assert "transparent" in told.notes[0]
    with av.open(tmp_path / "b.webm") as film:
        assert "alpha_mode" not in film.streams.video[0].metadata
