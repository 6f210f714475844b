"""Subtitles in kinds of film that cannot hold them as they are, read back by plain PyAV and by ffprobe."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.subtitles.subtitle import SubtitleSet
from films import make_film, stripes
from test_film_job import QUICK, NoFace, run

from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.trust.disclosure import Disclosure

HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, "
    b"MarginR, MarginV, Encoding\r\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)
LINES = [(200, 300, "Hello {\\i1}world{\\i0}"), (600, 250, "Zwölf &\\Nzwei")]


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 2)
    yield Studio(Chain(), pool, Disclosure(), NoFace)
    pool.close()


def with_subtitles(path: Path, codec: str) -> Path:
    """A second of stripes with `LINES`."""
    with av.open(path, "w") as file:
        video: Any = file.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        text: Any = file.add_stream(codec)
        text.codec_context.time_base = text.time_base = Fraction(1, 1000)
        text.codec_context.subtitle_header = HEADER
        text.metadata["language"] = "deu"
        for n in range(30):
            picture = av.VideoFrame.from_ndarray(stripes(n), "bgr24").reformat(format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 30)
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
        for n, (start, length, line) in enumerate(LINES):
            ass = f"{n},0,Default,,0,0,0,,{line}".encode()
            packet = text.codec_context.encode_subtitle(SubtitleSet.create(ass, 0, length))
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = length, Fraction(1, 1000), text
            file.mux(packet)
    return path


def read(path: Path) -> list[tuple[int, int, str]]:
    """(start, length, text) of every subtitle, in ms."""
    out = []
    with av.open(path) as file:
        stream: Any = file.streams.subtitles[0]
        for packet in file.demux(stream):
            for line in (stream.codec_context.decode2(packet) if packet.size else None) or ():
                base = Fraction(stream.time_base.numerator, stream.time_base.denominator) * 1000
                out.append((round(packet.pts * base), round(packet.duration * base), line.ass.decode()))
    return [(start, length, text.split(",", 8)[8]) for start, length, text in out]


@pytest.mark.parametrize(
    ("codec", "out", "becomes"),
    [
        ("srt", "b.mp4", "mov_text"),
        ("ass", "b.mp4", "mov_text"),
        ("webvtt", "b.mov", "mov_text"),
        ("srt", "b.webm", "webvtt"),
        ("ass", "b.webm", "webvtt"),
        ("srt", "b.mkv", "srt"),
        ("ass", "b.mkv", "ass"),
    ],
)
def test_text_is_carried_into_what_the_film_can_hold(
    studio: Studio, tmp_path: Path, codec: str, out: str, becomes: str
) -> None:
    source = with_subtitles(tmp_path / "a.mkv", codec)
    told = run(studio, source, tmp_path / out, FilmOptions(encoder="vp9") if out.endswith("webm") else QUICK)
    lines = read(tmp_path / out)
    assert [(start, length) for start, length, _ in lines] == [(200, 300), (600, 250)]
    assert "world" in lines[0][2]
    assert "\\i1" in lines[0][2]
    assert lines[1][2] == "Zwölf &\\Nzwei"
    assert any(becomes in note for note in told.notes) == (codec != becomes)
    if not out.endswith("mov"):  # QuickTime knows this language by another code
        with av.open(tmp_path / out) as file:
            assert file.streams.subtitles[0].metadata["language"] == "deu"


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_sees_them_too(studio: Studio, tmp_path: Path) -> None:
    run(studio, with_subtitles(tmp_path / "a.mkv", "srt"), tmp_path / "b.mp4")
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "s", "-show_entries",
         "stream=codec_name:packet=pts_time,size", "-of", "json", str(tmp_path / "b.mp4")],
        capture_output=True, check=True,
    )  # fmt: skip
    assert not told.stderr
    found = json.loads(told.stdout)
    assert [s["codec_name"] for s in found["streams"]] == ["mov_text"]
    full = [float(p["pts_time"]) for p in found["packets"] if int(p["size"]) > 2]
    assert full == [0.2, 0.6]


def test_text_from_an_mp4_comes_into_a_matroska(studio: Studio, tmp_path: Path) -> None:
    run(studio, with_subtitles(tmp_path / "a.mkv", "srt"), tmp_path / "b.mp4")
    told = run(studio, tmp_path / "b.mp4", tmp_path / "c.mkv")
    assert told.notes == ("subtitles mov_text became srt",)
    assert [line[:2] for line in read(tmp_path / "c.mkv")] == [(200, 300), (600, 250)]


def test_a_part_has_its_subtitles_at_its_own_times(studio: Studio, tmp_path: Path) -> None:
    source = with_subtitles(tmp_path / "a.mkv", "srt")
    run(studio, source, tmp_path / "b.mp4", FilmOptions(preset="ultrafast", start_s=0.5))
    assert [line[:2] for line in read(tmp_path / "b.mp4")] == [(100, 250)]


def test_a_line_that_is_being_shown_when_a_part_begins_is_shown_from_there_on(
    studio: Studio, tmp_path: Path
) -> None:
    source = with_subtitles(tmp_path / "a.mkv", "srt")
    run(studio, source, tmp_path / "b.mkv", FilmOptions(preset="ultrafast", start_s=0.3, end_s=0.7))
    assert [line[:2] for line in read(tmp_path / "b.mkv")] == [(0, 200), (300, 250)]


def test_subtitles_that_are_pictures_are_said_to_be_left_out(studio: Studio, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    make_film(tmp_path / "v.mkv", 10)
    with av.open(tmp_path / "v.mkv") as film, av.open(source, "w") as file:
        video = file.add_stream_from_template(film.streams.video[0])
        drawn: Any = file.add_stream("dvdsub")
        drawn.codec_context.time_base = drawn.time_base = Fraction(1, 1000)
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                file.mux(packet)
    told = run(studio, source, tmp_path / "b.webm", FilmOptions(encoder="vp9"))
    assert told.notes == ("left out: subtitles dvdsub: this kind of film cannot hold them",)
    with av.open(tmp_path / "b.webm") as film:
        assert not film.streams.subtitles
