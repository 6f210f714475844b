"""The picture sent to an address: MPEG-TS over UDP, RTMP, RTSP, and SRT where the system's ffmpeg has it."""

import shutil
import subprocess
from typing import Any
from urllib.parse import SplitResult, urlsplit

import av
import structlog
from av.container import OutputContainer
from av.video.stream import VideoStream

from ..core.clock import Clock
from ..core.errors import DeviceLostError, NoDeviceError, UsageError
from ..core.frame import Frame
from ..core.settings import Size
from .encoders import QUALITY, TIME_BASE, Encoder, choose
from .niceness import kept_priority
from .planes import Planes
from .sink import WhenFull

log = structlog.get_logger(__name__)

FORMATS = {"udp": "mpegts", "rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts"}
"""What each scheme carries."""
_TIMEOUT_S = 5.0
_PORTLESS = frozenset({"rtmp", "rtmps", "rtsp"})
"""Schemes with a port of their own; the others are told which."""
_DATAGRAM = 1316
"""Bytes: seven packets of a transport stream, so that none is cut in two and no datagram is cut on its way."""
_OPTIONS = {
    "rtmp": {"flvflags": "no_duration_filesize"},
    "rtmps": {"flvflags": "no_duration_filesize"},
    "rtsp": {"rtsp_transport": "tcp"},
}


class PushSink:
    """Encodes live and sends to `url`; the picture leaves this machine because the user named that address.

    A steady stream at the output's rate. When the other side goes away the sink is lost, and whoever feeds
    it opens it again. H.264, since every receiver knows it.
    """

    when_full = WhenFull.NEWEST
    steady = True

    def __init__(
        self,
        url: str,
        size: Size,
        fps: float,
        clock: Clock,
        *,
        encoder: str = "auto",
        quality: int = QUALITY,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """Raises UsageError for an address that nothing can be sent to, or an odd size."""
        parts = urlsplit(url)
        if parts.scheme not in FORMATS or not parts.hostname or not _has_port(parts):
            forms = (f"{s}://HOST{'' if s in _PORTLESS else ':PORT'}" for s in FORMATS)
            raise UsageError(f"output {url}", f"send to {', '.join(forms)}")
        if size[0] % 2 or size[1] % 2:
            raise UsageError(f"output size {size[0]}x{size[1]}", "give an even width and an even height")
        self._url, self._scheme = url, parts.scheme
        self._where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._size, self._fps, self._clock = size, fps, clock
        self._wanted, self._quality, self._timeout_s = encoder, quality, timeout_s
        self._planes = Planes()
        self._encoder: Encoder | None = None
        self._out: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._helper: subprocess.Popen[bytes] | None = None
        self._first_ns: int | None = None
        self._last = -1

    @property
    def name(self) -> str:
        """Scheme, host and port: the rest of the address may hold a stream's secret key."""
        return self._where

    def open(self) -> None:
        """Connects. Raises NoDeviceError when nobody answers there, ConfigError without an encoder."""
        self._encoder = choose(
            self._wanted, self._size, self._fps, live=True, quality=self._quality, codecs=("h264",)
        )
        options = _OPTIONS.get(self._scheme, {})
        try:
            target: Any = self._srt() if self._scheme == "srt" else _with_datagrams(self._url)
            out = av.open(
                target, "w", format=FORMATS[self._scheme], options=options,
                timeout=None if self._scheme == "srt" else self._timeout_s,
            )  # fmt: skip
            self._out = out
            stream = out.add_stream(self._encoder.name)
            assert isinstance(stream, VideoStream)
            self._encoder.configure(stream.codec_context, self._size, self._fps)
            stream.time_base = TIME_BASE
            with kept_priority():
                out.start_encoding()
        except (OSError, av.FFmpegError) as error:
            self._drop()
            raise NoDeviceError(
                f"nothing can be sent to {self.name} ({_reason(error)})", "is the receiver running?"
            ) from error
        self._stream = stream
        self._first_ns, self._last = None, -1

    def put(self, frame: Frame) -> None:
        """Sends one frame, as of now. Raises DeviceLostError when it does not get there."""
        assert self._out is not None
        assert self._stream is not None
        assert self._encoder is not None
        now_ns = self._clock.now_ns()
        if self._first_ns is None:
            self._first_ns = now_ns
        pts = round((now_ns - self._first_ns) / 1e9 / TIME_BASE)
        if pts <= self._last:
            return
        self._last = pts
        picture = self._planes.of(frame.pixels, self._encoder.pix_fmt)
        picture.pts, picture.time_base = pts, TIME_BASE
        try:
            self._out.mux(self._stream.encode(picture))
        except (OSError, av.FFmpegError) as error:
            raise DeviceLostError(
                f"{self.name} takes no more ({_reason(error)})", "is it running?"
            ) from error

    def close(self) -> None:
        """Says goodbye, if the other side still listens."""
        try:
            if self._out is not None and self._stream is not None and self._last >= 0:
                self._out.mux(self._stream.encode(None))
        except (OSError, av.FFmpegError) as error:
            log.debug("push.unfinished", to=self.name, error=_reason(error))
        self._drop()

    def _drop(self) -> None:
        out, self._out, self._stream = self._out, None, None
        try:
            if out is not None:
                out.close()
        except (OSError, av.FFmpegError) as error:
            log.debug("push.unclosed", to=self.name, error=_reason(error))
        helper, self._helper = self._helper, None
        if helper is not None:
            assert helper.stdin is not None
            try:
                helper.stdin.close()
            except OSError as error:  # it has ended, with some of the stream still in the pipe
                log.debug("push.unclosed", to=self.name, error=_reason(error))
            try:
                helper.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                helper.kill()
                helper.wait()

    def _srt(self) -> Any:
        """The pipe into an ffmpeg that passes the stream on: PyAV's own FFmpeg has no SRT."""
        program = shutil.which("ffmpeg")
        if program is None:
            raise NoDeviceError(f"{self.name} needs the program ffmpeg", "install it")
        # It knows the stream after half a second, and must not gather five of them to be sure.
        read = ["-probesize", "65536", "-analyzeduration", "500000", "-f", "mpegts", "-i", "pipe:0"]
        words = [program, "-v", "error", *read, "-c", "copy", "-f", "mpegts", self._url]
        self._helper = subprocess.Popen(  # noqa: S603 - no shell; the address is the user's own
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return _Pipe(self._helper.stdin)


class _Pipe:
    """A pipe for libavformat, which must not try to seek in it; closing it is the owner's affair."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def write(self, data: bytes) -> int:
        """Writes all of it at once."""
        written: int = self._pipe.write(data)
        self._pipe.flush()
        return written


def _has_port(parts: SplitResult) -> bool:
    """A port from 1 to 65535, or none where the scheme has its own."""
    try:
        return bool(parts.port) or (parts.port is None and parts.scheme in _PORTLESS)
    except ValueError:  # no number, or too large
        return False


def _with_datagrams(url: str) -> str:
    """A UDP address that says how large datagrams are; PyAV passes options on to a format, not to a protocol."""
    parts = urlsplit(url)
    if parts.scheme != "udp" or "pkt_size=" in parts.query:
        return url
    size = f"pkt_size={_DATAGRAM}"
    return parts._replace(query=f"{parts.query}&{size}" if parts.query else size).geturl()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
