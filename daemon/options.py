"""The options of a run, and what they mean as settings."""

import argparse
from pathlib import Path
from typing import Any, get_args

from ..core.errors import ConfigError, UsageError
from ..core.settings import AnalysisSettings, Backend, EngineName, OnNoFace, PrecisionName, Settings
from ..inference.providers import cores, provider
from . import config

THREADS_A_CORE = 4
"""More workers than that only take memory and wait for each other."""


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Every option is None unless given, so that configuration and environment show through."""
    add = parser.add_argument
    add_config_option(parser)
    add(
        "--source",
        help="camera name or path, film, picture, URL, screen:, portrait: (bundled), pattern: (test picture) "
        "(default: the first camera)",
    )
    add("--output", action="append", metavar="WHERE",
        help="virtual camera name or path, pipewire:, film, mjpeg:, a udp, rtmp, rtsp or srt address, "
        "memory:, none; may be repeated (default: the first virtual camera)")  # fmt: skip
    add("--size", metavar="WxH", help="of the output (default: 1280x720)")
    add("--fps", type=float, help="of the output (default: 30)")
    add(
        "--fit",
        choices=("letterbox", "crop"),
        help="how a picture of another shape gets in (default: letterbox)",
    )
    add("--processors", metavar="A,B",
        help="the chain, in order, of those that `faceswapd processors` lists; none shows the camera as it is "
        "(default: anonymize)")  # fmt: skip
    add_set_option(parser)
    add(
        "--face",
        metavar="PHOTO|NAME",
        help="the face that is worn: a photo, or a name of `faceswapd face list`",
    )
    add("--consent", metavar="BASIS", help="for a photo: self, permission, public-domain or synthetic")
    add(
        "--on-no-face", choices=get_args(OnNoFace), help="what is shown without a face (default: placeholder)"
    )
    add("--no-badge", action="store_true", help="leave the mark out that swapped and restored faces carry")
    add("--loop", action="store_true", help="play a film again and again")
    add("--for", dest="for_s", type=float, metavar="SECONDS", help="end after so long")
    add_analysis_options(parser)
    add_inference_options(parser)
    add("--port", type=int, help="of the control channel (default: 7865)")
    add("--no-control", action="store_true", help="run without a control channel")
    add("--overwrite", action="store_true", help="replace an existing film")
    add_record_options(parser)
    add("--json", action="store_true", help="print the numbers of the run as one JSON object at its end")
    add("--verbose", "-v", action="store_true", help="log more")


def add_set_option(parser: argparse.ArgumentParser) -> None:
    """One parameter of one processor; may be repeated."""
    parser.add_argument(
        "--set", action="append", dest="params", metavar="PROCESSOR.PARAM=VALUE", default=[],
        help="a parameter, as `faceswapd processors` lists them: anonymize.mode=pixelate; may be repeated",
    )  # fmt: skip


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Where the configuration is."""
    try:
        usual = str(config.default_path()).replace("%", "%%")
    except ConfigError:  # a command that needs one says so
        usual = "none, without a home"
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration (default: {usual})")


def add_analysis_options(parser: argparse.ArgumentParser) -> None:
    """What finds faces and what is told of them."""
    add = parser.add_argument_group("analysis").add_argument
    add("--analysis", choices=get_args(Backend), help="insightface in place of ours (default: bundled)")
    add("--analysis-pack", metavar="NAME", help="which of insightface's packs (default: buffalo_l)")
    add(
        "--detector",
        metavar="MODEL",
        help="finds faces, as `models list` names it (default: the bundled pair)",
    )
    add("--detector-side", type=int, metavar="PIXELS", help="of what it is shown (default: 640)")
    add(
        "--landmarks",
        metavar="MODEL",
        help="tells by which points faces are aligned (default: the bundled mesh)",
    )
    add("--attributes", metavar="MODEL", help="tells sex and age of faces (default: none)")


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """What models run on, and how."""
    add = parser.add_argument
    add("--engine", choices=get_args(EngineName), help="what runs models (default: auto, the fastest here)")
    add("--precision", choices=get_args(PrecisionName), help="of the models' arithmetic (default: auto)")
    add(
        "--execution-provider",
        dest="provider",
        metavar="NAME",
        help="cpu, cuda, openvino:gpu, ...; tensorrt,cuda allows the second in the first one's place (default: auto)",
    )
    add(
        "--execution-threads",
        dest="threads",
        type=int,
        metavar="N",
        help="workers of the pool (default: 0, the provider's own number)",
    )


def add_analyse_options(parser: argparse.ArgumentParser) -> None:
    """The options of `face analyse`."""
    parser.add_argument("photo", type=Path, help="a picture file")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--save", type=Path, metavar="PICTURE", help="a copy in which it is drawn")
    add_config_option(parser)
    add_analysis_options(parser)


