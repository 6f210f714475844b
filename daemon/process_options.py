"""The options of `process`, under the names that users of other tools know too."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from ..capture.hwaccel import NAMES
from .options import add_analysis_options, add_config_option, add_inference_options, add_set_option

FOREIGN = {
    "--many-faces": "every face wears it (what is done anyway)",
    "--map-faces": "does not exist yet",
    "--mouth-mask": "the inside of the wearer's own mouth stays: parameter keep_mouth",
    "--nsfw-filter": "does not exist yet",
}
"""Options of other tools: what stands for them here."""
_LEADING_DASH = re.compile(r"-\d")


def joined(words: Sequence[str]) -> list[str]:
    """The words with `--trim -1:00` as one: argparse takes a word with a dash for an option."""
    done: list[str] = []
    for word in words:
        if done and done[-1] == "--trim" and _LEADING_DASH.match(word):
            done[-1] += f"={word}"
        else:
            done.append(word)
    return done


def add_process_options(parser: argparse.ArgumentParser) -> None:
    """Every option is None unless given, so that configuration and environment show through."""
    add = parser.add_argument
    add("input", nargs="*", metavar="INPUT", help="pictures, films, folders, or @LIST with a path a line")
    add("-t", "--target", action="append", dest="inputs", metavar="INPUT", default=[], help="another input")
    add("-o", "--output", metavar="OUT", help="a file for one input, else a folder")
    add("--jobs", type=Path, metavar="FILE", help="many runs: TOML with [[job]] tables, or a list in JSON, of "
        "these options without their dashes")  # fmt: skip
    add_config_option(parser)
    add("--processors", metavar="A,B",
        help="the chain, in order, of those that `faceswapd processors` lists; none changes nothing "
        "(default: anonymize)")  # fmt: skip
    add("--frame-processor", nargs="+", dest="frame_processors", metavar="A",
        help="the same, as other tools have it: face_swapper, ...")  # fmt: skip
    add_set_option(parser)
    add("-s", "--face", "--source", metavar="PHOTO|NAME",
        help="the face that is worn: a photo, or a name of `faceswapd face list`")  # fmt: skip
    add("--consent", metavar="BASIS", help="for a photo: self, permission, public-domain or synthetic")
    add("--no-badge", action="store_true", help="leave the mark out that swapped and restored faces carry")
    for option, text in FOREIGN.items():
        add(option, action="store_true", help=text)
    add("--overwrite", action="store_true", help="replace files that exist")
    add("--resume", action="store_true", help="go on where an interrupted run was")
    add("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add("--trim", metavar="FROM-TO", help="only this part: 00:10-00:20, 12.5-, -1:00")
    add("--fps", type=float, metavar="RATE", help="an even rate (default: every frame at its own time)")
    add("--interpolate", metavar="RATE", help="an even rate with frames drawn between others: 60, 60000/1001")
    add("--interpolate-model", metavar="NAME", help="draw them by a model (RIFE) instead of optical flow")
    add("--temporal-blend", type=float, metavar="0-1",
        help="how much of each processed face comes from the frame before, against flicker")  # fmt: skip
    add("--keep-fps", action="store_true", help="what is done anyway, unless --fps is given")
    add("--no-audio", action="store_true", help="leave the sound out")
    add("--keep-audio", action="store_true", help="what is done anyway, unless --no-audio is given")
    add("--audio-codec", metavar="NAME", help="encode the sound anew: aac, opus, flac, mp3 (default: copy)")
    add("--video-encoder", "--encoder", metavar="NAME", help="h264, hevc, av1, vp9 or an encoder's own name")
    add("--video-quality", "--quality", type=int, metavar="0-100", help="of films, and of pictures that lose a little "
        "(default: 60, and a picture's own)")  # fmt: skip
    add("--video-preset", metavar="NAME", help="of the encoder: veryfast, medium, p5, ...")
    add(
        "--hwaccel",
        metavar="DEVICE",
        help=f"what decodes films: auto, none, {', '.join(NAMES)} (default: auto)",
    )
    add("--max-memory", metavar="SIZE", help="a limit: 4 is 4 GB, 1500M, 2.5G")
    add("--keep-frames", type=Path, metavar="DIR", help="write every processed frame as a PNG too")
    add(
        "--preview", type=int, metavar="N", help="write a sheet of N frames before and after beside each film"
    )
    add("--report", type=Path, metavar="FILE.html", help="write a page with plots of speed and stage times")
    add_analysis_options(parser)
    add_inference_options(parser)
    add("--batch-size", type=int, metavar="N", help="frames of a film that a model gets at once, up to 32 "
        "(default: as many as prove fastest)")  # fmt: skip
    add("--json", action="store_true", help="print the numbers of the run as one JSON object at its end")
    add("--quiet", "-q", action="store_true", help="no progress and no table")
    add("--verbose", "-v", action="store_true", help="log more")
