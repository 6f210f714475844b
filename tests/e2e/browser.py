"""A real Chromium that opens a camera through getUserMedia, as a call in a browser does."""

import contextlib
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from e2e.cameras import Seen

PAGE = Path(__file__).with_name("browser.html")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--no-first-run",
    "--no-zygote",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)
"""No GPU, bus or udev is needed for V4L2; the fake interface only answers the permission question."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.read_bytes() if self.path.startswith("/?") else b"")

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.answer = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        server.answered.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = b""
        self.answered = threading.Event()


def seen_by_chromium(label: str, seconds: float, timeout_s: float = 120.0) -> Seen:
    """What a page draws of the camera with this label."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, contextlib.ExitStack() as stack:
        server = stack.enter_context(_Server())
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        page = f"http://localhost:{server.server_port}/?{urlencode({'label': label, 'seconds': seconds})}"
        log = stack.enter_context(Path(profile, "log").open("w+b"))
        browser = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", page], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            answered = server.answered.wait(timeout_s)
        finally:
            browser.terminate()
            browser.wait(20)
        log.seek(0)
        assert answered, f"no answer within {timeout_s} s: {log.read()[-2000:].decode(errors='replace')}"
        seen = msgspec.json.decode(server.answer, type=Seen)
        assert seen.opened, server.answer.decode()
        return seen
