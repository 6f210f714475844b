"""A film put together: pictures from its segments, everything else from the original, unchanged."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.rational import AVRational
from av.video.stream import VideoStream

from .companions import COVER, Carried, carry
from .niceness import kept_priority
from .segments import FORMAT, Print, Segment, full, video_stream
from .sound import Sound
from .subtitles import Subtitles
from .timecode import retimed
from .video import CONTAINERS


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the original that is in the film."""

    start_s: float | None = None
    end_s: float | None = None
    """None: to its end."""
    shift_s: Fraction = Fraction(0)
    """The original's time that is the film's 0."""
    later_s: Fraction = Fraction(0)
    """How much later than the original's the film's first picture is."""
    at: Callable[[Any], Callable[[int], int]] = lambda _: lambda ticks: ticks
    """Makes for a time base what says when the packets of a stream are shown, where the original's clock jumps."""


def assemble(
    path: Path,
    part: Path,
    print_: Print,
    segments: Sequence[Segment],
    original: Path | None,
    window: Window,
    *,
    sound: bool = True,
    cover: bool = True,
    codec: str = "copy",
) -> Carried:
    """Writes the film: pictures from the segments, everything else from the original, its packets unchanged.

    `original`: None where there is nothing but pictures. `codec`: `copy`, or what its sound is encoded as anew.
    `cover`: the original's cover picture may come along; other video streams never do. The film grows as `part`,
    on the disk of `path`, and gets its name when all is written. Raises DeviceLostError when it cannot be
    written, UsageError for a codec that it cannot have.
    """
    kind = CONTAINERS[path.suffix.lower()]
    options = {**kind.whole, **_OWN.get(kind.format, {})}
    try:
        with (
            av.open(f"file:{original}", metadata_errors="replace") if original else nullcontext() as source,
            av.open(f"file:{part}", "w", format=kind.format, options=options) as film,
        ):
            stream = video_stream(film, print_)
            _say_as(segments[0], stream)
            carried, pairs = Carried(), dict[int, Any]()
            if source is not None:
                carried, pairs = carry(source, film, sound=sound, cover=cover, codec=codec)
                _describe(source, film, stream, print_, window, pairs)
            pictures = _pictures(segments, stream, print_.time_base, window)
            others = _packets(source, pairs, window)
            damaged = 0
            for packet in _by_time(pictures, others):
                try:
                    film.mux_one(packet)
                except av.error.InvalidDataError:  # sound of a broadcast that was received badly
                    if packet.stream is stream:
                        raise
                    damaged += 1
            if damaged:
                carried = replace(
                    carried, left_out=(*carried.left_out, f"{damaged} damaged packets beside the pictures")
                )
        with part.open("rb+") as disk:
            os.fsync(disk.fileno())
        part.replace(path)
    except (OSError, av.FFmpegError) as error:
        raise full(path, error) from error
    finally:
        part.unlink(missing_ok=True)
    return carried


def rehearse(path: Path, original: Path | None, *, sound: bool, cover: bool, codec: str) -> Carried:
    """What `assemble` will carry over, found out before anything is written.

    Raises UsageError for a codec that the film cannot have.
    """
    if original is None:
        return Carried()
    kind = CONTAINERS[path.suffix.lower()]
    with (
        av.open(f"file:{original}", metadata_errors="replace") as source,
        av.open(io.BytesIO(), "w", format=kind.format) as film,
    ):
        return carry(source, film, sound=sound, cover=cover, codec=codec)[0]


def _say_as(segment: Segment, stream: VideoStream) -> None:
    """The film's stream is described as its segments are: their packets are laid out for that. It is made by
    the same encoder and not from them as a template, which would not know its frame rate."""
    with av.open(f"file:{segment.path}", format=FORMAT) as file:
        written = file.streams.video[0].codec_context.extradata
    with kept_priority():
        stream.codec_context.open()
    stream.codec_context.extradata = written


_MATROSKA = {"avoid_negative_ts": "disabled", "fflags": "+bitexact"}
_OWN = {"matroska": _MATROSKA, "webm": _MATROSKA}
"""Else sound that begins before 0 (as AAC's first packet does) would move the pictures too, and the numbers of its
tracks would be drawn by lot: the same film twice would not be the same file."""
_OF_THE_FILE = frozenset({
    "major_brand", "minor_version", "compatible_brands", "encoder", "coverart", "metadata_block_picture",
    "alpha_mode", "rotate",
})  # fmt: skip
"""What was said of the original's file and of how its pictures lay in it, and pictures as text."""
_COUNTED = ("bps", "duration", "number_of_", "_statistics_")
"""What Matroska's usual tools have counted in a stream: no longer true."""


def _describe(
    source: Any,
    film: OutputContainer,
    stream: VideoStream,
    print_: Print,
    window: Window,
    pairs: dict[int, Any],
) -> None:
    main = next(s for s in source.streams.video if not s.disposition & COVER)
    rate = Fraction(main.average_rate or main.guessed_rate or print_.fps)

    def told(metadata: dict[str, str], left: Set[str] = frozenset()) -> dict[str, str]:
        kept = {
            k: v for k, v in metadata.items() if k.lower() not in left and not k.lower().startswith(_COUNTED)
        }
        return retimed(kept, window.later_s, rate, print_.fps)

    film.metadata.update(told(source.metadata, _OF_THE_FILE))
    stream.metadata.update(told(main.metadata, _OF_THE_FILE))
    stream.disposition = main.disposition
    for index, to in pairs.items():
        copy = to.stream if isinstance(to, Sound | Subtitles) else to
        copy.metadata.update(told(source.streams[index].metadata))
    chapters: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        shift = round(window.shift_s / base)
        start, end = chapter["start"] - shift, chapter["end"] - shift
        if window.end_s is not None:
            end = min(end, int((Fraction(window.end_s) - window.shift_s) / base))
        if end > max(0, start):
            chapters.append({**chapter, "start": max(0, start), "end": end})
    if chapters:
        film.set_chapters(chapters)


