"""The words of `faceswapd models`; apart from what they do, so that `--help` waits for nothing."""

import argparse
from pathlib import Path


def add_models_options(parser: argparse.ArgumentParser) -> None:
    """The actions of `faceswapd models`."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="print it as JSON")
        return made

    named = "as `models list` names it"
    action("list", "what is here and what is known")
    one = action("pull", "download a model, check it, and ask for its licence to be accepted")
    one.add_argument("model", help=named)
    one.add_argument("--accept-licence", metavar="LICENCE", help="accept this licence without being asked")
    one = action("add", "take in a model file that you have")
    one.add_argument("file", type=Path, help="an ONNX or DFM file")
    one.add_argument("--name", help="what it is called here (default: its usual name, or the file's)")
    one.add_argument("--family", help="what it is, where its tensors fit several families")
    one.add_argument(
        "--serves", metavar="NAME", help="stand in for this known model, wherever it is needed and not here"
    )
    one.add_argument(
        "--consent", metavar="BASIS", help="for a model of one person's face: why it may be worn"
    )
    one = action("verify", "check the files that are here")
    one.add_argument("model", nargs="?", help="only this one")
    action("remove", "delete one").add_argument("model", help=named)
    action("licence", "show a model's licence").add_argument("model", help=named)
