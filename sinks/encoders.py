"""Which encoder writes a film: what could, in what order and how set up, and what really does here."""

import os
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

import av
import cv2
import structlog
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from ..core.errors import ConfigError, DeviceLostError, UsageError
from ..core.settings import Size
from .niceness import encoded

log = structlog.get_logger(__name__)

TIME_BASE = Fraction(1, 90_000)
"""Ticks of a film's time: every usual frame rate is close to a whole number of them."""
CODECS = ("h264", "hevc", "av1", "vp9")
QUALITY = 60
"""0 to 100; this is x264's crf 22."""
X26_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
    *map(str, range(10)),
)  # fmt: skip
"""Of x264 and x265, which write a line of their own to the terminal for any other."""
_PROBED = 3  # frames: enough for a hardware encoder to take its session and give a packet
_KEY_S = 2.0  # between key frames: how exactly a player can seek

_AVX_512 = 256
"""OpenCV's CV_CPU_AVX512_SKX: the instructions that x264 calls AVX-512."""
_WITHOUT_AVX_512 = "asm=AVX2,BMI2,FMA3,LZCNT"
"""With it the macroblock tree of libx264 (165) depends on memory that it never wrote, where a row is no multiple of
eight macroblocks: of 176 short films 22 came out otherwise with other bytes in fresh memory, of 224 with such rows
none. Without it: the same film always, for 5 % more work."""

Options = Mapping[str, str]


class EncoderLostError(DeviceLostError):
    """An encoder failed in the middle of a film: its driver went away, its session was taken."""

    code = "encoder_lost"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoder that may or may not work on this machine, and how we would set it up.

    `scale` is (option, its value at quality 0, at quality 100); None for encoders that know no constant
    quality and get a bit rate instead.
    """

    name: str
    codec: str
    live: Options
    """Small delay, little work: the film is written beside a live picture."""
    offline: Options
    """Best picture: nobody waits for it."""
    scale: tuple[str, int, int] | None = None
    pix_fmt: Literal["yuv420p", "nv12"] = "yuv420p"


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder with its settings."""

    name: str
    codec: str
    pix_fmt: Literal["yuv420p", "nv12"]
    options: Options = field(default_factory=dict)
    bit_rate: int | None = None
    threads: int = 1

    def configure(self, context: VideoCodecContext, size: Size, fps: float) -> None:
        """Sets up a codec context that is not open yet, for even `size` = (width, height)."""
        context.width, context.height = size
        context.pix_fmt = self.pix_fmt
        context.time_base = TIME_BASE
        context.framerate = Fraction(fps).limit_denominator(1001)
        context.gop_size = max(1, round(_KEY_S * fps))
        context.thread_count = self.threads
        # Threads on pictures side by side would make films two per cent smaller, and keep a picture each in memory
        # and, live, in delay.
        context.thread_type = "SLICE"
        context.color_range = 1  # limited, as every player expects of a film
        context.colorspace = context.color_primaries = context.color_trc = matrix_of(size)
        context.options = dict(self.options)
        if self.bit_rate is not None:
            context.bit_rate = self.bit_rate


def matrix_of(size: Size) -> int:
    """The colour matrix of a film by its size, as ITU-T H.273 numbers it: 1 is BT.709, 6 is SMPTE 170M."""
    return 1 if size[1] >= 720 or size[0] >= 1280 else 6


def _nvenc(codec: str) -> Candidate:
    # The presets are NVIDIA's own names: p1 is fastest, p7 best; `ull` gives every frame at once.
    return Candidate(
        f"{codec}_nvenc",
        codec,
        live={"preset": "p4", "tune": "ull", "rc": "vbr", "b": "0", "bf": "0", "delay": "0"},
        offline={"preset": "p7", "tune": "hq", "multipass": "fullres", "rc": "vbr", "b": "0"},
        scale=("cq", 40, 14),
    )


