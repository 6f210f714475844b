"""What comes along with the pictures of a film: sound, subtitles, covers, attachments, measurements."""

import io
from dataclasses import dataclass
from typing import Any

import av
import structlog
from av.container import OutputContainer

from ..core.errors import UsageError
from .sound import USUAL, Sound
from .subtitles import Subtitles

log = structlog.get_logger(__name__)

COVER: Any = av.stream.Disposition.attached_pic
"""The picture of a record's cover is no film."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What came over from the original, in words."""

    audio: str = "none"
    """`copied` (packets as they were), `none`, or the codec it was encoded with."""
    left_out: tuple[str, ...] = ()
    """What did not come along: streams, attachments."""
    converted: tuple[str, ...] = ()
    """Subtitles that are in another codec now."""


def carry(
    source: Any, film: OutputContainer, *, sound: bool, cover: bool, codec: str
) -> tuple[Carried, dict[int, Any]]:
    """Streams of `film`, which is not begun, for those of the original: {index in the original: stream of the film, or
    what encodes it anew}. `cover`: pictures that were not processed may come along as its cover; other video streams
    never do. Raises UsageError for a codec that the film cannot have."""
    main = next(s for s in source.streams.video if not s.disposition & COVER)
    pairs: dict[int, Any] = {}
    left_out: list[str] = []
    converted: list[str] = []
    audio = "none"
    for stream in source.streams:
        if stream is main or (stream.type == "audio" and not sound):
            continue
        if stream.type in ("data", "unknown"):
            if _measures(source, film, stream):
                pairs[stream.index] = film.add_stream_from_template(stream)
            elif not _made_anew(source, stream):
                left_out.append(f"a data stream ({stream.name})" if stream.name else "a data stream")
            continue
        if stream.type == "video" and not (cover and stream.disposition & COVER):
            # Its pictures were not processed: they may show what the film's were made to hide.
            left_out.append("cover picture" if stream.disposition & COVER else "another video stream")
            continue
        if stream.type == "attachment":
            if film.format.name == "matroska" and (cover or _pictureless(stream)):
                film.add_attachment(stream.name or "attachment", stream.mimetype or "", stream.data)
            else:
                left_out.append(f"attachment {stream.name or ''}".rstrip())
            continue
        known = stream.codec_context.name if stream.codec_context else "unknown"
        anew = "" if codec == "copy" or stream.type != "audio" else codec
        copy: Any = None
        if not anew:
            if _holds(film.format.name, stream):
                copy = film.add_stream_from_template(stream)
                copy.time_base = stream.time_base
            else:
                anew = (
                    USUAL.get(film.format.name, "") if stream.type == "audio" and stream.codec_context else ""
                )
        if copy is None and stream.type == "subtitle":
            try:
                pairs[stream.index] = Subtitles(stream, film)
            except ValueError:
                left_out.append(f"subtitles {known}: this kind of film cannot hold them")
                continue
            copy = pairs[stream.index].stream
            converted.append(f"subtitles {known} became {pairs[stream.index].codec}")
        elif anew:
            try:
                pairs[stream.index] = Sound(stream, film, anew)
            except UsageError:
                if codec != "copy":
                    raise
                left_out.append(f"audio {known}, which cannot be read")
                continue
            copy = pairs[stream.index].stream
        elif copy is None:
            left_out.append(f"{stream.type} {known}")
            continue
        else:
            pairs[stream.index] = copy
        copy.disposition = stream.disposition
        if stream.type == "audio":
            audio = anew or "copied"
    for what in left_out:
        log.warning(
            "film.left_out",
            film=film.name,
            stream=what,
            why="see the film's kind",
        )
    return Carried(audio, tuple(left_out), tuple(converted)), pairs


def _holds(format_: str, stream: Any) -> bool:
    """Whether such a film takes a stream's packets as they are. Some codecs are refused only when it begins."""
    try:
        with av.open(io.BytesIO(), "w", format=format_) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


def _measures(source: Any, film: OutputContainer, stream: Any) -> bool:
    """A camera's measurements (GPMF: places, motion, exposure, no pictures), which MP4 and MOV hold. MP4's muxer knows
    them by their tag; MOV's writes whatever it is given, without saying what that is."""
    files = "mp4" in source.format.name and film.format.name in ("mp4", "mov")
    return files and stream.name == "bin_data" and _holds("mp4", stream)


def _pictureless(attachment: Any) -> bool:
    """Nobody sees a face in it: fonts of subtitles, text."""
    kind = (attachment.mimetype or "").lower()
    return kind.startswith("text/") or any(word in kind for word in ("font", "opentype", "truetype"))


def _made_anew(source: Any, stream: Any) -> bool:
    """Time codes and the names of chapters (MP4's are text): the new film gets its own from what else is known."""
    return "timecode" in stream.metadata or (stream.name == "bin_data" and bool(source.chapters()))
