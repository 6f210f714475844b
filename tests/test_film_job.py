"""One film into another, frame for frame, read back by plain PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest
from films import make_film, numbers, sound, stripes, times

from faceswapd.core.errors import (
    BadInputError,
    ConfigError,
    DisclosureError,
    FaceswapdError,
    MissingInputError,
    UsageError,
)
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.core.params import Params
from faceswapd.daemon import film_job
from faceswapd.daemon.film_frames import FilmOptions, Told
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.studio import Studio
from faceswapd.faces.face import Sighting
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain, Step
from faceswapd.processors.processor import Picture, Render
from faceswapd.sinks import encoders, niceness, segments
from faceswapd.sinks.encoders import Encoder, EncoderLostError
from faceswapd.sinks.segments import SegmentWriter
from faceswapd.trust.disclosure import Disclosure

QUICK = FilmOptions(preset="ultrafast")


class NoFace:
    """A tracker that looks and finds nobody."""

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        return Sighting((), detected=True)


def step(render: Render, hides: bool = False) -> Step:
    return Step("fake", True, Params(), render, hides, hides, hides)


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 2)
    yield Studio(Chain(), pool, Disclosure(), NoFace)
    pool.close()


def run(
    studio: Studio, source: Path, target: Path, options: FilmOptions = QUICK, resume: bool = False
) -> Told:
    return FilmJob(source, target, studio, options, Meter(), resume).run()


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "codec", "out"),
    [
        ("a.mp4", "libx264", "b.mp4"),
        ("a.mov", "libx264", "b.mov"),
        ("a.mkv", "libx264", "b.mkv"),
        ("a.avi", "mpeg4", "b.mp4"),
        ("a.mp4", "libx265", "b.mkv"),
        ("a.webm", "libvpx-vp9", "b.mp4"),
        ("a.ts", "mpeg2video", "b.mp4"),
    ],
)
def test_every_frame_once_at_its_time(
    studio: Studio, tmp_path: Path, name: str, codec: str, out: str
) -> None:
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = make_film(tmp_path / name, 20, codec=codec, rate=25, options=quiet)
    told = run(studio, source, tmp_path / out)
    assert told.frames_in == told.frames_out == 20
    assert numbers(tmp_path / out) == list(range(20))
    coarse = Fraction(1, 2000) if out.endswith(".mkv") else 0  # Matroska counts milliseconds
    begin = times(source)[0] if name.endswith(".ts") else 0  # where its clock began says nothing
    assert all(
        abs(a - begin - b) <= coarse for a, b in zip(times(source), times(tmp_path / out), strict=True)
    )


def test_a_variable_rate_stays_variable(studio: Studio, tmp_path: Path) -> None:
    pts = [0, 3, 4, 11, 12, 30, 31, 32, 60, 61]
    source = make_film(tmp_path / "a.mp4", 10, pts=pts, time_base=Fraction(1, 600), rate=30)
    run(studio, source, tmp_path / "b.mp4")
    assert times(tmp_path / "b.mp4") == times(source) == [Fraction(p, 600) for p in pts]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_hours_between_frames_cost_none_of_them(studio: Studio, tmp_path: Path, name: str) -> None:
    at = [0, 40, 7_200_000, 7_200_040, 18_000_000, 18_000_100]
    source = make_film(tmp_path / name, 6, time_base=Fraction(1, 1000), pts=at)
    run(studio, source, tmp_path / "b.mp4")
    assert numbers(tmp_path / "b.mp4") == list(range(6))
    assert times(tmp_path / "b.mp4") == [Fraction(ms, 1000) for ms in at]


def test_an_encoder_that_loses_a_picture_makes_no_film(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = niceness.encoded

    def lossy(stream: Any, picture: av.VideoFrame | None) -> Any:
        return real(stream, picture)[1 if picture is None else 0 :]

    monkeypatch.setattr(segments, "encoded", lossy)
    source = make_film(tmp_path / "a.mp4", 12)
    with pytest.raises(ConfigError, match="libx264: failed before"):  # and there is no other
        run(studio, source, tmp_path / "b.mp4", FilmOptions(encoder="libx264"))
    assert left(tmp_path) == ["a.mp4"]


def test_sound_and_metadata_come_over_unchanged(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 30, sound=True, metadata={"title": "Zwölf"})
    for out in ("b.mp4", "b.mkv"):
        told = run(studio, source, tmp_path / out)
        assert told.audio == "copied"
        assert sound(tmp_path / out) == sound(source) != []
        with av.open(tmp_path / out) as file:
            assert file.metadata["title"] == "Zwölf"
    run(studio, source, tmp_path / "c.mp4", msgspec.structs.replace(QUICK, sound=False))
    with av.open(tmp_path / "c.mp4") as file:
        assert not file.streams.audio


def test_one_frame_is_a_film(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 1)
    assert run(studio, source, tmp_path / "b.mp4").frames_out == 1
    assert numbers(tmp_path / "b.mp4") == [0]


def test_an_odd_size_loses_a_line(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.avi", 5, (65, 49), codec="ffv1", pix_fmt="yuv444p")
    told = run(studio, source, tmp_path / "b.mp4")
    assert told.size == (64, 48)
    assert any("odd" in note for note in told.notes)
    assert numbers(tmp_path / "b.mp4") == list(range(5))


@pytest.mark.parametrize("content", [b"", b"text\n", b"\x00\x00\x00\x20ftypisom" + bytes(500)])
def test_what_is_no_film_leaves_nothing(studio: Studio, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(BadInputError, match=r"a\.mp4"):
        run(studio, tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert left(tmp_path) == ["a.mp4"]


def test_a_missing_film_or_folder_is_named(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nowhere"):
        run(studio, tmp_path / "nowhere.mp4", tmp_path / "b.mp4")
    source = make_film(tmp_path / "a.mp4", 2)
    with pytest.raises(MissingInputError, match="save elsewhere"):
        run(studio, source, tmp_path / "no" / "b.mp4")


def test_a_cut_off_film_gives_what_is_there(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mkv", 60)
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) * 2 // 3])
    there = numbers(source)
    assert 0 < len(there) < 60
    told = run(studio, source, tmp_path / "b.mkv")
    assert numbers(tmp_path / "b.mkv") == there
    assert told.frames_out == len(there)


def test_a_face_that_is_not_hidden_stops_the_film(studio: Studio, tmp_path: Path) -> None:
    class Blind:
        def track(self, frame: Frame, every_frame: bool) -> Sighting:
            return Sighting((), detected=frame.seq < 4)

    studio.chain, studio.tracker = Chain((step(lambda p: p, hides=True),)), Blind
    source = make_film(tmp_path / "a.mp4", 10)
    with pytest.raises(DisclosureError, match="frame 4"):
        run(studio, source, tmp_path / "b.mp4")
    assert left(tmp_path) == ["a.mp4"]


def test_a_processor_that_fails_stops_the_film(studio: Studio, tmp_path: Path) -> None:
    def fails(picture: Picture) -> Picture:
        raise ValueError("no")

    studio.chain = Chain((step(fails),))
    source = make_film(tmp_path / "a.mp4", 10)
    with pytest.raises(FaceswapdError, match="fake failed"):
        run(studio, source, tmp_path / "b.mp4")
    assert left(tmp_path) == ["a.mp4"]


def test_a_part_of_the_film(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 60, sound=True)
    told = run(studio, source, tmp_path / "b.mp4", msgspec.structs.replace(QUICK, start_s=0.5, end_s=1.0))
    assert numbers(tmp_path / "b.mp4") == list(range(15, 30))
    assert times(tmp_path / "b.mp4")[0] == 0
    assert told.frames_out == 15
    assert 18 <= len(sound(tmp_path / "b.mp4")) <= 24


class Interrupt:
    """Ends a run as Ctrl-C does, after so many frames."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, told: Told) -> None:
        if told.frames_out == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [3, 8, 17, 25, 59])
