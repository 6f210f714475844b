"""A shared screen between a portal and a reader that are not there."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from capture_fakes import Stopwatch
from fakes import picture

from faceswapd.capture.portal import DeniedError, Grant
from faceswapd.capture.screencast import ScreenCast
from faceswapd.core.errors import DeviceLostError, NoDeviceError
from faceswapd.core.frame import Pixels

FPS = 100


class FakeSharing:
    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.refusal: NoDeviceError | None = None
        self.is_over = False

    def open(self) -> Grant:
        self.opened += 1
        if self.refusal is not None:
            raise self.refusal
        self.is_over = False
        return Grant(-1, 7)

    def ended(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.closed += 1


class FakeReader:
    """Has a new picture every `every_s`, from its opening on; none but the first where that is 0."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.sizes: list[tuple[int, int]] = []
        self.lost = self.is_open = False
        self.count = 0
        self.due_s = 0.0
        self.size = (64, 48)

    def open(self, fps: float, remote: int | None = None) -> None:
        assert (fps, remote) == (FPS, -1)
        self.is_open, self.due_s = True, time.monotonic()

    def wait(self, seconds: float) -> bool:
        if self.lost:
            raise DeviceLostError("the node went away", "-")
        left_s = self.due_s - time.monotonic() if self.every_s else seconds + 1
        time.sleep(max(0.0, min(seconds, left_s)))
        return left_s <= seconds

    def newest(self) -> Pixels | None:
        self.count += 1
        self.due_s = max(self.due_s, time.monotonic() - self.every_s) + self.every_s
        width, height = self.sizes.pop(0) if self.sizes else (64, 48)
        return picture(width, height)

    def close(self) -> None:
        self.is_open = False


def made(every_s: float) -> tuple[ScreenCast, FakeSharing, FakeReader]:
    sharing, reader = FakeSharing(), FakeReader(every_s)

    def reading(name: str, node: int) -> FakeReader:
        assert (name, node) == ("screen:", 7)
        return reader

    source = ScreenCast("screen:", FPS, portal=sharing, reader=reading)
    source.open()
    return source, sharing, reader


@pytest.mark.parametrize(("produced", "shown"), [(100, 100), (90, 90), (400, 100), (0, 57)])
def test_its_rate_is_the_producers_up_to_the_one_asked_for(
    monkeypatch: pytest.MonkeyPatch, produced: int, shown: int
) -> None:
    stopwatch = Stopwatch()
    monkeypatch.setattr("faceswapd.capture.screencast.time", stopwatch)
    monkeypatch.setitem(globals(), "time", stopwatch)  # the reader's
    source, _, reader = made(1 / produced if produced else 0)
    begin, n = stopwatch.now_s, 0
    while stopwatch.now_s - begin < 5:
        assert source.read().pixels.shape == (48, 64, 3)
        n += 1
    rate = n / (stopwatch.now_s - begin)
    assert 0.97 * shown < rate < 1.03 * shown
    assert (reader.count == 1) == (produced == 0)
    source.close()
    assert not reader.is_open


def test_a_screen_that_changes_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _, reader = made(1 / FPS)
    assert source.size == (64, 48)
    reader.sizes = [(96, 54)]
    assert source.read().pixels.shape == (54, 96, 3)
    assert source.size == (96, 54)
    source.close()


def test_who_ends_the_sharing_is_not_asked_again() -> None:
    source, sharing, _ = made(0)
    source.read()
    sharing.is_over = True
    with pytest.raises(DeviceLostError, match="screen: is no longer shared"):
        source.read()
    source.close()
    with pytest.raises(NoDeviceError, match="source screen: is no longer shared: start again"):
        source.open()
    assert (sharing.opened, sharing.closed) == (1, 1)


def test_who_refuses_is_not_asked_again() -> None:
    sharing = FakeSharing()
    sharing.refusal = DeniedError("not allowed", "-")
    source = ScreenCast("screen:", FPS, portal=sharing)
    for _ in range(2):
        with pytest.raises(DeniedError):
            source.open()
    assert sharing.opened == 1


def test_a_portal_that_is_not_there_yet_is_asked_again() -> None:
    sharing = FakeSharing()
    sharing.refusal = NoDeviceError("no portal", "-")
    source = ScreenCast("screen:", FPS, portal=sharing)
    for _ in range(2):
        with pytest.raises(NoDeviceError):
            source.open()
    assert sharing.opened == 2


def test_a_node_that_goes_away_is_lost_and_shared_anew() -> None:
    source, sharing, reader = made(0)
    reader.lost = True
    with pytest.raises(DeviceLostError, match="the node went away"):
        source.read()
    source.close()
    reader.lost = False
    source.open()
    assert np.array_equal(source.read().pixels, picture(64, 48))
    source.close()
    assert (sharing.opened, sharing.closed) == (2, 2)


def test_a_still_screen_is_black_until_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = FakeReader(0)
    with monkeypatch.context() as still:
        nothing: Callable[[], Pixels | None] = lambda: None  # noqa: E731
        still.setattr(reader, "newest", nothing)
        source = ScreenCast("screen:", FPS, portal=FakeSharing(), reader=lambda *_: reader)
        source.open()
    black = source.read().pixels
    assert (black.shape, source.size) == ((48, 64, 3), (64, 48))
    assert not black.any()
    reader.every_s = 1 / FPS
    assert np.array_equal(source.read().pixels, picture(64, 48))
    source.close()


def test_a_node_that_does_not_answer_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    sharing, reader = FakeSharing(), FakeReader(0)

    def refuse(fps: float, remote: int | None = None) -> None:
        reader.is_open = True
        raise NoDeviceError("source screen: cannot be read", "-")

    monkeypatch.setattr(reader, "open", refuse)
    source = ScreenCast("screen:", FPS, portal=sharing, reader=lambda *_: reader)
    with pytest.raises(NoDeviceError, match="cannot be read"):
        source.open()
    assert (sharing.closed, reader.is_open) == (1, False)
