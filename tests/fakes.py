"""Doubles that keep the house's own contracts; `unittest.mock` is for errors of the operating system only."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faceswapd.capture.source import EndOfSource, Shot
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import Size
from faceswapd.inference.engine import Tensor
from faceswapd.inference.shelf import Shelf
from faceswapd.sinks.sink import WhenFull


class ManualClock:
    """Time that passes only when a test says so, or when somebody waits and `auto` is on."""

    def __init__(self, auto: bool = True) -> None:
        self.ns = 1_000_000_000
        self.auto = auto

    def now_ns(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)

    def wait(self, stop: threading.Event, until_ns: int) -> bool:
        if self.auto and not stop.is_set():
            self.ns = max(self.ns, until_ns)
        return stop.is_set()


def picture(width: int = 64, height: int = 48, value: int = 0) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


def frame(seq: int = 0, pixels: Pixels | None = None, captured_ns: int = 0) -> Frame:
    return Frame(seq, captured_ns, picture() if pixels is None else pixels)


class FakeSource:
    """Gives its pictures one by one; an exception among them is raised in its place."""

    def __init__(self, shots: Sequence[Pixels | Exception], fps: float = 30.0, paced: bool = True) -> None:
        self.shots = list(shots)
        self.fps = fps
        self.paced = paced
        self.name = "fake"
        self.size: Size = (64, 48)
        self.log: list[str] = []
        self._n = 0

    def open(self) -> None:
        self.log.append("open")

    def read(self) -> Shot:
        if self._n >= len(self.shots):
            raise EndOfSource
        shot = self.shots[self._n]
        self._n += 1
        if isinstance(shot, Exception):
            raise shot
        return Shot(shot, (self._n - 1) / self.fps)

    def close(self) -> None:
        self.log.append("close")


class FakeSink:
    """Keeps the frames it is given; `on_put` may block or raise."""

    def __init__(
        self,
        when_full: WhenFull = WhenFull.NEWEST,
        steady: bool = False,
        on_put: Callable[[Frame], None] = lambda _: None,
    ) -> None:
        self.name = "fake"
        self.when_full = when_full
        self.steady = steady
        self.frames: list[Frame] = []
        self.log: list[str] = []
        self.on_put = on_put

    def open(self) -> None:
        self.log.append("open")

    def put(self, frame: Frame) -> None:
        self.on_put(frame)
        self.frames.append(frame)

    def close(self) -> None:
        self.log.append("close")


class FakeRunner:
    """A model that is a function."""

    def __init__(self, model: str, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self.model = model
        self.engine = "fake"
        self.function = function
        self.closed = False

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.function(*inputs)

    def close(self) -> None:
        self.closed = True


class FakeModels:
    """Loads the runners it was given."""

    def __init__(self, **runners: Callable[..., tuple[Tensor, ...]]) -> None:
        self.runners = {name: FakeRunner(name, f) for name, f in runners.items()}
        self.shelf = Shelf(Path("nowhere"))

    def load(self, model: str, **options: Any) -> FakeRunner:
        return self.runners[model]
