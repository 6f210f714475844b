"""Cameras of the guest and programs that use them: what a test sees is what another program sees."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from e2e.guest import EMULATED

from faceswapd.capture.pattern import BARS, Pattern, counter
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.pixels import i420_to_bgr
from faceswapd.core.settings import Size
from faceswapd.native import v4l2 as abi
from faceswapd.sinks.v4l2 import V4l2Sink

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
OUTPUT = "/dev/video10"
"""The v4l2loopback that the project writes to; its label is LABEL."""
SPARE = "/dev/video11"
"""A second one, which other programs write to."""
VIVID = "/dev/video20"
"""The webcam without hardware."""
LABEL = "faceswapd"
T = TypeVar("T")


class Driver(msgspec.Struct, frozen=True):
    """A loaded v4l2loopback."""

    version: tuple[int, ...]

    @property
    def tells_readers(self) -> bool:
        """It has the client-usage event, and serves one streaming reader at a time."""
        return self.version >= (0, 13)


@contextmanager
def loaded(version: str) -> Iterator[Driver]:
    """Loads it as users do, with two devices; unloads it again."""
    module = Path(os.environ["RIG_HOME"], os.environ["RIG_KIND"], "loopback", f"{version}.ko")
    subprocess.run(["modprobe", "videodev"], check=True)
    options = ["devices=2", "video_nr=10,11", "exclusive_caps=1,1", f"card_label={LABEL},spare"]
    subprocess.run(["insmod", module, *options], check=True)
    yield Driver(tuple(map(int, version.split("."))))
    unload = ["rmmod", "v4l2loopback"]
    wait_for(lambda: subprocess.run(unload, stderr=subprocess.DEVNULL, check=False).returncode == 0)


class Seen(msgspec.Struct):
    """What a reader saw."""

    opened: bool
    size: Size = (0, 0)
    counters: list[int] = []
    """The pattern's number of each frame."""
    times_s: list[float] = []
    last: list[list[int]] = []
    """BGR in the middle of the eight bars of the last frame."""

    @property
    def fps(self) -> float:
        """Frames per second between the first and the last one."""
        return (len(self.times_s) - 1) / (self.times_s[-1] - self.times_s[0])

    @property
    def backward(self) -> int:
        """How often a frame came after a newer one."""
        return sum(b < a for a, b in pairwise(self.counters))

    @property
    def lost(self) -> int:
        """How many frames between the first and the last one it did not see."""
        return self.counters[-1] - self.counters[0] - len(self.counters) + 1

    @property
    def in_order(self) -> bool:
        """The picture moved, and never back."""
        return not self.backward and self.counters[-1] > self.counters[0]


def good_take(take: Callable[[], T], good: Callable[[T], object]) -> T:
    """The first of five takes that is good, else the last: another load may spoil some, hardly all."""
    for _ in range(4):
        taken = take()
        if good(taken):
            return taken
    return take()


def flowing(read: Callable[[], Seen], fps: float, lost: int | None = None) -> Seen:
    """What a reader saw: the right colours, the frames in order, at this rate within 5 %, and no more `lost`.

    v4l2loopback writes over what a reader has not finished with, so that a starved one sees a frame come after
    a newer one. In the emulated guest all readers are starved.
    """
    most = float("inf") if lost is None else lost
    seen = good_take(
        read, lambda seen: EMULATED or (seen.in_order and near(seen.fps, fps) and seen.lost <= most)
    )
    assert off(seen.last) <= 3
    assert seen.counters[-1] > seen.counters[0]
    assert EMULATED or not seen.backward, f"{seen.backward} of {len(seen.counters)} frames after a newer one"
    assert EMULATED or near(seen.fps, fps), f"{seen.fps:.2f} fps, not {fps}"
    assert EMULATED or seen.lost <= most, f"{seen.lost} frames were lost on the way"
    return seen


def moves(path: str) -> bool:
    """Whether a reader sees the picture move, and never back."""
    return good_take(lambda: seen_by_opencv(path, 10), lambda seen: seen.in_order).in_order


def near(fps: float, asked: float) -> bool:
    """Within 5 %."""
    return abs(fps / asked - 1) <= 0.05


class Reader:
    """Another program that reads a camera with OpenCV (e2e.read)."""

    def __init__(self, path: str, frames: int, seconds: float = 30.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "e2e.read", path, str(frames), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            env=ENV,
        )

    def wait_until_open(self) -> None:
        """Returns when it has its first frame."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line == "first\n", f"the reader says {line!r}"

    def seen(self) -> Seen:
        """Waits for its end."""
        out, _ = self._process.communicate(timeout=60)
        return msgspec.json.decode(out.removeprefix("first\n"), type=Seen)

    def stop(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.communicate()


def seen_by_opencv(path: str, frames: int) -> Seen:
    """Reads so many frames."""
    return Reader(path, frames).seen()


def seen_by_ffmpeg(path: str, size: Size, frames: int) -> Seen:
    """Reads so many frames of I420 as the device gives them; their times are those of arrival."""
    seen = Seen(True, size)
    width, height = size
    take = f"ffmpeg -v error -nostdin -f v4l2 -input_format yuv420p -i {path} -frames:v {frames}"
    command = f"{take} -fps_mode passthrough -f rawvideo -pix_fmt yuv420p -".split()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while len(data := process.stdout.read(width * height * 3 // 2)):
            note(seen, i420_to_bgr(np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width)))
    return seen


def note(seen: Seen, pixels: Pixels) -> None:
    """Adds a frame to what was seen."""
    height, width = pixels.shape[:2]
    seen.times_s.append(time.monotonic())
    seen.counters.append(counter(pixels))
    seen.last = [pixels[height // 2, width * (2 * i + 1) // 16].tolist() for i in range(8)]


def off(bars: list[list[int]]) -> int:
    """The largest distance of a channel from the pattern's own colours."""
    return int(np.abs(np.array(bars) - np.array(BARS)).max())


def capabilities(path: str) -> int:
    """CAPTURE and OUTPUT as the device announces them now, to a program that opens it."""
    kernel, answer = abi.Kernel(), abi.Capability()
    fd = kernel.open(path)
    try:
        kernel.ioctl(fd, abi.QUERYCAP, answer)
    finally:
        kernel.close(fd)
    return int(answer.device_caps) & (abi.CAP_CAPTURE | abi.CAP_OUTPUT)


def wait_for(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Returns as soon as it holds; fails the test if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def writing(path: str, size: Size, fps: float = 30.0, first: int = 0) -> Iterator[V4l2Sink]:
    """The project's output fed with the test pattern from `first` on, at the given rate, in a thread."""
    sink, pattern, stop = V4l2Sink(path, size, fps), Pattern(size, fps), threading.Event()
    sink.open()

    def play() -> None:
        start, n = time.monotonic(), 0
        while not stop.wait(max(0.0, start + n / fps - time.monotonic())):
            sink.put(Frame(n, 0, pattern.draw(first + n)))
            n += 1

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield sink
    finally:
        stop.set()
        thread.join()
        sink.close()


@contextmanager
def program(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program, ended by SIGTERM."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
