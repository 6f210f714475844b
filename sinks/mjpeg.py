"""The picture over HTTP: one JPEG after another, for OBS, VLC, ffmpeg or a browser on this machine."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import cv2
import structlog

from ..core.errors import BusyError
from ..core.frame import Frame
from .sink import WhenFull

log = structlog.get_logger(__name__)

PORT = 7867
_QUALITY = 85
_BOUNDARY = "frame"
_SILENT_S = 10.0
"""A viewer that takes nothing for so long is let go."""
_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class MjpegSink:
    """Serves `multipart/x-mixed-replace` on the loopback address, at `http://127.0.0.1:PORT/`.

    Pictures are compressed only while somebody watches; a viewer that is slow misses some. Pages of other
    sites may not embed it: a request that names another host, or says that it comes from another site, is
    refused. Other users of this machine can watch.
    """

    when_full = WhenFull.NEWEST
    steady = True

    def __init__(self, port: int = PORT, quality: int = _QUALITY) -> None:
        """Port 0 takes any that is free."""
        self._port, self._quality = port, quality
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Its address."""
        port = self._server.server_port if self._server else self._port
        return f"http://127.0.0.1:{port}/"

    def open(self) -> None:
        """Listens. Raises BusyError when somebody else has the port."""
        try:
            self._server = _Server(self._port)
        except OSError as error:
            raise BusyError(f"port {self._port} is not free ({error.strerror})", "say mjpeg:PORT") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="mjpeg", daemon=True
        )
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Hands one frame to all viewers; none is waited for."""
        assert self._server is not None
        if self._server.viewers:
            _, jpeg = cv2.imencode(".jpg", frame.pixels, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
            self._server.show(jpeg.tobytes())

    def watched(self) -> bool:
        """Whether somebody watches now."""
        return self._server is not None and self._server.viewers > 0

    def close(self) -> None:
        """Lets all viewers go."""
        server, self._server = self._server, None
        if server is not None:
            server.end()
            server.shutdown()
            server.server_close()
        if self._thread is not None:
            self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.viewers = 0
        self._jpeg, self._number, self._ended = b"", 0, False
        self._news = threading.Condition()

    def show(self, jpeg: bytes) -> None:
        with self._news:
            self._jpeg, self._number = jpeg, self._number + 1
            self._news.notify_all()

    def end(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()

    def newest(self, seen: int) -> tuple[bytes, int]:
        """Waits for a picture after number `seen`; an empty one is the end."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._number > seen)
            return (b"", seen) if self._ended else (self._jpeg, self._number)

    def count(self, change: int) -> int:
        """One viewer more or less; returns the number of the newest picture."""
        with self._news:
            self.viewers += change
            return self._number

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's own
        """A viewer went away, or talks no HTTP."""
        log.debug("mjpeg.viewer_lost", client=client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_S

    def do_GET(self) -> None:
        """Streams until the viewer or the sink goes."""
        host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
        if host not in _HOSTS or self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            self.send_error(403)
            return
        if self.path != "/":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
        server = cast(_Server, self.server)
        number = server.count(+1)
        try:
            while True:
                jpeg, number = server.newest(number)
                if not jpeg:
                    return
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            log.debug("mjpeg.viewer_left", client=self.client_address)
        finally:
            server.count(-1)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
        """Into our log."""
        log.debug("mjpeg.request", said=format % args)
