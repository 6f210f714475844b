"""The command line: reads words, runs one command, turns errors into one line and an exit code."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..core.errors import FaceswapdError, UsageError
from .model_options import add_models_options
from .options import add_analyse_options, add_analysis_options, add_config_option, add_run_options
from .process_options import add_process_options, joined

FIRST_STEPS = """first steps:
  faceswapd doctor                       what is here, and what is missing
  faceswapd run                          camera to virtual camera, faces blurred
  faceswapd run --processors mesh_swap   the painted mask instead
  faceswapd ctl pair                     while it runs: a link to the web remote
  faceswapd run --help                   what more it can be told"""

Command = Callable[[argparse.Namespace], int]
Load = Callable[[argparse.Namespace], Command]
"""Imports what a command needs, and nothing before that: `--help` and `ctl` do not wait for OpenCV."""


class _Parser(argparse.ArgumentParser):
    """argparse, with the house's errors in place of `exit(2)`."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Names the command whose `--help` tells more; inputs may stand on both sides of options."""
        known, rest = super().parse_known_args(args, namespace)
        if rest and hasattr(known, "input") and not any(word.startswith("-") for word in rest):
            known.input, rest = [*known.input, *rest], []  # argparse itself takes the first group only
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


def main(argv: Sequence[str] | None = None, begin: Callable[[], None] = lambda: None) -> int:
    """Runs one command; returns its exit code (the table is in `core.errors`).

    A user's mistake is one line on standard error; a mistake of ours keeps its traceback. `begin` is called when all
    is imported, just before there is something that an interruption would have to undo; not at all by a command that
    only looks.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[:1] == ["ctl"]:  # a client only: it starts quickly and never loads the pipeline
            from .ctl import main as ctl

            begin()
            return ctl(words[1:])
        args = command_line().parse_args(joined(words))
        load: Load = args.load
        command = load(args)
        if not args.looks:
            begin()
        return command(args)
    except FaceswapdError as error:
        sys.stderr.write(f"faceswapd: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def command_line() -> argparse.ArgumentParser:
    """All commands with their options; of `ctl` only the name, its own are in `ctl_options`."""
    from .. import __version__

    parser = _Parser(
        prog="faceswapd", description="A webcam in, a processed virtual camera out.", epilog=FIRST_STEPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"faceswapd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _add(commands, "run", "the daemon: camera in, virtual camera out, until told to stop", _run)
    add_run_options(run)

    demo = _add(commands, "demo", "ten seconds of the main job on a bundled portrait, saved as a film", _demo)
    demo.add_argument(
        "--for", dest="for_s", type=float, default=10.0, metavar="SECONDS", help="for so long (default: 10)"
    )
    demo.add_argument("--save", default="demo.mp4", metavar="FILE", help="the film (default: %(default)s)")
    demo.add_argument("--json", action="store_true", help="print the numbers as one JSON object")

    process = _add(commands, "process", "pictures, films and folders through the same processors", _process)
    add_process_options(process)

    devices = _add(
        commands,
        "devices",
        "cameras, virtual cameras, monitors and windows of this machine",
        _devices,
        looks=True,
    )
    devices.add_argument("--json", action="store_true", help="print them as JSON")

    listed = _add(
        commands,
        "processors",
        "what can be done to the picture, with every parameter",
        _processors,
        looks=True,
    )
    listed.add_argument("name", nargs="?", default="", metavar="NAME", help="only this one")
    listed.add_argument("--json", action="store_true", help="print them as JSON")

    face = _add(commands, "face", "the faces that can be worn, each with its consent", _face)
    actions = face.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")

    def action(name: str, text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
        return made

    add = action("add", "add a photo")
    add.add_argument("photo", help="a picture with the face")
    add.add_argument("--name", required=True, help="what it is called from now on")
    add.add_argument("--consent", metavar="BASIS",
        help="why it may be worn: self, permission, public-domain or synthetic")  # fmt: skip
    add_config_option(add)
    action("list", "list them").add_argument("--json", action="store_true", help="print them as JSON")
    action("remove", "remove one, its photo and its record").add_argument(
        "name", help="as `face list` names it"
    )
    add_analyse_options(action("analyse", "what is seen in a photo; nothing is kept of it"))

    models = _add(commands, "models", "the neural models of this machine: pull, add, verify, remove", _models)
    add_models_options(models)

    doctor = _add(
        commands, "doctor", "checks the installation, each finding with its remedy", _doctor, looks=True
    )
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")

    bench = _add(commands, "bench", "how fast this machine is, on bundled material", _bench, looks=True)
    bench.add_argument("--json", action="store_true", help="print the numbers as JSON")
    bench.add_argument("--seconds", type=float, default=5.0, help="for each case (default: %(default)s)")
    bench.add_argument(
        "--only", metavar="CASE,...", help="only cases whose names begin so: anonymize, mesh_swap, ..."
    )
    add_analysis_options(bench)

    commands.add_parser("ctl", help="remote control of a running daemon: `faceswapd ctl --help`")
    return parser


def _add(commands: Any, name: str, text: str, load: Load, *, looks: bool = False) -> argparse.ArgumentParser:
    """`looks`: it makes nothing that would have to be undone."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(load=load, looks=looks)
    return parser


def _run(_: argparse.Namespace) -> Command:
    from .run import run

    return run


def _demo(_: argparse.Namespace) -> Command:
    from .run import demo

    return demo


def _process(_: argparse.Namespace) -> Command:
    from .process import process

    return process


def _devices(_: argparse.Namespace) -> Command:
    from .lists import devices

    return devices


def _processors(_: argparse.Namespace) -> Command:
    from .lists import processors

    return processors


def _face(args: argparse.Namespace) -> Command:
    if args.action == "analyse":
        from .analyse import analyse

        return analyse
    from .lists import face

    return face


def _models(_: argparse.Namespace) -> Command:
    from .models import models

    return models


def _doctor(_: argparse.Namespace) -> Command:
    from .doctor import doctor

    return doctor


def _bench(_: argparse.Namespace) -> Command:
    from .bench import bench

    return bench
