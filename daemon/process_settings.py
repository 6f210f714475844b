"""What the options of `process` mean."""

import argparse
import math
from fractions import Fraction
from typing import Any

import msgspec

from ..capture import hwaccel
from ..core.errors import UsageError
from ..core.settings import Settings
from ..processors.library import Library
from . import config
from .batch import MOST
from .film_frames import FilmOptions
from .options import _assignment, _given, analysis_options, check_analysis, inference_options
from .run import WEARERS, wearing
from .units import parse_bytes

ALIASES = {
    "face_swapper": "mesh_swap",
    "face_enhancer": "enhance",
    "frame_enhancer": "enhance_frame",
    "expression_restorer": "restore_expression",
    "face_debugger": "annotate",
    "blur": "anonymize",
}
"""Processors of other tools that ours do the work of."""
_MISSING = ("nsfw_filter", "map_faces")
"""Options of other tools for which there is no processor yet: refused, not passed over."""


_NTSC = Fraction(1, 150)
"""Frames a second: nearer than this to a thousandth less than a whole rate, that is what is meant."""


def process_settings(args: argparse.Namespace, library: Library) -> Settings:
    """The settings that configuration, environment and command line together say. Raises as `config.load`."""
    words = [*([args.processors] if args.processors else []), *(args.frame_processors or [])]
    names = [n.strip() for word in words for n in word.split(",")]
    options: dict[str, Any] = {
        "processors": ",".join(ALIASES.get(n, n) for n in names) if names else None,
        "badge": False if args.no_badge else None,
        "analysis": analysis_options(args),
        "inference": inference_options(args),
    }
    settings = config.load(options, args.config)
    check_analysis(args, settings.analysis)
    settings = wearing(settings, library, args.face, args.consent, chosen=bool(names))
    for name in _MISSING:
        if getattr(args, name):
            raise UsageError(f"--{name.replace('_', '-')} does not exist here yet", "leave it out")
    params = [_assignment(text) for text in args.params]
    wearers = [place.name for place in settings.processors if place.name in WEARERS]
    if args.many_faces:
        params += [(name, "faces", "all") for name in wearers]
    if args.mouth_mask:
        if not wearers:
            raise UsageError("--mouth-mask without a worn face", "say --face, or --processors mesh_swap")
        params += [(name, "keep_mouth", "true") for name in wearers]
    return config.with_params(settings, params)


def max_bytes(text: str | None) -> int | None:
    """`4` -> 4 GB, `1500M` -> bytes. Raises UsageError."""
    if text is None:
        return None
    try:
        limit = round(float(text) * (1 << 30)) if _number(text) else parse_bytes(text)
    except ValueError:
        limit = 0
    if limit <= 0:
        raise UsageError(f"--max-memory {text}", "write it as 4, 1500M or 2.5G")
    return limit


def _number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def film_options(args: argparse.Namespace) -> FilmOptions:
    """How films are written. Raises UsageError."""
    quality = args.video_quality
    if quality is not None and not 0 <= quality <= 100:
        raise UsageError(f"--video-quality {quality}", "give 0 to 100")
    if args.fps is not None and not 0 < args.fps <= 240:
        raise UsageError(f"--fps {args.fps:g}", "give a rate above 0 and at most 240")
    rate = None if args.interpolate is None else parse_rate(args.interpolate)
    if args.fps and args.keep_fps:
        raise UsageError("--fps and --keep-fps", "say one of them: they contradict each other")
    if args.no_audio and args.keep_audio:
        raise UsageError("--no-audio and --keep-audio", "say one of them: they contradict each other")
    if args.preview is not None and args.preview < 1:
        raise UsageError(f"--preview {args.preview}", "give a number of frames, 1 or more")
    if rate and args.fps:
        raise UsageError("--fps and --interpolate", "say one of them: both give the new film's rate")
    if args.batch_size is not None and not 1 <= args.batch_size <= MOST:
        raise UsageError(f"--batch-size {args.batch_size}", f"give 1 to {MOST}")
    hwaccel.check(args.hwaccel or hwaccel.AUTO)
    if args.interpolate_model and not rate:
        raise UsageError(
            f"--interpolate-model {args.interpolate_model}", "say the rate too: --interpolate 60"
        )
    blend = args.temporal_blend
    if blend is not None and not 0 <= blend < 1:
        raise UsageError(f"--temporal-blend {blend:g}", "give 0 (off) to less than 1 (0.3 is a good start)")
    start_s, end_s = parse_trim(args.trim) if args.trim else (None, None)
    changes = _given(
        encoder=args.video_encoder,
        quality=quality,
        preset=args.video_preset,
        hwaccel=args.hwaccel,
        batch=args.batch_size,
        sound=False if args.no_audio else None,
        sound_codec=args.audio_codec,
        fps=args.fps,
        interpolate=rate,
        interpolate_model=args.interpolate_model,
        temporal_blend=blend,
        start_s=start_s,
        end_s=end_s,
    )
    return msgspec.structs.replace(FilmOptions(), **(changes or {}))


def parse_rate(text: str) -> Fraction:
    """`60`, `60000/1001`, or `59.94`, which stands for it. Raises UsageError."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--interpolate {text}", "write it as 60, 59.94 or 60000/1001") from None
    if not 1 <= rate <= 240:
        raise UsageError(f"--interpolate {text}", "give a rate from 1 to 240")
    ntsc = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    return ntsc if rate != ntsc and abs(rate - ntsc) < _NTSC else rate.limit_denominator(1001)


def parse_trim(text: str) -> tuple[float | None, float | None]:
    """`00:10-00:20` -> (10.0, 20.0); either side may be left out. Raises UsageError."""
    start, dash, end = text.partition("-")
    try:
        if not dash or not (start or end):
            raise ValueError
        found = (_seconds(start) if start else None, _seconds(end) if end else None)
    except ValueError:
        raise UsageError(f"--trim {text}", "write it as 00:10-00:20, 12.5- or -1:00") from None
    if found[0] is not None and found[1] is not None and found[0] >= found[1]:
        raise UsageError(f"--trim {text}", "its end is not after its beginning")
    return found


def _seconds(text: str) -> float:
    """`1:02:03.5` -> 3723.5."""
    parts = [float(part) for part in text.strip().split(":")]
    if len(parts) > 3 or not all(0 <= p < math.inf for p in parts):
        raise ValueError
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds
