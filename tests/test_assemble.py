"""What comes along with the pictures into a new film, read back by plain PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from films import make_film, sound, stripes
from test_film_job import QUICK, NoFace, left, run

from faceswapd.core.errors import UsageError
from faceswapd.core.meter import Meter
from faceswapd.daemon import film_job
from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.sinks import assemble
from faceswapd.trust.disclosure import Disclosure


@pytest.fixture
def studio() -> Iterator[Studio]:
    pool = Pool("test", 2)
    yield Studio(Chain(), pool, Disclosure(), NoFace)
    pool.close()


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "out", "becomes"),
    [
        ("flac", 44_100, "stereo", "b.mov", "aac"),  # which is refused only when the film begins
        ("pcm_s16le", 22_222, "mono", "b.webm", "libopus"),
        ("pcm_s16le", 32_768, "5.1(side)", "b.webm", "libopus"),  # Opus has no channels at the sides
        ("wmav2", 44_100, "mono", "b.mp4", "aac"),  # nobody says there where its channel is
    ],
)
def test_any_sound_becomes_what_the_film_can_hold(
    studio: Studio, tmp_path: Path, codec: str, rate: int, layout: str, out: str, becomes: str
) -> None:
    kind = "asf" if codec == "wmav2" else "matroska"
    make_film(tmp_path / "v.mkv", 15)
    with av.open(tmp_path / "v.mkv") as film, av.open(tmp_path / "a.mkv", "w", format=kind) as file:
        video, audio = file.add_stream_from_template(film.streams.video[0]), file.add_stream(codec, rate=rate)
        assert isinstance(audio, AudioStream)
        audio.layout = layout
        if codec == "wmav2":
            audio.bit_rate = 64_000
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                file.mux(packet)
        channels = len(audio.layout.channels)
        form = audio.codec_context.format.name
        samples = np.zeros((channels, 2048) if form.endswith("p") else (1, 2048 * channels), "int16")
        typed = samples.astype(np.float32) if form == "fltp" else samples
        for n in range(5):
            part = av.AudioFrame.from_ndarray(typed, form, layout)
            part.sample_rate, part.pts, part.time_base = rate, n * 2048, Fraction(1, rate)
            file.mux(audio.encode(part))
        file.mux(audio.encode(None))
    told = run(studio, tmp_path / "a.mkv", tmp_path / out, FilmOptions(preset=""))
    assert told.audio == becomes
    with av.open(tmp_path / out) as file:
        played = sum(f.samples / f.sample_rate for f in file.decode(audio=0))
        assert len(file.streams.audio[0].layout.channels) == channels
    assert played == pytest.approx(5 * 2048 / rate, abs=0.1)  # encoders begin with a block of silence


def test_what_the_film_cannot_have_is_said_before_it_is_encoded(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_film(tmp_path / "a.mp4", 10, sound=True)
    monkeypatch.setattr(film_job, "SegmentWriter", None)  # nothing is ever encoded
    with pytest.raises(UsageError, match="sound as aac in webm"):
        run(studio, source, tmp_path / "b.webm", FilmOptions(sound_codec="aac"))
    job = FilmJob(source, tmp_path / "b.webm", studio, FilmOptions(), Meter())
    job.look()
    assert job.told.audio == "libopus"
    assert left(tmp_path) == ["a.mp4"]


def test_sound_that_keeps_its_rate_keeps_its_times(studio: Studio, tmp_path: Path) -> None:
    """Matroska counts milliseconds, and nothing but the length of a packet changes."""
    make_film(tmp_path / "v.mkv", 60)
    with av.open(tmp_path / "v.mkv") as film, av.open(tmp_path / "a.mkv", "w") as file:
        video, audio = (
            file.add_stream_from_template(film.streams.video[0]),
            file.add_stream("aac", rate=48_000),
        )
        assert isinstance(audio, AudioStream)
        audio.layout = "stereo"
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                file.mux(packet)
        for n in (*range(30), *range(50, 90)):  # and there is a hole
            part = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            part.sample_rate, part.pts, part.time_base = 48_000, n * 1024, Fraction(1, 48_000)
            file.mux(audio.encode(part))
        file.mux(audio.encode(None))
    run(studio, tmp_path / "a.mkv", tmp_path / "b.mkv", FilmOptions(sound_codec="aac"))

    def heard(path: Path) -> list[float]:
        with av.open(path) as file:
            return [float((f.pts or 0) * (f.time_base or 1)) for f in file.decode(audio=0)]

    before, after = heard(tmp_path / "a.mkv"), heard(tmp_path / "b.mkv")
    assert after[-1] == pytest.approx(before[-1], abs=0.05)
    for times in (before, after):
        assert max(b - a for a, b in pairwise(times)) == pytest.approx(21 * 1024 / 48_000, abs=0.03)


def test_sound_that_changes_and_overlaps_in_the_middle_is_encoded_to_its_end(
    studio: Studio, tmp_path: Path
) -> None:
    """As a broadcast does: two channels, then one; and a clock that goes back a little."""
    parts = []
    for n, layout in enumerate(("stereo", "mono", "stereo")):
        with av.open(tmp_path / f"{n}.ts", "w") as file:
            video, audio = file.add_stream("mpeg2video", rate=25), file.add_stream("mp2", rate=48_000)
            assert isinstance(video, VideoStream)
            assert isinstance(audio, AudioStream)
            video.width, video.height, video.pix_fmt, audio.layout = 64, 48, "yuv420p", layout
            for at in range(25):
                picture = av.VideoFrame.from_ndarray(stripes(at), "bgr24").reformat(format="yuv420p")
                picture.pts = at + n * 24
                file.mux(video.encode(picture))
            form = audio.codec_context.format.name
            channels = len(audio.layout.channels)
            for at in range(42):
                shape = (channels, 1152) if form.endswith("p") else (1, 1152 * channels)
                part = av.AudioFrame.from_ndarray(np.zeros(shape, np.int16), form, layout)
                part.sample_rate, part.pts = 48_000, at * 1152 + n * 46_080
                part.time_base = Fraction(1, 48_000)
                file.mux(audio.encode(part))
            for stream in (video, audio):
                file.mux(stream.encode(None))
        parts.append((tmp_path / f"{n}.ts").read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    for out, codec in (("b.mp4", "aac"), ("c.mkv", "opus")):
        told = run(studio, tmp_path / "a.ts", tmp_path / out, FilmOptions(sound_codec=codec))
        assert told.audio == codec
        with av.open(tmp_path / out) as file:
            ends = [float((f.pts or 0) * (f.time_base or 1)) for f in file.decode(audio=0)]
        assert ends == sorted(set(ends))
        assert ends[-1] == pytest.approx(2 * 0.96 + 42 * 1152 / 48_000, abs=0.1)


def test_damaged_sound_is_left_out_and_counted(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, whole = make_film(tmp_path / "a.ts", 30, sound=True), assemble._demuxed

    def received_badly(*args: Any) -> Iterator[Any]:
        for n, packet in enumerate(whole(*args)):
            if n == 5:
                bad = av.Packet(b"\xff" * 40)
                bad.pts, bad.dts, bad.time_base = packet.pts, packet.dts, packet.time_base
                bad.stream = packet.stream
                yield bad
            else:
                yield packet

    monkeypatch.setattr(assemble, "_demuxed", received_badly)
    told = run(studio, source, tmp_path / "b.mp4")
    assert "left out: 1 damaged packets beside the pictures" in told.notes
    assert len(sound(tmp_path / "b.mp4")) == len(sound(source)) - 1


def test_attachments_that_do_not_fit_are_named(studio: Studio, tmp_path: Path) -> None:
    make_film(tmp_path / "v.mkv", 5)
    with av.open(tmp_path / "v.mkv") as film, av.open(tmp_path / "a.mkv", "w") as file:
        video = file.add_stream_from_template(film.streams.video[0])
        file.add_attachment("font.ttf", "font/ttf", b"glyphs")
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                file.mux(packet)
    assert run(studio, tmp_path / "a.mkv", tmp_path / "b.mkv").notes == ()
    assert run(studio, tmp_path / "a.mkv", tmp_path / "b.mp4").notes == ("left out: attachment font.ttf",)


@pytest.mark.parametrize("kind", [".mp4", ".mov", ".mkv", ".webm"])
def test_the_same_film_twice_is_the_same_file(studio: Studio, tmp_path: Path, kind: str) -> None:
    make_film(tmp_path / "v.mkv", 8, sound=True)
    with av.open(tmp_path / "v.mkv") as film, av.open(tmp_path / "a.mkv", "w") as file:
        copies = [file.add_stream_from_template(stream) for stream in film.streams]
        file.add_attachment("font.ttf", "font/ttf", b"glyphs")
        file.add_attachment("other.ttf", "font/ttf", b"others")
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                file.mux(packet)
    options = FilmOptions(encoder="vp9") if kind == ".webm" else QUICK
    for n in range(2):
        run(studio, tmp_path / "a.mkv", tmp_path / f"{n}{kind}", options)
    assert (tmp_path / f"0{kind}").read_bytes() == (tmp_path / f"1{kind}").read_bytes()
    if kind == ".mkv":
        with av.open(tmp_path / "0.mkv") as film:
            assert [bytes(s.data) for s in film.streams.attachments] == [b"glyphs", b"others"]
