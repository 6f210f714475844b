"""Small films made in the test, and an independent look at films: plain PyAV, nothing of ours."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from faceswapd.core.frame import Pixels
from faceswapd.core.settings import Size


def stripes(n: int, size: Size = (64, 48)) -> Pixels:
    """A picture that tells its number: eight broad columns, each dark or light as a bit of `n`."""
    width, height = size
    bits = np.array([(n >> bit) & 1 for bit in range(8)], np.uint8)
    row = bits[np.arange(width) * 8 // width] * np.uint8(180) + np.uint8(40)
    return np.repeat(np.repeat(row[None, :, None], height, axis=0), 3, axis=2)


def number(pixels: Pixels) -> int:
    """The number that `stripes` drew; a badge or a little noise does no harm."""
    height, width = pixels.shape[:2]
    columns = pixels[height // 2 :, :, 1].astype(int)
    return sum(int(columns[:, (2 * bit + 1) * width // 16].mean() > 130) << bit for bit in range(8))


def make_film(
    path: Path,
    frames: int = 10,
    size: Size = (64, 48),
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 30,
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    sound: bool = False,
    options: dict[str, str] | None = None,
    gop: int = 8,
    metadata: dict[str, str] | None = None,
    pictures: Iterator[Pixels] | None = None,
) -> Path:
    """A film of `stripes`, with a second of noise for each second if `sound`."""
    with av.open(path, "w") as file:
        file.metadata.update(metadata or {})
        video = file.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(video, VideoStream)
        video.width, video.height = size
        video.pix_fmt = pix_fmt
        video.gop_size = gop
        base = time_base or 1 / Fraction(rate)
        video.codec_context.time_base = base
        audio: Any = None
        if sound:
            audio = file.add_stream("aac", rate=44_100)
            assert isinstance(audio, AudioStream)
            audio.layout = "mono"
        for n in range(frames):
            pixels = next(pictures) if pictures is not None else stripes(n, size)
            picture = av.VideoFrame.from_ndarray(pixels, "bgr24").reformat(format=pix_fmt)
            picture.pts, picture.time_base = (pts[n] if pts else n), base
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
        if audio is not None:
            noise = np.random.default_rng(1).normal(0, 0.1, (1, 44_100 * max(1, round(frames / rate))))
            for at in range(0, noise.shape[1] - 1023, 1024):
                part = av.AudioFrame.from_ndarray(noise[:, at : at + 1024].astype(np.float32), "fltp", "mono")
                part.sample_rate, part.pts, part.time_base = 44_100, at, Fraction(1, 44_100)
                file.mux(audio.encode(part))
            file.mux(audio.encode(None))
    return path


def times(path: Path) -> list[Fraction]:
    """The time of every frame, in seconds."""
    with av.open(path) as file:
        return [_seconds(f.pts, f.time_base) for f in file.decode(video=0)]


def pictures(path: Path) -> list[Pixels]:
    """Every frame as BGR."""
    with av.open(path) as file:
        return [np.asarray(f.to_ndarray(format="bgr24"), np.uint8) for f in file.decode(video=0)]


def numbers(path: Path) -> list[int]:
    """What `stripes` drew, read off every frame."""
    return [number(p) for p in pictures(path)]


def sound(path: Path) -> list[bytes]:
    """Every packet of sound as it is in the file."""
    with av.open(path) as file:
        return [bytes(p) for p in file.demux(audio=0) if p.size]


def _seconds(pts: int | None, base: Any) -> Fraction:
    assert pts is not None
    return pts * Fraction(base.numerator, base.denominator)
