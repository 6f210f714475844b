import asyncio
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import frame, picture
from pipewire_session import missing, session, wait_until

from faceswapd.capture.pattern import BARS, Pattern
from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import DeviceLostError, NoDeviceError, UsageError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.native import pipewire as abi
from faceswapd.sinks.fanout import Fanout
from faceswapd.sinks.pipewire import PipeWireSink

SIZE = (640, 360)
ROOT = Path(__file__).parents[1]

needs_pipewire = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    with session(tmp_path) as env:
        for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
            monkeypatch.setenv(name, env[name])
        yield env


class Show:
    """Puts the pattern into a sink at 30 frames a second, until it is left."""

    def __init__(self, sink: PipeWireSink) -> None:
        self.sink = sink
        self.error: Exception | None = None
        self.rate = 0.0
        """Frames a second that were put; 30, where the machine is not too busy."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def failed(self) -> bool:
        return self.error is not None

    def __enter__(self) -> "Show":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pattern, begin = Pattern(SIZE, 30), time.monotonic()
        n = 0
        while not self._stop.wait(max(0.0, begin + n / 30 - time.monotonic())):
            try:
                self.sink.put(Frame(n, 0, pattern.draw(n)))
            except DeviceLostError as error:
                self.error = error
                return
            n += 1
            self.rate = n / (time.monotonic() - begin)


def seen(env: dict[str, str], seconds: float, label: str = "test camera") -> dict[str, Any]:
    """What another program reads."""
    script = Path(__file__).with_name("pipewire_session.py")
    words = [sys.executable, str(script), label, str(seconds), str(SIZE[0]), str(SIZE[1])]
    done = subprocess.run(
        words, env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=60
    )
    return dict(json.loads(done.stdout))


@needs_pipewire
def test_another_program_sees_the_right_pictures_in_order(desktop: dict[str, str]) -> None:
    sink = PipeWireSink(SIZE, 30, "test camera")
    sink.open()
    try:
        assert not sink.watched()
        with Show(sink) as show:
            got = seen(desktop, 2.5)
            wait_until(lambda: not sink.watched())
            again = seen(desktop, 1.0)
    finally:
        sink.close()

    counters, times = got["counters"], got["times_s"]
    assert counters == sorted(set(counters))
    rate = (len(times) - 1) / (times[-1] - times[0])
    assert 0.4 * min(30.0, show.rate) < rate < 33  # as many as were put, but for when it was another's turn
    for bar, true in zip(got["bars"], BARS, strict=True):
        assert bar == pytest.approx(true, abs=6)
    assert again["counters"][0] > counters[-1]


@needs_pipewire
def test_several_cameras_at_once_each_for_its_own_reader(desktop: dict[str, str]) -> None:
    one, two = PipeWireSink(SIZE, 30, "test camera"), PipeWireSink(SIZE, 30, "spare camera")

    async def live() -> dict[str, dict[str, Any]]:
        fanout = Fanout([one, two], SIZE, 30, SystemClock(), Meter())
        await fanout.start()
        pattern = Pattern(SIZE, 30)

        async def publish() -> None:
            for n in itertools.count():
                fanout.publish(Frame(n, 0, pattern.draw(n)))
                await asyncio.sleep(1 / 30)

        publishing = asyncio.create_task(publish())
        names = ("test camera", "spare camera")
        got = await asyncio.gather(*(asyncio.to_thread(seen, desktop, 2.0, name) for name in names))
        publishing.cancel()
        await fanout.close()
        return dict(zip(names, got, strict=True))

    for got in asyncio.run(live()).values():
        assert len(got["counters"]) > 10  # 60, on a machine that is not busy otherwise
        assert got["counters"] == sorted(got["counters"])  # a steady output may show one twice


@needs_pipewire
def test_whether_it_is_watched(desktop: dict[str, str]) -> None:
    sink = PipeWireSink(SIZE, 30, "test camera")
    sink.open()
    try:
        with Show(sink):
            reading = threading.Thread(target=seen, args=(desktop, 1.5))
            reading.start()
            wait_until(sink.watched, 10)
            reading.join()
            wait_until(lambda: not sink.watched())
    finally:
        sink.close()


@needs_pipewire
def test_when_pipewire_stops_it_is_lost_and_can_be_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = PipeWireSink(SIZE, 30, "test camera")
    for part in ("a", "b"):
        with session(tmp_path / part) as env:
            monkeypatch.setenv("XDG_RUNTIME_DIR", env["XDG_RUNTIME_DIR"])
            sink.open()
            sink.put(frame(0, picture(*SIZE)))
        with Show(sink) as show:
            wait_until(show.failed)
        assert "test camera went away" in str(show.error)
        sink.close()


def test_without_pipewire_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(NoDeviceError, match="pipewire:cam"):
        PipeWireSink(SIZE, 30, "cam").open()
    monkeypatch.setattr(abi, "LIBRARY", "libnone.so.9")
    with pytest.raises(NoDeviceError, match=r"needs libnone\.so\.9: install PipeWire"):
        PipeWireSink(SIZE, 30, "cam").open()


def test_an_odd_size_is_refused() -> None:
    with pytest.raises(UsageError, match="even"):
        PipeWireSink((641, 360), 30)
