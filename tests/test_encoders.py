import os
import subprocess
import sys

import av
import cv2
import pytest
from av.codec.context import OptionType
from av.video.codeccontext import VideoCodecContext

from faceswapd.core.errors import ConfigError, UsageError
from faceswapd.core.settings import Size
from faceswapd.sinks.encoders import CANDIDATES, Candidate, Encoder, choose, matrix_of, probe, settings

SIZE = (320, 240)
SOFTWARE = ("libx264", "libx265", "libvpx-vp9", "libsvtav1")


NUMBERS = {OptionType[name] for name in ("INT", "INT64", "FLOAT", "DOUBLE", "BOOL")}


def candidate(name: str) -> Encoder:
    return settings(next(c for c in CANDIDATES if c.name == name), SIZE, 30, live=True)


class Machine:
    """A machine on which only these encoders work; notes what was tried."""

    def __init__(self, *works: str) -> None:
        self.works = works
        self.tried: list[str] = []

    def __call__(self, encoder: Encoder, size: Size, fps: float) -> str:
        self.tried.append(encoder.name)
        return "" if encoder.name in self.works else "no driver"


def test_hardware_is_tried_first_and_what_refuses_is_passed_over() -> None:
    machine = Machine("h264_qsv", "libx264")

    assert choose("auto", SIZE, 30, live=True, probe=machine).name == "h264_qsv"
    assert machine.tried == ["h264_nvenc", "h264_amf", "h264_qsv"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [("auto", "libx264"), ("hevc", "libx265"), ("vp9", "libvpx-vp9"), ("av1", "libsvtav1")],
)
def test_software_works_everywhere(wanted: str, name: str) -> None:
    assert choose(wanted, SIZE, 30, live=True, probe=Machine(*SOFTWARE)).name == name


def test_a_container_that_holds_no_h264_gets_its_own_codec() -> None:
    assert choose("auto", SIZE, 30, live=True, codecs=("vp9", "av1"), probe=Machine(*SOFTWARE)).codec == "vp9"
    with pytest.raises(UsageError, match="takes vp9, av1"):
        choose("libx264", SIZE, 30, live=True, codecs=("vp9", "av1"), probe=Machine(*SOFTWARE))


def test_what_nobody_knows_and_what_does_not_work_is_said() -> None:
    with pytest.raises(UsageError, match="unknown encoder 'mpeg9'"):
        choose("mpeg9", SIZE, 30, live=True)
    with pytest.raises(ConfigError, match="hevc_nvenc: no driver"):
        choose("hevc_nvenc", SIZE, 30, live=True, probe=Machine("libx265"))


@pytest.mark.parametrize(
    ("wanted", "codecs", "name"),
    [("auto", ("h264",), "libx264"), ("hevc", ("hevc",), "libx265"), ("libsvtav1", ("av1",), "libsvtav1")],
)
def test_a_preset_that_nobody_has_is_named(
    capfd: pytest.CaptureFixture[str], wanted: str, codecs: tuple[str, ...], name: str
) -> None:
    with pytest.raises(UsageError, match=f"preset 'foo' is none of {name}'s"):
        choose(wanted, (320, 240), 30, live=False, preset="foo", codecs=codecs)
    if name != "libsvtav1":
        assert "x26" not in capfd.readouterr().err


def test_who_asked_for_auto_is_not_told_to() -> None:
    with pytest.raises(ConfigError) as refused:
        choose("auto", (320, 240), 30, live=False, probe=lambda *_: "no")
    assert "auto" not in refused.value.remedy


def test_an_encoder_that_is_listed_but_has_no_hardware_is_refused_by_the_probe() -> None:
    """One of these two is not there on any machine."""
    refused = [probe(candidate(name), SIZE, 30) for name in ("h264_amf", "h264_videotoolbox")]

    assert any(refused)
    assert all("avcodec_open2" not in reason for reason in refused)


@pytest.mark.parametrize("name", SOFTWARE)
@pytest.mark.parametrize("live", [True, False])
def test_software_encoders_take_their_settings(name: str, live: bool) -> None:
    chosen = next(c for c in CANDIDATES if c.name == name)

    assert probe(settings(chosen, SIZE, 30, live=live), SIZE, 30) == ""


LISTED = [c for c in CANDIDATES if c.name in av.codecs_available]


def test_the_wheel_lists_what_this_system_could_have() -> None:
    """So that the next test reads their option tables, without the hardware."""
    vendors = {c.name.rpartition("_")[2] for c in LISTED}
    wanted = {"darwin": {"videotoolbox"}}.get(sys.platform, {"nvenc", "qsv"})
    assert vendors >= wanted | set(SOFTWARE)


