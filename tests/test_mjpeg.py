import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av
import pytest
from fakes import frame

from faceswapd.capture.pattern import Pattern, counter
from faceswapd.core.errors import BusyError
from faceswapd.core.frame import Frame
from faceswapd.sinks.mjpeg import MjpegSink

SIZE = (320, 240)


@contextmanager
def showing(sink: MjpegSink) -> Iterator[None]:
    stop, pattern = threading.Event(), Pattern(SIZE, 100)

    def show() -> None:
        n = 0
        while not stop.wait(0.01):
            sink.put(Frame(n, 0, pattern.draw(n)))
            n += 1

    thread = threading.Thread(target=show)
    sink.open()
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sink.close()


def test_another_program_sees_the_pictures_in_order() -> None:
    sink = MjpegSink(port=0)
    with showing(sink):
        assert not sink.watched()
        with av.open(sink.name, options={"analyzeduration": "0"}, timeout=10) as stream:
            numbers = []
            for picture in stream.decode(video=0):
                assert (picture.width, picture.height) == SIZE
                numbers.append(counter(picture.to_ndarray(format="bgr24").astype("uint8", copy=False)))
                if len(numbers) == 10:
                    break
            assert sink.watched()
        assert numbers == sorted(set(numbers))
        end = time.monotonic() + 5
        while sink.watched() and time.monotonic() < end:
            time.sleep(0.01)
        assert not sink.watched()


def test_two_viewers_at_once_and_both_are_let_go_at_the_end() -> None:
    sink = MjpegSink(port=0)
    with showing(sink):
        sockets = [
            socket.create_connection(("127.0.0.1", int(sink.name.split(":")[2][:-1]))) for _ in range(2)
        ]
        for viewer in sockets:
            viewer.sendall(b"GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
            assert viewer.recv(15) == b"HTTP/1.0 200 OK"
    for viewer in sockets:
        viewer.settimeout(5)
        while viewer.recv(1 << 16):
            pass
        viewer.close()


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Host": "evil.example:7867"}, "/", 403),
        ({"Sec-Fetch-Site": "cross-site"}, "/", 403),
        ({}, "/other", 404),
    ],
)
def test_other_sites_and_other_paths_are_refused(headers: dict[str, str], path: str, status: int) -> None:
    sink = MjpegSink(port=0)
    with showing(sink):
        connection = http.client.HTTPConnection(sink.name.split("/")[2], timeout=5)
        connection.request("GET", path, headers=headers)
        assert connection.getresponse().status == status
        connection.close()


def test_nothing_is_compressed_while_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = MjpegSink(port=0)
    sink.open()
    monkeypatch.setattr("faceswapd.sinks.mjpeg.cv2", None)
    sink.put(frame())
    sink.close()


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BusyError, match=f"port {port} is not free"):
            MjpegSink(port).open()