def _pictures(
    segments: Sequence[Segment], stream: VideoStream, time_base: Fraction, window: Window
) -> "Iterator[Packet[Any]]":
    """The packets of all segments in decoding order, at the film's times."""
    shift = round(window.shift_s / time_base)
    ticks = AVRational(time_base.numerator, time_base.denominator)
    last: int | None = None
    for segment in segments:
        with av.open(f"file:{segment.path}", format=FORMAT) as file:
            for packet in file.demux(video=0):
                if packet.dts is None or packet.pts is None:
                    continue  # the demuxer's sign for the end
                packet.rescale_ts(ticks)
                base = segment.first_pts - shift
                packet.pts += base
                # Where frames do not come evenly, the first decoding times of a segment may lie before the
                # last ones of the segment before it.
                packet.dts += base
                if last is not None and packet.dts <= last:
                    packet.dts = last + 1
                last = packet.dts
                packet.stream = stream
                yield packet


def _packets(source: Any, pairs: dict[int, Any], window: Window) -> "Iterator[Packet[Any]]":
    """What is carried over, its bytes untouched."""
    if not pairs:
        return
    clocks = {i: window.at(source.streams[i].time_base) for i in pairs}
    last: dict[int, int] = {}
    late: set[int] = set()
    for packet in _demuxed(source, [source.streams[i] for i in pairs]):
        if packet.dts is None and packet.pts is None:
            continue
        index, base = packet.stream.index, Fraction(packet.time_base)
        cover = packet.stream.disposition & COVER
        moved = 0 if cover else _moved(packet, clocks[index]) - round(window.shift_s / base)
        if packet.pts is not None:
            packet.pts += moved
        if packet.dts is not None:
            packet.dts += moved
        if not cover and not _wanted(packet, window, base):
            continue
        if packet.dts is not None:
            # Where films are damaged or joined packets go back in time, which no film may.
            step = 0 if packet.stream.type == "subtitle" else max(1, round(_STEP_S / base))
            least = last[index] + step if index in last else packet.dts
            if packet.dts >= least:
                late.discard(index)
            elif index in late or packet.dts <= last[index]:
                late.add(index)
                packet.dts = least
                packet.pts = None if packet.pts is None else max(packet.pts, least)
            last[index] = packet.dts
        to = pairs[index]
        if isinstance(to, Sound | Subtitles):
            yield from to.encoded(packet)
            continue
        packet.stream = to
        yield packet
    for to in pairs.values():
        if isinstance(to, Sound):
            yield from to.encoded(None)


def _demuxed(source: Any, streams: list[Any]) -> "Iterator[Packet[Any]]":
    try:
        yield from source.demux(streams)
    except IndexError:
        return  # PyAV trips over streams that came in the middle, but only when all that it knows has come out


_STEP_S = Fraction(1, 1000)
"""Two packets of sound are apart by this at least: a tick of any film, whatever ticks the original has."""


def _moved(packet: "Packet[Any]", clock: Callable[[int], int]) -> int:
    ticks = packet.dts if packet.dts is not None else packet.pts
    assert ticks is not None
    return clock(ticks) - ticks


def _wanted(packet: "Packet[Any]", window: Window, base: Fraction) -> bool:
    """The packet, its times those of the film, is in the window. A line of text that is being shown when the window
    opens is shown from there on."""
    if window.start_s is None and window.end_s is None:
        return True
    if packet.stream.type == "data":
        return _whole(packet, window, base)
    ticks = packet.pts if packet.pts is not None else packet.dts
    assert ticks is not None
    if window.end_s is not None and ticks * base >= Fraction(window.end_s) - window.shift_s:
        return False
    if window.start_s is None or ticks >= 0:
        return True
    late = packet.stream.type == "subtitle" and packet.duration and ticks + packet.duration > 0
    if late:
        packet.pts, packet.dts, packet.duration = 0, 0, ticks + (packet.duration or 0)
    return bool(late)


def _whole(packet: "Packet[Any]", window: Window, base: Fraction) -> bool:
    """All that a packet measures is in the window: its measurements are spread over its duration, so that a part of it
    would have wrong times."""
    begin = packet.pts if packet.pts is not None else packet.dts
    assert begin is not None
    end = window.end_s
    late = (
        end is not None and (begin + (packet.duration or 0)) * base > Fraction(end) - window.shift_s + _STEP_S
    )
    return not late and (window.start_s is None or begin >= 0)


def _by_time(*streams: "Iterable[Packet[Any]]") -> "Iterator[Packet[Any]]":
    """Packets of several streams by their time: else the muxer would hold one in memory for the other."""
    waiting = [(packet, rest) for rest in map(iter, streams) if (packet := next(rest, None)) is not None]
    while waiting:
        at = min(range(len(waiting)), key=lambda i: _time(waiting[i][0]))
        packet, rest = waiting[at]
        yield packet
        following = next(rest, None)
        waiting[at : at + 1] = [] if following is None else [(following, rest)]


def _time(packet: "Packet[Any]") -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    assert ticks is not None
    return ticks * Fraction(packet.time_base)
