"""Encoders with little memory."""

from faceswapd.daemon.thrift import at_once, held, thrifty
from faceswapd.sinks.encoders import Encoder

X264 = Encoder("libx264", "h264", "yuv420p", {"preset": "medium", "crf": "22"}, threads=8)
UHD = (3840, 2160)


def test_with_enough_memory_nothing_changes() -> None:
    assert thrifty(X264, UHD, 8 << 30) == X264
    assert thrifty(X264, (1280, 720), 1 << 30) == X264


def test_less_memory_means_less_to_hold() -> None:
    before = held(X264, UHD)
    small = thrifty(X264, UHD, 3 << 29)
    assert held(small, UHD) < before / 2
    assert small.options["crf"] == "22"
    assert held(thrifty(X264, UHD, 1 << 29), UHD) <= held(small, UHD)


def test_hardware_holds_its_pictures_elsewhere() -> None:
    nvenc = Encoder("h264_nvenc", "h264", "yuv420p", {"preset": "p7"})
    assert thrifty(nvenc, UHD, 1 << 28) is nvenc


def test_x265_is_told_in_its_own_words() -> None:
    x265 = Encoder("libx265", "hevc", "yuv420p", {"preset": "medium", "x265-params": "log-level=error"})
    small = thrifty(x265, UHD, 1 << 29)
    assert "log-level=error:rc-lookahead=" in small.options["x265-params"]
    assert "rc-lookahead" not in small.options


def test_as_many_workers_as_there_is_room_for_with_what_each_holds() -> None:
    assert at_once(8, 1000, frame=100, work=0) == 8
    assert at_once(8, 1000, frame=100, work=150) == 4
    assert at_once(8, 0, frame=100, work=150) == 1  # one always works
    assert at_once(8, 1000, frame=0, work=0) == 8
