"""From a file or an address to decoded frames, through FFmpeg: what films and live streams have in common."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import av.error
import structlog
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..core.errors import BadInputError, MissingInputError

log = structlog.get_logger(__name__)

BROKEN = 50
"""So many undecodable packets in a row are a broken film; fewer are skipped, as players do."""
COVER: Any = av.stream.Disposition.attached_pic
"""The picture of a record's cover is no film."""


def open_container(
    address: str | Path,
    name: str,
    *,
    options: Mapping[str, str] | None = None,
    timeout: tuple[float, float] | None = None,
    hwaccel: HWAccel | None = None,
) -> InputContainer:
    """Opens a file (a path) or an address on the network (a URL); `name` is how errors call it.

    Raises MissingInputError where nothing is or answers, BadInputError for what is no film. With `hwaccel` it may
    also raise FFmpegError or RuntimeError, for a device that is not there or cannot decode this.
    """
    remote = isinstance(address, str)
    if isinstance(address, Path):
        if address.is_dir():
            raise MissingInputError(f"film {name}", "that is a folder; name a file in it")
        if not address.exists():
            raise MissingInputError(f"film {name}", "there is no such file")
    url = address if isinstance(address, str) else f"file:{address}"
    try:
        return av.open(
            url, options=dict(options or {}), timeout=timeout, metadata_errors="replace", hwaccel=hwaccel
        )
    except (av.error.InvalidDataError, av.error.DemuxerNotFoundError, av.error.EOFError):
        raise BadInputError(f"{name} is no film", "it is damaged, or in a format that FFmpeg lacks") from None
    except av.error.ExitError:
        raise MissingInputError(f"{name} does not answer", "is it running, and the address right?") from None
    except av.error.FFmpegError as error:
        if hwaccel is not None:
            raise
        remedy = "is it running, and the address right?" if remote else "is it readable for you?"
        raise MissingInputError(f"{name} cannot be opened ({error.strerror})", remedy) from None


def picture_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream of its pictures: the first that is no cover. Raises BadInputError."""
    stream = next((s for s in container.streams.video if not s.disposition & COVER), None)
    if stream is None:
        raise BadInputError(f"{name} has no video", "name a film")
    if not stream.codec_context:
        raise BadInputError(f"{name} cannot be decoded", "its codec is not in this FFmpeg")
    return stream


def decoded(
    container: InputContainer,
    stream: VideoStream,
    *,
    damaged: Callable[[av.error.FFmpegError, int], None],
    failed: Callable[[str], Exception],
) -> Iterator[VideoFrame]:
    """All frames of a stream, in the order they are shown.

    Packets that cannot be decoded are skipped, and `damaged` is told of each with how many there were in a row.
    Raises what `failed` makes of a reason when there are `BROKEN` in a row, or when reading breaks off.
    """
    broken = 0
    packets = container.demux(stream)
    while True:
        packet: Any = None
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames: list[Any] = packet.decode()
        except (av.error.EOFError, IndexError):
            return  # PyAV trips over streams that came in the middle, but only when all that it knows has come out
        except av.error.FFmpegError as error:
            # Reading breaks off with other errors than those of what was read.
            if packet is None and not isinstance(error, av.error.InvalidDataError):
                raise failed(error.strerror or str(error)) from None
            broken += 1
            damaged(error, broken)
            if broken >= BROKEN:
                raise failed("") from None
            continue
        if frames:
            broken = 0
        yield from frames