def test_an_interrupted_film_goes_on_where_it_was(studio: Studio, tmp_path: Path, after: int) -> None:
    options = msgspec.structs.replace(QUICK, segment_s=0.25)
    source = make_film(tmp_path / "a.mp4", 60, sound=True)
    run(studio, source, tmp_path / "whole.mp4", options)
    with pytest.raises(KeyboardInterrupt):
        FilmJob(source, tmp_path / "b.mp4", studio, options, Meter(), tell=Interrupt(after)).run()
    assert not (tmp_path / "b.mp4").exists()
    told = run(studio, source, tmp_path / "b.mp4", options, resume=True)
    assert told.frames_out == told.frames_in == 60
    assert told.resumed == max(0, (after - 1) // 8 * 8)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert left(tmp_path) == ["a.mp4", "b.mp4", "whole.mp4"]


def test_another_job_does_not_go_on_with_it(studio: Studio, tmp_path: Path) -> None:
    options = msgspec.structs.replace(QUICK, segment_s=0.25)
    source = make_film(tmp_path / "a.mp4", 60)
    with pytest.raises(KeyboardInterrupt):
        FilmJob(source, tmp_path / "b.mp4", studio, options, Meter(), tell=Interrupt(40)).run()
    told = run(studio, source, tmp_path / "b.mp4", msgspec.structs.replace(options, quality=30), resume=True)
    assert told.resumed == 0
    assert numbers(tmp_path / "b.mp4") == list(range(60))


@pytest.mark.parametrize(("fps", "expected"), [(60.0, 60), (15.0, 15), (24.0, 24), (30.0, 30)])
def test_a_constant_rate_repeats_or_leaves_out(
    studio: Studio, tmp_path: Path, fps: float, expected: int
) -> None:
    source = make_film(tmp_path / "a.mp4", 30, sound=True)
    told = run(studio, source, tmp_path / "b.mp4", msgspec.structs.replace(QUICK, fps=fps))
    assert told.frames_in == 30
    assert told.frames_out == expected
    assert times(tmp_path / "b.mp4") == [Fraction(n, round(fps)) for n in range(expected)]
    shown = numbers(tmp_path / "b.mp4")
    assert shown[0] == 0
    assert shown == sorted(shown)
    assert all(abs(shown[n] - n * 30 / fps) <= 1 for n in range(expected))


def test_ten_bits_stay_ten_bits(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mkv", 6, codec="ffv1", pix_fmt="yuv420p10le")
    run(studio, source, tmp_path / "b.mkv", FilmOptions(encoder="libx265", preset="ultrafast"))
    with av.open(tmp_path / "b.mkv") as file:
        assert file.streams.video[0].pix_fmt == "yuv420p10le"
    run(studio, source, tmp_path / "c.mkv")
    with av.open(tmp_path / "c.mkv") as file:
        assert file.streams.video[0].pix_fmt == "yuv420p"
    assert numbers(tmp_path / "b.mkv") == numbers(tmp_path / "c.mkv") == list(range(6))


def colours(path: Path) -> tuple[int, int, int]:
    with av.open(path) as file:
        context = file.streams.video[0].codec_context
        return context.colorspace, context.color_primaries, context.color_trc


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_keeps_its_tags_or_is_made_ordinary(
    studio: Studio, tmp_path: Path, transfer: int
) -> None:
    source = tmp_path / "a.mkv"
    with av.open(source, "w") as file:
        video = file.add_stream("libx265", rate=30, options={"x265-params": "log-level=none"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p10le"
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, transfer
        for n in range(4):
            picture = av.VideoFrame.from_ndarray(stripes(n), "bgr24").reformat(
                format="yuv420p10le", dst_colorspace=9
            )
            picture.pts = n
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
    assert colours(source) == (9, 9, transfer)
    kept = run(studio, source, tmp_path / "b.mp4", FilmOptions(encoder="hevc", preset="ultrafast"))
    assert colours(tmp_path / "b.mp4") == (9, 9, transfer)
    mapped = run(studio, source, tmp_path / "c.mp4")
    assert colours(tmp_path / "c.mp4") == (1, 1, 1)
    assert not any("dynamic range" in note for note in kept.notes)
    assert any("dynamic range" in note for note in mapped.notes)


def test_sound_that_does_not_fit_is_encoded_anew(studio: Studio, tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.mp4", 30, sound=True)
    told = run(studio, source, tmp_path / "b.webm", FilmOptions(encoder="vp9"))
    assert told.audio == "libopus"
    told = run(studio, source, tmp_path / "c.mkv", msgspec.structs.replace(QUICK, sound_codec="flac"))
    assert told.audio == "flac"
    with av.open(tmp_path / "c.mkv") as file:
        played = sum(f.samples for f in file.decode(audio=0))
    with av.open(source) as file:
        original = sum(f.samples for f in file.decode(audio=0))
    assert abs(played - original) <= 1024
    with pytest.raises(UsageError, match="sound as vp9"):
        run(studio, source, tmp_path / "d.mkv", msgspec.structs.replace(QUICK, sound_codec="vp9"))
    assert not (tmp_path / "d.mkv").exists()


def test_pictures_that_were_not_processed_stay_behind(studio: Studio, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(source, "w") as file:
        streams = [file.add_stream("libx264", rate=30) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(5):
            for stream in streams:
                picture = av.VideoFrame.from_ndarray(stripes(n), "bgr24").reformat(format="yuv420p")
                picture.pts = n
                file.mux(stream.encode(picture))
        for stream in streams:
            file.mux(stream.encode(None))
    told = run(studio, source, tmp_path / "b.mkv")
    with av.open(tmp_path / "b.mkv") as file:
        assert len(file.streams.video) == 1
    assert "left out: another video stream" in told.notes


def test_an_encoder_that_fails_gives_way_to_the_next(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = SegmentWriter.put
    written: list[int] = []

    def fails(self: SegmentWriter, picture: av.VideoFrame, pts: int, duration: int) -> None:
        written.append(pts)
        if len(written) == 12:
            raise EncoderLostError("encoder libx264 failed (session taken)", "take another one")
        put(self, picture, pts, duration)

    def choose(*args: object, without: frozenset[str] = frozenset(), **options: object) -> Encoder:
        used.append(set(without))
        return real(*args, without=frozenset(), **options)  # type: ignore[arg-type]

    used: list[set[str]] = []
    real = encoders.choose
    monkeypatch.setattr(film_job, "choose", choose)
    monkeypatch.setattr(SegmentWriter, "put", fails)
    source = make_film(tmp_path / "a.mp4", 20)
    told = run(studio, source, tmp_path / "b.mp4")
    assert used == [set(), {"libx264"}]
    assert numbers(tmp_path / "b.mp4") == list(range(20))
    assert told.frames_out == 20
    assert any("begun anew" in note for note in told.notes)


def test_little_memory_changes_the_pace_and_nothing_else(studio: Studio, tmp_path: Path) -> None:
    studio.max_bytes = 1  # there is never room for a second frame
    source = make_film(tmp_path / "a.mp4", 12)
    told = run(studio, source, tmp_path / "b.mp4")
    assert numbers(tmp_path / "b.mp4") == list(range(12))
    assert told.peak_bytes == 64 * 48 * 9