def _amf(codec: str) -> Candidate:
    return Candidate(
        f"{codec}_amf",
        codec,
        live={"usage": "lowlatency_high_quality", "quality": "quality", "rc": "vbr_latency"},
        offline={"usage": "transcoding", "quality": "quality", "rc": "vbr_latency"},
        pix_fmt="nv12",
    )


def _qsv(codec: str) -> Candidate:
    return Candidate(
        f"{codec}_qsv",
        codec,
        live={"preset": "veryfast", "async_depth": "1", "bf": "0"},
        offline={"preset": "slow"},
        scale=("global_quality", 38, 14),
        pix_fmt="nv12",
    )


def _videotoolbox(codec: str) -> Candidate:
    return Candidate(
        f"{codec}_videotoolbox",
        codec,
        live={"realtime": "1", "bf": "0"},
        offline={"realtime": "0"},
        pix_fmt="nv12",
    )


def _x264_live() -> Options:
    # Per 720p frame on one core of a 2-core machine: superfast 4.5 ms, veryfast 7.6 ms, with B-frames 6.9
    # and 10.7 ms. Two cores are busy with the picture itself. Without B-frames and with a short look-ahead
    # little is lost when the power goes.
    preset = "veryfast" if (os.cpu_count() or 1) > 2 else "superfast"
    return {"preset": preset, "bf": "0", "rc-lookahead": "10"}


