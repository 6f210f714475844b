"""Subtitles of text in another codec, where the film's kind cannot hold the original's."""

from collections.abc import Iterator
from typing import Any

import av
import av.error
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.subtitles.subtitle import SubtitleSet

USUAL = {"mp4": "mov_text", "mov": "mov_text", "matroska": "srt", "webm": "webvtt"}
"""What such a film holds."""
_FIELDS = 8
"""Before the text of an ASS line as FFmpeg hands it on: read order, layer, style, name, margins, effect."""


class Subtitles:
    """One stream of subtitles in another codec. One thread."""

    def __init__(self, source: Any, film: OutputContainer) -> None:
        """Adds a stream to `film`, which is not begun. Raises ValueError for subtitles that are pictures, and for
        a film that holds none."""
        self.codec = USUAL.get(film.format.name, "")
        if not (self.codec and source.codec_context and source.codec_context.codec.text_sub):
            raise ValueError(f"{film.format.name} cannot hold these subtitles")
        try:
            self._decoder = source.codec_context
            self._decoder.open(strict=False)
            self.stream: Any = film.add_stream(self.codec)
            context: Any = self.stream.codec_context
            context.time_base = self.stream.time_base = source.time_base
            context.subtitle_header = self._decoder.subtitle_header  # the encoders look their styles up there
            context.open()
        except (av.FFmpegError, UnknownCodecError) as error:
            raise ValueError(str(error)) from None

    def encoded(self, packet: Any) -> Iterator[Any]:
        """The film's packet for one of the original, at its time. Nothing at the end (None)."""
        if packet is None or packet.pts is None:
            return
        try:
            lines = self._decoder.decode2(packet)
        except av.error.InvalidDataError:  # a line that nobody can read
            return
        text = _line([line.ass for line in lines or () if line.type in (b"ass", b"text")])
        if not text:
            return
        fresh = self.stream.codec_context.encode_subtitle(SubtitleSet.create(text, 0, lines.end_display_time))
        fresh.pts = fresh.dts = packet.pts
        fresh.duration, fresh.time_base = packet.duration, packet.time_base
        fresh.stream = self.stream
        yield fresh


def _line(lines: list[bytes]) -> bytes:
    """Several lines that are shown together, as one: a packet holds one."""
    if len(lines) < 2:
        return lines[0] if lines else b""
    parts = [line.split(b",", _FIELDS) for line in lines]
    return b",".join([*parts[0][:_FIELDS], b"\\N".join(part[-1] for part in parts)])
