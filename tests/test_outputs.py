import sys
from pathlib import Path

import pytest
from fakes import ManualClock

from faceswapd.core.errors import NoDeviceError, UsageError
from faceswapd.daemon import outputs
from faceswapd.daemon.outputs import kind, make_outputs
from faceswapd.sinks.recorder import Recorder
from faceswapd.sinks.sink import Sink

SIZE = (640, 360)


def film(path: Path) -> Sink:
    return Recorder(path, SIZE, 30, ManualClock())


def made(*words: str) -> list[Sink]:
    return make_outputs(words, SIZE, 30, film)


@pytest.mark.parametrize(
    ("word", "name", "is_a"),
    [
        ("none", "none", "memory"),
        ("memory:", "memory:", "memory"),
        ("talk.mkv", "talk.mkv", "film"),
        ("pipewire:", "pipewire:faceswapd", "virtual-camera"),
        ("pipewire:my camera", "pipewire:my camera", "virtual-camera"),
        ("mjpeg:", "http://127.0.0.1:7867/", "stream"),
        ("mjpeg:8090", "http://127.0.0.1:8090/", "stream"),
        ("udp://10.0.0.2:5000", "udp://10.0.0.2:5000", "stream"),
        ("rtmp://host/live/secret", "rtmp://host", "stream"),
        ("srt://host:9000?mode=caller", "srt://host:9000", "stream"),
    ],
)
def test_what_the_words_mean(word: str, name: str, is_a: str) -> None:
    (sink,) = made(word)
    assert sink.name == name
    assert kind(sink) == is_a


def test_several_at_once_in_their_order() -> None:
    assert [sink.name for sink in made("pipewire:a", "pipewire:b", "mjpeg:", "talk.mp4")] == [
        "pipewire:a", "pipewire:b", "http://127.0.0.1:7867/", "talk.mp4"]  # fmt: skip


@pytest.mark.parametrize("word", ["mjpeg:x", "mjpeg:70000", "talk.txt", "udp://"])
def test_words_that_mean_nothing(word: str) -> None:
    with pytest.raises(UsageError, match=word):
        made(word)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has more than one way")
def test_without_a_virtual_camera_the_ways_to_one_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "first_virtual_camera", lambda: None)
    with pytest.raises(NoDeviceError, match=r"modprobe v4l2loopback .*--output pipewire: .*none"):
        made("auto")


def test_an_existing_film_is_refused_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.mp4 exists.*--overwrite"):
        made(str(mine))
    assert mine.read_text() == "mine"
    (sink,) = make_outputs([str(mine)], SIZE, 30, film, overwrite=True)
    assert kind(sink) == "film"
