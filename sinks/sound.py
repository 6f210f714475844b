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
_ROUNDED_S = Fraction(2, 1000)
"""A gap that is shorter is none."""


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
        self._resampler = self._made()
        self._form: tuple[str, str, int] | None = None
        self._end: int | None = None

    def encoded(self, packet: Any) -> Iterator[Any]:
        """The film's packets for one of the original, or for its end (None). One that is damaged gives none."""
        try:
            frames = packet.decode() if packet is not None else [None]
        except av.FFmpegError:
            return
        for frame in frames:
            self._prepare(frame)
            for part in self._resampler.resample(frame):
                self._time(part)
                if self._follows(part):
                    yield from self.stream.encode(part)
        if packet is None:
            yield from self.stream.encode(None)

    def _prepare(self, frame: Any) -> None:
        """Broadcasts change their channels in the middle: what was held of a packet before that is lost."""
        if frame is None:
            return
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if self._form not in (None, form):
            self._resampler = self._made()
        self._form = form

    @staticmethod
    def _time(part: Any) -> None:
        """Its time in samples: where only its length was changed it has the original's time base."""
        base = Fraction(1, part.sample_rate)
        if part.pts is not None and part.time_base:
            part.pts = round(part.pts * Fraction(part.time_base) / base)
        part.time_base = base

    def _follows(self, part: Any) -> bool:
        """Times are rounded in Matroska, and where clocks are wrong sound overlaps: what lies more than half before the
        end of what was is left out, else it begins there."""
        if part.pts is None:
            return True
        if self._end is not None:
            gap = part.pts - self._end
            if gap < -part.samples // 2:
                return False
            if gap < _ROUNDED_S * part.sample_rate:
                part.pts = self._end
        self._end = part.pts + part.samples
        return True

    def _made(self) -> AudioResampler:
        context = self.stream.codec_context
        return AudioResampler(
            context.format.name, context.layout.name, context.rate, context.frame_size or None
        )
