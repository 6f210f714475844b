import asyncio
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest
from fakes import frame, picture

from faceswapd.capture.pattern import Pattern, counter
from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import DeviceLostError, NoDeviceError, UsageError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.sinks.fanout import Fanout
from faceswapd.sinks.push import PushSink

SIZE = (320, 240)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def push(url: str) -> PushSink:
    return PushSink(url, SIZE, 30, SystemClock(), encoder="libx264", timeout_s=3)


def listens(port: int, over: str = "tcp") -> bool:
    """Whether somebody listens there; nobody is disturbed by asking."""
    line = f":{port:04X}"
    return any(line in row.split()[1] for row in Path(f"/proc/net/{over}").read_text().splitlines()[1:])


class Shown:
    """How many frames a sink has taken; waits for a number of them, however long a busy machine needs."""

    count = 0

    def until(self, count: int) -> None:
        end = time.monotonic() + 30
        while self.count < count:
            assert time.monotonic() < end
            time.sleep(0.02)


@contextmanager
def showing(sink: PushSink) -> Iterator[Shown]:
    shown = Shown()
    stop, pattern = threading.Event(), Pattern(SIZE, 30)

    def show() -> None:
        n = 0
        while not stop.wait(1 / 30):
            try:
                sink.put(Frame(n, 0, pattern.draw(n)))
            except DeviceLostError:
                return
            n += 1
            shown.count = n

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield shown
    finally:
        stop.set()
        thread.join()
        sink.close()


def numbers(stream: Any, count: int) -> list[int]:
    got: list[int] = []
    for shown in stream.decode(video=0):
        got.append(counter(shown.to_ndarray(format="bgr24").astype("uint8", copy=False)))
        if len(got) == count:
            break
    return got


def test_a_transport_stream_over_udp_is_received() -> None:
    port = free_port(socket.SOCK_DGRAM)
    sink = push(f"udp://127.0.0.1:{port}")
    sink.open()
    with showing(sink), av.open(f"udp://127.0.0.1:{port}?timeout=8000000", timeout=15) as stream:
        got = numbers(stream, 20)
    assert got == [*range(got[0], got[0] + 20)]