@pytest.mark.parametrize("wanted", LISTED, ids=lambda c: c.name)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("quality", [0, 60, 100])
def test_every_option_is_one_that_the_encoder_has_and_so_is_its_value(
    wanted: Candidate, live: bool, quality: int
) -> None:
    encoder = settings(wanted, SIZE, 30, live=live, quality=quality)
    known = VideoCodecContext.create(encoder.name, "w").supported_options
    named = {option.name: option for option in (*known.generic, *known.private)}

    assert set(encoder.options) <= set(named)
    for name, value in encoder.options.items():
        option = named[name]
        if choices := {choice.name for choice in option.choices}:
            assert value in choices, name
        elif option.type in NUMBERS:
            assert option.min <= float(value) <= option.max, name


def test_a_wrong_word_would_be_found() -> None:
    """The tables are really read: a misspelt value is in none of them."""
    known = VideoCodecContext.create("h264_nvenc" if sys.platform != "darwin" else "libvpx-vp9", "w")
    choices = {c.name for o in known.supported_options.private for c in o.choices}
    assert not choices & {"p8", "ultra_low_latency", "good-quality"}
    assert choices & {"p7", "good"}


def test_more_quality_is_a_smaller_quantiser_or_more_bits() -> None:
    x264, amf = (next(c for c in CANDIDATES if c.name == name) for name in ("libx264", "h264_amf"))
    crfs = [settings(x264, SIZE, 30, live=False, quality=q).options["crf"] for q in (0, 60, 100)]
    rates = [settings(amf, (1280, 720), 30, live=False, quality=q).bit_rate or 0 for q in (0, 60, 100)]

    assert crfs == ["36", "22", "12"]
    assert rates == [552960, pytest.approx(2_807_000, rel=0.001), 8294400]


def test_live_encoders_leave_cores_to_the_picture() -> None:
    assert all(settings(c, SIZE, 30, live=True).threads <= 4 for c in CANDIDATES)
    x264 = candidate("libx264").options
    assert x264["preset"] in ("superfast", "veryfast")
    assert int(x264["rc-lookahead"]) <= 10


@pytest.mark.parametrize("wide", [True, False])
def test_avx_512_is_left_to_live_films_and_even_rows(monkeypatch: pytest.MonkeyPatch, wide: bool) -> None:
    monkeypatch.setattr(cv2, "checkHardwareSupport", lambda _feature: wide)
    x264 = next(c for c in CANDIDATES if c.name == "libx264")
    for width, ragged in (
        (854, True),
        (1080, True),
        (1906, False),
        (1920, False),
        (1280, False),
        (640, False),
    ):
        assert ("x264-params" in settings(x264, (width, 480), 30, live=False).options) == (wide and ragged)
    assert "x264-params" not in settings(x264, (854, 480), 30, live=True).options


ENCODES = """
import hashlib, sys
import av, cv2, numpy as np
from faceswapd.sinks.encoders import choose

size = (386, 288)
context = av.CodecContext.create("libx264", "w")
choose("libx264", size, 30, live=False).configure(context, size, 30)
film, seed = hashlib.md5(), np.random.default_rng(1)
texture = cv2.GaussianBlur(seed.integers(0, 256, (400, 500), np.uint8), (0, 0), 3)
for n in range(75):
    picture = np.full((432, 386), 128, np.uint8)
    picture[:288] = cv2.add(texture[n:][:288, n // 2 :][:, :386], seed.integers(0, 9, (288, 386), np.uint8))
    frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
    frame.pts = n * 3000
    for packet in context.encode(frame):
        film.update(bytes(packet))
for packet in context.encode(None):
    film.update(bytes(packet))
sys.stdout.write(film.hexdigest())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc fills memory that was never written")
def test_a_film_does_not_depend_on_what_memory_held_before() -> None:
    films = {
        subprocess.run(
            [sys.executable, "-c", ENCODES],
            env={**os.environ, "MALLOC_PERTURB_": fill},
            capture_output=True, text=True, check=True,
        ).stdout[-32:]
        for fill in ("1", "85")
    }  # fmt: skip
    assert len(films) == 1
    assert len(films.pop()) == 32


def test_the_colour_matrix_follows_the_size() -> None:
    assert [matrix_of(s) for s in ((640, 480), (1280, 720), (720, 1280), (1920, 1080))] == [6, 1, 1, 1]
