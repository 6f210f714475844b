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


def _rate(name: str, hertz: int) -> int:
    """The original's samples a second, or the next more that the encoder knows."""
    if name == "libopus":
        return _OPUS_HZ
    known = av.codec.Codec(name, "w").audio_rates
    if not known or hertz in known:
        return hertz
    return min((rate for rate in known if rate > hertz), default=max(known))


def _layout(name: str, source: Any) -> str:
    """The original's channels, or the usual places of so many where the encoder does not know theirs: nobody may have
    said where they are, and Opus has no surround channels at the sides."""
    channels, places = len(source.layout.channels), str(source.layout.name)
    trial: Any = av.codec.CodecContext.create(name, "w")
    trial.sample_rate, trial.layout = _rate(name, source.rate), places
    trial.format = trial.codec.audio_formats[0]
    try:
        trial.open()
    except (ValueError, av.FFmpegError):
        return _USUAL_PLACES.get(channels, places)
    return places


_USUAL_PLACES = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Of channels by their number, as FFmpeg calls them."""


def _any(stream: Any) -> Any:
    """PyAV's types do not know which kind of stream a codec's name makes."""
    return stream


class Sound:
    """One stream of sound in another codec. One thread."""

    def __init__(self, source: Any, film: OutputContainer, codec: str) -> None:
        """Adds a stream to `film`, which is not begun. Raises UsageError for a codec that it cannot have."""
        name, channels = NAMES.get(codec, codec), len(source.layout.channels)
        try:
            rate, layout = _rate(name, source.rate), _layout(name, source)
            self.stream = _any(film.add_stream(name, rate=rate))
            self.stream.layout = layout
            self.stream.codec_context.bit_rate = _PER_CHANNEL * channels
            self.stream.codec_context.open()
        except (ValueError, av.FFmpegError, UnknownCodecError) as error:
            raise UsageError(f"sound as {codec} in {film.format.name}: {error}", "try aac or opus") from None
        context = self.stream.codec_context
        self._resampler = AudioResampler(
            context.format.name, context.layout.name, context.rate, context.frame_size or None
        )

    def encoded(self, packet: Any) -> Iterator[Any]:
        """The film's packets for one of the original, or for its end (None). One that is damaged gives none."""
        try:
            frames = packet.decode() if packet is not None else [None]
        except av.error.InvalidDataError:
            return
        for frame in frames:
            for part in self._resampler.resample(frame):
                part.time_base = Fraction(1, part.sample_rate)
                yield from self.stream.encode(part)
        if packet is None:
            yield from self.stream.encode(None)