def analysis_options(args: argparse.Namespace) -> dict[str, Any] | None:
    """What `add_analysis_options` was given, as fields of `AnalysisSettings`."""
    return _given(
        backend=args.analysis, pack=args.analysis_pack, detector=args.detector,
        detector_side=args.detector_side, landmarks=args.landmarks, attributes=args.attributes,
    )  # fmt: skip


def inference_options(args: argparse.Namespace) -> dict[str, Any] | None:
    """What `add_inference_options` was given, as fields of `InferenceSettings`.

    Raises UsageError for a provider that nobody knows and a number of threads that makes no sense on this machine.
    """
    threads = args.threads
    most = THREADS_A_CORE * cores()
    if threads is not None and not 0 <= threads <= most:
        raise UsageError(
            f"--execution-threads {threads}",
            f"give 1 to {most} ({THREADS_A_CORE} for each core), or 0 for the provider's own number",
        )
    names = (args.provider or "auto").split(",")
    for name in names if names != ["auto"] else ():
        try:
            provider(name.strip())
        except ConfigError as error:
            raise UsageError(f"--execution-provider {args.provider}: {error.what}", error.remedy) from None
    return _given(engine=args.engine, provider=args.provider, precision=args.precision, threads=threads)


def check_analysis(args: argparse.Namespace, analysis: AnalysisSettings) -> None:
    """Raises UsageError for an option of `add_analysis_options` that means nothing beside the others."""
    insight = analysis.backend == "insightface"
    if args.analysis_pack is not None and not insight:
        raise UsageError("--analysis-pack is for insightface only", "say --analysis insightface too")
    if args.detector_side is not None and not (analysis.detector or insight):
        raise UsageError("--detector-side is for a detector of yours only", "say --detector MODEL too")


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """The options of recording beside the virtual camera."""
    add = parser.add_argument_group("recording", "also of an --output that is a film").add_argument
    add("--record", nargs="?", const="", metavar="FILE",
        help="record what is shown, from the start; without a name one by date in the folder of videos")  # fmt: skip
    add("--encoder", metavar="NAME", help="auto, h264, hevc, av1, vp9 or an encoder's own name")
    add("--quality", type=int, metavar="0-100", help="of the film (default: 60)")
    add("--segment", metavar="10m", help="begin a new film after so long")
    add("--max-size", metavar="4G", help="end the recording at this size")
    add("--keep-free", metavar="1G", help="what is left free on the disk (default: 256M)")
    add("--save-last", metavar="30s", help="keep so much in memory, to be saved when asked")
    add("--sound", nargs="?", const="", metavar="MICROPHONE", help="record a microphone with the picture")
    add("--av-delay", type=float, metavar="MS", help="lay its sound so much later (default: 0)")
    add("--constant-rate", action="store_true", default=None, help="exactly --fps pictures a second")


def run_settings(args: argparse.Namespace) -> Settings:
    """The settings that configuration, environment and command line together say. Raises as `config.load`."""
    options: dict[str, Any] = {
        "source": args.source, "outputs": args.output, "size": args.size, "fps": args.fps, "fit": args.fit,
        "processors": args.processors, "on_no_face": args.on_no_face, "for_s": args.for_s,
        "badge": False if args.no_badge else None, "loop": True if args.loop else None,
        "inference": inference_options(args),
        "analysis": analysis_options(args),
        "control": _given(port=args.port, enabled=False if args.no_control else None),
        "record": _given(**_record(args)),
    }  # fmt: skip
    settings = config.load(options, args.config)
    check_analysis(args, settings.analysis)
    return config.with_params(settings, [_assignment(text) for text in args.params])


def _record(args: argparse.Namespace) -> dict[str, Any]:
    # A name on the command line means this folder; in the configuration, the folder of recordings.
    path = str(Path(args.record).absolute()) if args.record else args.record
    return {
        "path": path, "encoder": args.encoder, "quality": args.quality, "segment_s": args.segment,
        "sound": None if args.sound is None else True, "microphone": args.sound, "av_delay_ms": args.av_delay,
        "save_last_s": args.save_last,
        "max_bytes": args.max_size, "keep_free": args.keep_free, "constant_rate": args.constant_rate,
    }  # fmt: skip


def _given(**values: Any) -> dict[str, Any] | None:
    return {k: v for k, v in values.items() if v is not None} or None


def _assignment(text: str) -> tuple[str, str, str]:
    place, equals, value = text.partition("=")
    processor, dot, param = place.partition(".")
    if not (equals and dot and processor and param):
        raise UsageError(f"--set {text}", "write it as anonymize.mode=pixelate")
    return processor, param, value
