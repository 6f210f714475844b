"""Films and network streams, decoded by FFmpeg through PyAV."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import av
import av.error
import cv2
import numpy as np
import structlog
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import BadInputError, DeviceLostError, FaceswapdError, MissingInputError
from ..core.frame import Pixels
from ..core.settings import Size
from .source import EndOfSource, Shot
from .timeline import Timeline

log = structlog.get_logger(__name__)

URL = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)
LIVE = frozenset({"rtp", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "tcp", "udp"})
"""Schemes whose frames come when they come."""
SCHEMES = LIVE | {"http", "https"}

OPEN_S, SILENCE_S = 8.0, 3.0
"""How long a network stream may take to begin, and to give its next data."""
BROKEN = 50
"""So many undecodable packets in a row are a broken film; fewer are skipped, as players do."""
LIVE_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "1000000"}
"""FFmpeg's options for live streams: RTSP without lost packets, a second (not five) to find out what it is.
What was read meanwhile is decoded, not thrown away (`nobuffer`): the first key frame is in it."""
TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
UNSAID, BT709 = 2, 1
"""FFmpeg's numbers of colour matrices: AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT709."""
HD = 720
"""From this height on, what nobody said is BT.709 by convention; below it is BT.601."""
FULL_RANGE = 2


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
        self._timeline = Timeline()
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
        pixels = _upright(frame, self._aspect)
        self.size = pixels.shape[1], pixels.shape[0]
        time_s = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        return Shot(pixels, self._timeline.at(time_s, 1 / self.fps))

    def close(self) -> None:
        """Closes the file or connection."""
        self._frames, self._first = iter(()), None
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _begin(self) -> None:
        self._container = container = self._opened()
        stream = next((s for s in container.streams.video if not s.disposition & _COVER), None)
        if stream is None:
            raise BadInputError(f"{self.name} has no video", "name a film")
        self._live = self._scheme in LIVE or (bool(self._scheme) and container.duration is None)
        # Decoding frames side by side holds some of them back, which costs a live picture its freshness.
        stream.thread_type = "SLICE" if self._live else "AUTO"
        self._frames = self._decoded(container, stream)
        try:
            self._first = next(self._frames)
        except StopIteration:
            raise BadInputError(f"{self.name} holds no picture", "name another film") from None
        except DeviceLostError as error:
            raise MissingInputError(error.what, error.remedy) from error
        self.fps = float(stream.average_rate or stream.guessed_rate or stream.base_rate or 25)
        self._aspect = stream.sample_aspect_ratio
        pixels = _upright(self._first, self._aspect)
        self.size = pixels.shape[1], pixels.shape[0]

    def _opened(self) -> InputContainer:
        if not self._scheme and Path(self._address).is_dir():
            raise MissingInputError(f"film {self.name}", "that is a folder; name a file in it")
        if not self._scheme and not Path(self._address).exists():
            raise MissingInputError(f"film {self.name}", "there is no such file")
        options = LIVE_OPTIONS if self._scheme in LIVE else {}
        timeout = (OPEN_S, SILENCE_S) if self._scheme else None
        address = self._address if self._scheme else f"file:{self._address}"
        try:
            return av.open(address, options=options, timeout=timeout)
        except (av.error.InvalidDataError, av.error.DemuxerNotFoundError, av.error.EOFError):
            raise BadInputError(
                f"{self.name} is no film", "it is damaged, or in a format that FFmpeg lacks"
            ) from None
        except av.error.ExitError:
            raise MissingInputError(
                f"{self.name} does not answer", "is it running, and the address right?"
            ) from None
        except av.error.FFmpegError as error:
            remedy = "is it running, and the address right?" if self._scheme else "is it readable for you?"
            raise MissingInputError(f"{self.name} cannot be opened ({error.strerror})", remedy) from None

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
        self._timeline.restart()
        return self._next()

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        broken = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.InvalidDataError as error:
                broken += 1
                if broken == 1:
                    log.warning("source.damaged", source=self.name, error=error.strerror)
                if broken >= BROKEN:
                    raise BadInputError(f"{self.name} cannot be decoded", "it is damaged") from None
                continue
            except av.error.FFmpegError as error:
                raise self._failed(error) from None
            if frames:
                broken = 0
            yield from frames

    def _failed(self, error: av.error.FFmpegError) -> FaceswapdError:
        if self._scheme:
            return DeviceLostError(
                f"{self.name} broke off ({error.strerror})", "it is opened again when it is back"
            )
        return BadInputError(f"{self.name} cannot be decoded ({error.strerror})", "it is damaged")


_COVER: Any = av.stream.Disposition.attached_pic
"""The picture of a record's cover is no film."""


def _without_secrets(address: str) -> str:
    """The address as it may be shown: without user name and password."""
    if not URL.match(address):
        return address
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _upright(frame: VideoFrame, aspect: Fraction | None) -> Pixels:
    """BGR, by the frame's own colour matrix and range, turned as it says, its pixels (`aspect`) made square."""
    options: dict[str, Any] = {}
    if int(frame.colorspace) == UNSAID and frame.height >= HD and not frame.format.is_rgb:
        options["src_colorspace"] = BT709
    if aspect and aspect != 1:
        options["width"] = 2 * round(frame.width * aspect / 2)
    pixels: Any = frame.to_ndarray(format="bgr24", **options)
    turn = TURNS.get(round(frame.rotation / 90) * 90 % 360)
    return np.ascontiguousarray(pixels if turn is None else cv2.rotate(pixels, turn))