CANDIDATES: tuple[Candidate, ...] = (
    # Hardware first: it costs the live picture no core. NVIDIA before AMD before Intel, since a machine
    # with a graphics card of its own also has the processor's, which is the weaker one.
    *(make(codec) for codec in ("h264", "hevc", "av1") for make in (_nvenc, _amf, _qsv)),
    *(_videotoolbox(codec) for codec in ("h264", "hevc")),
    Candidate("libx264", "h264", _x264_live(), {"preset": "medium", "tune": "film"}, ("crf", 36, 12)),
    Candidate(
        "libx265",
        "hevc",
        live={"preset": "ultrafast", "bf": "0", "x265-params": "log-level=error:rc-lookahead=10"},
        offline={"preset": "medium", "x265-params": "log-level=error"},
        scale=("crf", 38, 14),
    ),
    Candidate(
        "libvpx-vp9",
        "vp9",
        live={"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "lag-in-frames": "0", "b": "0"},
        offline={"deadline": "good", "cpu-used": "3", "row-mt": "1", "b": "0"},
        scale=("crf", 50, 14),
    ),
    # Its look-ahead is part of its design; preset 12 keeps it short.
    Candidate("libsvtav1", "av1", {"preset": "12"}, {"preset": "6"}, ("crf", 56, 16)),
)


def settings(candidate: Candidate, size: Size, fps: float, *, live: bool, quality: int = QUALITY) -> Encoder:
    """A candidate with the settings for this use. `quality` is 0 to 100."""
    options = dict(candidate.live if live else candidate.offline)
    ragged = -(-size[0] // 16) % 8 != 0
    if candidate.name == "libx264" and not live and ragged and cv2.checkHardwareSupport(_AVX_512):
        options["x264-params"] = _WITHOUT_AVX_512
    bit_rate = None
    if candidate.scale:
        option, worst, best = candidate.scale
        options[option] = str(round(worst + (best - worst) * quality / 100))
    else:
        # Bits per pixel from 0.02 (talking heads, blocky) to 0.3 (no loss to be seen), evenly in octaves.
        bit_rate = round(size[0] * size[1] * fps * 0.02 * 15 ** (quality / 100))
    return Encoder(
        candidate.name,
        candidate.codec,
        candidate.pix_fmt,
        options,
        bit_rate,
        _threads(candidate, options, live),
    )


def _threads(candidate: Candidate, options: Options, live: bool) -> int:
    """Threads of an encoder in software.

    A film's other stages want the cores too. An encoder about as quick as they are takes half of them: with all, it
    waits for its own threads while these share a core with the rest (1080p anonymised with veryfast on two cores:
    4.5 s with one thread, 5.1 with two). A slower one is what the film waits for (medium: 10.4 s with one thread, 8.9
    with two, 8.5 with three).
    """
    cores = os.cpu_count() or 1
    if live:
        return max(1, min(4, cores // 4))
    if candidate.name != "libx264":
        return min(16, cores)
    return max(1, cores // 2) if options.get("preset") in X26_PRESETS[:3] else min(16, cores + cores // 2)


def probe(encoder: Encoder, size: Size, fps: float) -> str:
    """Encodes a few frames of this size. Returns "" if packets come out, else why they do not.

    That an encoder is listed says only that it was compiled in: the driver, a free session and its
    largest size show when it is used.
    """
    try:
        context = av.CodecContext.create(encoder.name, "w")
        assert isinstance(context, VideoCodecContext)
        encoder.configure(context, size, fps)
        packets = []
        for n in range(_PROBED):
            picture = av.VideoFrame(*size, encoder.pix_fmt)
            for plane in picture.planes:
                plane.update(bytes([96 + 32 * n]) * plane.buffer_size)
            picture.pts, picture.time_base = round(n / fps / TIME_BASE), TIME_BASE
            packets += encoded(context, picture)
        packets += context.encode(None)
    except UnknownCodecError:
        return "not in this build of PyAV"
    except (av.FFmpegError, OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return "" if any(packet.size for packet in packets) else "no packet came out"


def choose(
    wanted: str,
    size: Size,
    fps: float,
    *,
    live: bool,
    quality: int = QUALITY,
    preset: str = "",
    codecs: tuple[str, ...] = CODECS,
    without: Set[str] = frozenset(),
    probe: Callable[[Encoder, Size, float], str] = probe,
) -> Encoder:
    """The first encoder that really works: `wanted` is `auto`, a codec or an encoder's own name.

    `auto` takes h264, which plays everywhere, or the first of `codecs` (what the container can hold).
    Encoders named in `without` are not tried; `preset`, one of the encoder's own names, stands in the place of ours.
    Blocks for some 50 ms. Raises UsageError for a name that nobody knows or that `codecs` leaves out,
    and for a `preset` that no encoder has which would work without it; ConfigError with each refusal when none works.
    """
    codec = codecs[0] if wanted == "auto" else wanted
    candidates = [c for c in CANDIDATES if codec in (c.codec, c.name)]
    if not candidates:
        raise UsageError(f"unknown encoder {wanted!r}", f"say auto, {', '.join(CODECS)} or an encoder's name")
    if candidates[0].codec not in codecs:
        raise UsageError(
            f"encoder {wanted!r} does not fit this kind of film", f"it takes {', '.join(codecs)}"
        )
    refusals: list[str] = []
    for candidate in candidates:
        if candidate.name in without:
            refusals.append(f"{candidate.name}: failed before")
            continue
        encoder = settings(candidate, size, fps, live=live, quality=quality)
        if preset:
            options = {**encoder.options, "preset": preset}
            encoder = replace(encoder, options=options, threads=_threads(candidate, options, live))
            if candidate.name in ("libx264", "libx265") and preset not in X26_PRESETS:
                raise _no_preset(preset, candidate)
        if not (refusal := probe(encoder, size, fps)):
            log.info("encoder.chosen", encoder=encoder.name, live=live, refused=refusals)
            return encoder
        refusals.append(f"{encoder.name}: {refusal}")
    if preset:
        for candidate in (c for c in candidates if c.name not in without):
            if not probe(settings(candidate, size, fps, live=live, quality=quality), size, fps):
                raise _no_preset(preset, candidate)  # with its own it works
    remedy = "save as another kind of film" if wanted == "auto" else "take encoder auto"
    raise ConfigError(f"no encoder for {wanted!r} works here ({'; '.join(refusals)})", remedy)


def _no_preset(preset: str, candidate: Candidate) -> UsageError:
    known = f"it has {', '.join(X26_PRESETS[:10])}" if candidate.name.startswith("libx26") else "leave it out"
    return UsageError(f"preset {preset!r} is none of {candidate.name}'s", known)
