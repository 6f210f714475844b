"""Encoders with little memory."""

import subprocess
import sys

import pytest

from faceswapd.daemon.thrift import Pressure, at_once, held, thrifty
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


def test_near_the_limit_what_is_free_is_given_back_once_and_before_frames_have_to_wait() -> None:
    holds, given = [500.0], []

    def give_back() -> None:
        given.append(holds[0])
        holds[0] -= 200

    tight = Pressure(1000, lambda: holds[0], give_back)
    assert not tight()
    assert given == []
    holds[0] = 950
    assert not tight()  # what came back is enough
    assert given == [950]
    holds[0] = 950
    assert tight()
    assert given == [950]  # it goes back by itself from now on
    holds[0] = 890
    assert not tight()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_what_was_free_already_goes_back_too() -> None:
    """In a process of its own: it stays so for ever."""
    program = """
import threading
import numpy as np
from faceswapd.daemon.progress import memory_mb
from faceswapd.daemon.thrift import give_back_at_once
held, last = [np.ones(100_000, np.uint8) for _ in range(2000)], np.ones(1, np.uint8)
full = memory_mb()
del held[::2], held[:]
give_back_at_once()
assert memory_mb() < full - 150, (full, memory_mb())
few = memory_mb()
held = [np.ones(2_000_000, np.uint8) for _ in range(50)]
del held
assert memory_mb() < few + 10, (few, memory_mb())
"""
    subprocess.run([sys.executable, "-c", program], check=True)
