"""The options of `process`, under the names that users of other tools know too."""

import argparse
from pathlib import Path
from typing import get_args

from ..core.settings import EngineName
from . import config


def add_process_options(parser: argparse.ArgumentParser) -> None:
    """Every option is None unless given, so that configuration and environment show through."""
    add = parser.add_argument
    add("input", nargs="*", metavar="INPUT", help="pictures, films, folders, or @LIST with a path a line")
    add(
        "-t", "--target", action="append", dest="input_too", metavar="INPUT", default=[], help="another input"
    )
    add("-o", "--output", required=True, metavar="OUT", help="a file for one input, else a folder")
    add("--config", type=Path, metavar="FILE", help=f"configuration (default: {config.default_path()})")
    add("--processors", "--frame-processor", nargs="+", metavar="A,B",
        help="the chain, in order; none changes nothing (default: anonymize)")  # fmt: skip
    add("--set", action="append", dest="params", metavar="PROCESSOR.PARAM=VALUE", default=[])
    add("-s", "--face", "--source", metavar="PHOTO|NAME", help="the face that is worn")
    add("--consent", metavar="BASIS", help="for a photo: self, permission, public-domain or synthetic")
    add("--no-badge", action="store_true", help="leave the mark out that swapped frames carry")
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--resume", action="store_true", help="go on where an interrupted run was")
    add("--trim", metavar="FROM-TO", help="only this part: 00:10-00:20, 12.5-, -1:00")
    add("--no-audio", action="store_true", help="leave the sound out")
    add("--video-encoder", metavar="NAME", help="h264, hevc, av1, vp9 or an encoder's own name")
    add("--video-quality", type=int, metavar="0-100", help="(default: 60)")
    add("--video-preset", metavar="NAME", help="of the encoder: veryfast, medium, p5, ...")
    add("--engine", choices=get_args(EngineName))
    add(
        "--execution-provider",
        dest="provider",
        metavar="NAME",
        help="cpu, cuda, directml, ... (default: auto)",
    )
    add("--execution-threads", dest="threads", type=int, metavar="N", help="workers of the pool")
    add("--json", action="store_true", help="print the numbers of the run as one JSON object at its end")
    add("--quiet", "-q", action="store_true", help="no progress and no table")
    add("--verbose", "-v", action="store_true", help="log more")
