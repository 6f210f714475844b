"""Films and network streams, decoded by FFmpeg through PyAV."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import av.error
import structlog
from av.container import InputContainer
from av.video.frame import VideoFrame

from ..core.errors import BadInputError, DeviceLostError, FaceswapdError, MissingInputError
from ..core.settings import Size
from .decode import decoded, open_container, picture_stream
from .source import EndOfSource, Shot
from .timeline import Timeline
from .upright import Upright

log = structlog.get_logger(__name__)

URL = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)
LIVE = frozenset({"rtp", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "tcp", "udp"})
"""Schemes whose frames come when they come."""
SCHEMES = LIVE | {"http", "https"}

OPEN_S, SILENCE_S = 8.0, 3.0
"""How long a network stream may take to begin, and to give its next data."""
LAST_S = 10.0
"""A last frame that says it lasts longer is not believed: many GIFs rest on theirs, but not for so long."""
LIVE_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "1000000"}
"""FFmpeg's options for live streams: RTSP without lost packets, a second (not five) to find out what it is.
What was read meanwhile is decoded, not thrown away (`nobuffer`): the first key frame is in it."""


class Stream:
    """A film (`paced`) or a live stream (not `paced`), as upright BGR with square pixels.

    With `loop` a film begins again at its end and its time goes on. A live stream that ends, breaks off or
    falls silent is a lost device.
    """

    def __init__(self, address: str, *, loop: bool = False) -> None:
        """`address` is a file's path, or a URL of one of `SCHEMES`; the name shows no password of it."""
        self.name = _without_secrets(address)
        self._address = address
        self._scheme = urlsplit(address).scheme.lower() if URL.match(address) else ""
        self._loop = loop
        self._container: InputContainer | None = None
        self._frames: Iterator[VideoFrame] = iter(())
        self._first: VideoFrame | None = None
        self._lasts_s: float | None = None
        self._timeline = Timeline()
        self._upright = Upright()
        self._live = False
        self._aspect: Fraction | None = None
        self.size: Size = (0, 0)
        self.fps = 0.0

    @property
    def paced(self) -> bool:
        """A film is; what has no length (a camera's HTTP stream) is not."""
        return not self._live

    def open(self) -> None:
        """Opens it and decodes the first frame.

        Raises MissingInputError (no such file, no answer) or BadInputError (no film, nothing decodable).
        """
        self._timeline.restart()
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def read(self) -> Shot:
        """The next frame. Raises EndOfSource, BadInputError, or DeviceLostError for a live stream."""
        frame = self._next()
        pixels = self._upright(frame, self._aspect)
        self.size = pixels.shape[1], pixels.shape[0]
        base = frame.time_base or 0
        time_s = float(frame.pts * base) if frame.pts is not None and base else None
        lasts_s = float((frame.duration or 0) * base)
        self._lasts_s = lasts_s if 0 < lasts_s <= LAST_S else None
        return Shot(pixels, self._timeline.at(time_s, 1 / self.fps))

    def close(self) -> None:
        """Closes the file or connection."""
        self._frames, self._first = iter(()), None
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _begin(self) -> None:
        self._container = container = self._opened()
        stream = picture_stream(container, self.name)
        self._live = self._scheme in LIVE or (bool(self._scheme) and container.duration is None)
        # Decoding frames side by side holds some of them back, which costs a live picture its freshness.
        stream.thread_type = "SLICE" if self._live else "AUTO"
        self._frames = decoded(container, stream, damaged=self._damaged, failed=self._failed)
        try:
            self._first = next(self._frames)
        except StopIteration:
            raise BadInputError(f"{self.name} holds no picture", "name another film") from None
        except DeviceLostError as error:
            raise MissingInputError(error.what, error.remedy) from error
        self.fps = float(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
        self._aspect = stream.sample_aspect_ratio
        pixels = self._upright(self._first, self._aspect)
        self.size = pixels.shape[1], pixels.shape[0]

    def _opened(self) -> InputContainer:
        if not self._scheme:
            return open_container(Path(self._address), self.name)
        options = LIVE_OPTIONS if self._scheme in LIVE else None
        return open_container(self._address, self.name, options=options, timeout=(OPEN_S, SILENCE_S))

    def _next(self) -> VideoFrame:
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        try:
            return next(self._frames)
        except StopIteration:
            pass
        if self._live:
            raise DeviceLostError(f"{self.name} has ended", "it is opened again when it is back")
        if not self._loop:
            raise EndOfSource
        self.close()
        self._begin()
        self._timeline.restart(self._lasts_s)
        return self._next()

    def _damaged(self, error: av.error.FFmpegError, in_a_row: int) -> None:
        if in_a_row == 1:
            log.warning("source.damaged", source=self.name, error=error.strerror)

    def _failed(self, reason: str) -> FaceswapdError:
        if not reason:
            return BadInputError(f"{self.name} cannot be decoded", "it is damaged")
        if self._scheme:
            return DeviceLostError(f"{self.name} broke off ({reason})", "it is opened again when it is back")
        return BadInputError(f"{self.name} cannot be decoded ({reason})", "it is damaged")


def _without_secrets(address: str) -> str:
    """The address as it may be shown: without user name and password."""
    if not URL.match(address):
        return address
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