@pytest.mark.parametrize(("query", "most"), [("", 7 * 188), ("?pkt_size=188", 188), ("?ttl=1", 7 * 188)])
def test_datagrams_are_whole_packets(query: str, most: int, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        port = receiver.getsockname()[1]
        sink = push(f"udp://127.0.0.1:{port}{query}")
        sink.open()
        with showing(sink):
            sizes = [len(receiver.recv(65536)) for _ in range(10)]
    assert sink.name == f"udp://127.0.0.1:{port}"
    assert max(sizes) <= most
    assert not any(size % 188 for size in sizes)
    assert not caplog.records  # PyAV tells of options that nobody took


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg, which plays the server, is not installed")
@pytest.mark.parametrize(
    ("scheme", "listen"), [("rtmp", ["-listen", "1"]), ("rtsp", ["-rtsp_flags", "listen"])]
)
def test_a_server_gets_the_stream(tmp_path: Path, scheme: str, listen: list[str]) -> None:
    port, film = free_port(), tmp_path / "got.mkv"
    url = f"{scheme}://127.0.0.1:{port}/live/key"
    words = ["ffmpeg", "-v", "fatal", *listen, "-i", url, "-c", "copy", "-y", str(film)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as server:
        end = time.monotonic() + 10
        while not listens(port):
            assert time.monotonic() < end
            time.sleep(0.05)
        sink = push(url)
        sink.open()
        with showing(sink) as shown:
            shown.until(60)
        server.wait(15)
    assert sink.name == f"{scheme}://127.0.0.1:{port}"  # not its key
    with av.open(str(film)) as received:
        got = numbers(received, 1000)
    assert len(got) > 30
    assert got == [*range(got[0], got[0] + len(got))]


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_nobody_there_is_said_and_the_sink_can_be_opened_again(scheme: str) -> None:
    port = free_port()
    sink = push(f"{scheme}://me:secret@127.0.0.1:{port}/live/secret")
    for _ in range(2):
        with pytest.raises(
            NoDeviceError, match=f"nothing can be sent to {scheme}://127.0.0.1:{port} "
        ) as refused:
            sink.open()
        assert "secret" not in str(refused.value)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_a_receiver_that_goes_away_is_a_loss(tmp_path: Path) -> None:
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/key"
    words = ["ffmpeg", "-v", "quiet", "-listen", "1", "-i", url, "-c", "copy", "-f", "null", "-"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as server:
        end = time.monotonic() + 10
        while not listens(port):
            assert time.monotonic() < end
            time.sleep(0.05)
        sink = push(url)
        sink.open()
        sink.put(frame(0, picture(*SIZE)))
        server.kill()

    def go_on() -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            sink.put(frame(0, picture(*SIZE)))
            time.sleep(0.01)

    with pytest.raises(DeviceLostError, match=rf"rtmp://127\.0\.0\.1:{port} takes no more"):
        go_on()
    sink.close()


def has_srt() -> bool:
    try:
        said = subprocess.run(
            ["ffmpeg", "-v", "quiet", "-protocols"], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return "srt" in said.stdout.split()


@pytest.mark.skipif(not has_srt(), reason="no ffmpeg with SRT here")
def test_srt_goes_through_the_systems_ffmpeg(tmp_path: Path) -> None:
    port, film = free_port(socket.SOCK_DGRAM), tmp_path / "got.mkv"
    listen = f"srt://127.0.0.1:{port}?mode=listener"
    words = ["ffmpeg", "-v", "fatal", "-probesize", "65536", "-analyzeduration", "500000"]
    words += ["-i", listen, "-c", "copy", "-y", str(film)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as server:
        end = time.monotonic() + 10
        while not listens(port, "udp"):
            assert time.monotonic() < end
            time.sleep(0.05)
        sink = push(f"srt://127.0.0.1:{port}")
        sink.open()
        with showing(sink) as shown:
            shown.until(90)
        server.wait(15)
    with av.open(str(film)) as received:
        got = numbers(received, 1000)
    assert len(got) > 30
    assert got == [*range(got[0], got[0] + len(got))]


def test_an_ffmpeg_that_ends_is_a_loss_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    sink = push("srt://127.0.0.1:9000")

    def go_on() -> None:
        for n in range(3000):  # half a minute
            sink.put(frame(n, picture(*SIZE)))
            time.sleep(0.01)

    for _ in range(2):  # it can be opened again
        sink.open()
        with pytest.raises(DeviceLostError, match=r"srt://127\.0\.0\.1:9000 takes no more"):
            go_on()
        sink.close()


@pytest.mark.parametrize(
    "url", ["http://host/x", "udp://", "rtmp:///x", "udp://host", "udp://host:0", "udp://host:mpeg", "srt://host?x=1",
            "rtsp://host:99999"]
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="send to"):
        push(url)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_a_server_that_comes_back_gets_the_stream_again(tmp_path: Path) -> None:
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/key"
    failures: list[str] = []
    back = threading.Event()

    def serve(film: Path) -> subprocess.Popen[bytes]:
        words = ["ffmpeg", "-v", "quiet", "-listen", "1", "-i", url, "-c", "copy", "-y", str(film)]
        server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not listens(port):
            assert time.monotonic() < end
            time.sleep(0.05)
        return server

    async def live() -> None:
        first = await asyncio.to_thread(serve, tmp_path / "first.mkv")
        fanout = Fanout(
            [push(url)], SIZE, 30, SystemClock(), Meter(),
            on_failure=lambda _, error: failures.append(str(error)),
            on_recovery=lambda _: back.set(),
        )  # fmt: skip
        await fanout.start()
        await asyncio.sleep(1.0)
        first.kill()
        first.wait()
        second = await asyncio.to_thread(serve, tmp_path / "second.mkv")
        assert await asyncio.to_thread(back.wait, 20)
        await asyncio.sleep(1.5)
        await fanout.close()
        await asyncio.to_thread(second.wait, 10)

    asyncio.run(live())
    assert failures
    assert "takes no more" in failures[0]
    with av.open(str(tmp_path / "second.mkv")) as received:
        assert sum(1 for _ in received.decode(video=0)) > 20
