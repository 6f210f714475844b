from pathlib import Path

import pytest
from capture_fakes import FakeSystem

from faceswapd.capture.camera import Camera
from faceswapd.capture.devices import Device
from faceswapd.capture.pattern import Pattern
from faceswapd.capture.portrait import Portrait
from faceswapd.capture.sources import make_source
from faceswapd.capture.still import Still
from faceswapd.capture.stream import Stream
from faceswapd.core.errors import MissingInputError, NoDeviceError, UsageError

HD = (1280, 720)
SYSTEM = FakeSystem(
    Device("faceswapd", "/dev/video9", virtual=True, captures=False, outputs=True),
    Device("HD Webcam v2.0", "/dev/video0"),
    Device("other", "/dev/video2"),
)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("auto", "HD Webcam v2.0"),
        ("other", "other"),
        ("/dev/video2", "other"),
        ("2", "other"),
        ("v2.0", "HD Webcam v2.0"),
    ],
)
def test_cameras(spec: str, name: str) -> None:
    source = make_source(spec, HD, 30, system=SYSTEM)

    assert isinstance(source, Camera)
    assert source.name == name


def test_drawn_sources_have_the_size_and_rate_asked_for() -> None:
    pattern, portrait = make_source("pattern:", HD, 25), make_source("portrait:", HD, 25)
    four = make_source("portrait:4", HD, 25)

    assert isinstance(pattern, Pattern)
    assert isinstance(portrait, Portrait)
    assert {(s.size, s.fps) for s in (pattern, portrait, four)} == {(HD, 25)}
    assert four.name == "portrait:4"


def test_files_by_path_and_by_url(tmp_path: Path) -> None:
    (tmp_path / "a b.mp4").touch()
    (tmp_path / "p.JPG").touch()
    (tmp_path / "noname").touch()

    for spec in (f"{tmp_path}/a b.mp4", f"file:{tmp_path}/a b.mp4", f"file://{tmp_path}/a%20b.mp4"):
        source = make_source(spec, HD, 30, loop=True)
        assert isinstance(source, Stream)
        assert source.name == f"{tmp_path}/a b.mp4"
    assert isinstance(make_source(f"{tmp_path}/p.JPG", HD, 30), Still)
    assert isinstance(make_source(f"{tmp_path}/noname", HD, 30), Stream)


@pytest.mark.parametrize(
    "url", ["rtsp://cam/live", "http://host/a.mp4", "HTTPS://host/a", "udp://@:5000", "srt://h:1"]
)
def test_network_streams(url: str) -> None:
    assert isinstance(make_source(url, HD, 30), Stream)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("", UsageError, "an empty source"),
        ("gopher://x", UsageError, "source gopher://: known are http"),
        ("portrait:two", UsageError, "portrait:N with N faces from 1 to 4"),
        ("portrait:9", UsageError, "portrait of 9 faces: from 1 to 4"),
        ("holiday.mp4", MissingInputError, r"source holiday\.mp4: there is no such file"),
        ("films/holiday", MissingInputError, "there is no such file"),
        (
            "nobody",
            NoDeviceError,
            r"no camera is called 'nobody': there is HD Webcam v2\.0 \(/dev/video0\), other",
        ),
        ("/dev/video7", NoDeviceError, "no camera is called '/dev/video7'"),
        ("7", NoDeviceError, "no camera is called '7'"),
        ("faceswapd", NoDeviceError, "virtual camera faceswapd is no source now: nobody writes to it"),
    ],
)
def test_what_cannot_be_is_refused_by_name(spec: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_source(spec, HD, 30, system=SYSTEM)


@pytest.mark.parametrize("spec", ["auto", "nobody"])
def test_without_any_camera_the_other_ways_are_named(spec: str) -> None:
    with pytest.raises(NoDeviceError, match="name a film, a picture or a URL, or use `portrait:`"):
        make_source(spec, HD, 30, system=FakeSystem())


def test_a_folder_and_a_missing_file_url_are_missing_input(tmp_path: Path) -> None:
    for spec in (str(tmp_path), f"file:{tmp_path}/nothing.mp4"):
        with pytest.raises(MissingInputError):
            make_source(spec, HD, 30).open()
