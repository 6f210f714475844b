"""Sound that is encoded anew: where the film's kind cannot hold the original's, or where another is wanted."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.codec
from av.audio.resampler import AudioResampler
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer

from ..core.errors import UsageError

USUAL = {"mp4": "aac", "mov": "aac", "matroska": "aac", "webm": "libopus"}
"""What every player of such a film takes."""
NAMES = {"opus": "libopus", "vorbis": "libvorbis", "mp3": "libmp3lame"}
"""Encoders that are called otherwise than their codec."""
_PER_CHANNEL = 80_000
"""Bits per second: no difference is heard with AAC or Opus."""
_OPUS_HZ = 48_000


def check(codec: str) -> None:
    """Raises UsageError for what is neither `copy` nor a codec of sound that can be written."""
    if codec == "copy":
        return
    try:
        known = av.codec.Codec(NAMES.get(codec, codec), "w").type == "audio"
    except UnknownCodecError:
        known = False
    if not known:
        raise UsageError(f"sound as {codec}", "try copy, aac, opus, flac or mp3")


def _any(stream: Any) -> Any:
    """PyAV's types do not know which kind of stream a codec's name makes."""
    return stream


class Sound:
    """One stream of sound in another codec. One thread."""

    def __init__(self, source: Any, film: OutputContainer, codec: str) -> None:
        """Adds a stream to `film`, which is not begun. Raises UsageError for a codec that it cannot have."""
        name = NAMES.get(codec, codec)
        rate = _OPUS_HZ if name == "libopus" else source.rate
        try:
            self.stream = _any(film.add_stream(name, rate=rate))
            self.stream.layout = source.layout.name
            self.stream.codec_context.bit_rate = _PER_CHANNEL * len(source.layout.channels)
            self.stream.codec_context.open()
        except (ValueError, av.FFmpegError, UnknownCodecError) as error:
            raise UsageError(f"sound as {codec} in {film.format.name}: {error}", "try aac or opus") from None
        context = self.stream.codec_context
        self._resampler = AudioResampler(
            context.format.name, context.layout.name, context.rate, context.frame_size or None
        )

    def encoded(self, packet: Any, shift: int) -> Iterator[Any]:
        """The film's packets for one of the original, or for its end (None); `shift` in its own ticks."""
        frames = packet.decode() if packet is not None else [None]
        for frame in frames:
            if frame is not None and frame.pts is not None:
                frame.pts -= shift
            for part in self._resampler.resample(frame):
                part.time_base = Fraction(1, part.sample_rate)
                yield from self.stream.encode(part)
        if packet is None:
            yield from self.stream.encode(None)
