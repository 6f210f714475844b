"""The words of `faceswapd ctl`; apart from what they do."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from ..core.errors import UsageError

TOPICS = ("state", "stats", "faces", "log")


class _Parser(argparse.ArgumentParser):
    """argparse, with the house's errors in place of `exit(2)`."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"ctl: {message}", f"see `{self.prog} --help`")


def ctl_parser() -> argparse.ArgumentParser:
    """The commands of the remote control. It raises UsageError for words that are none of them."""
    parser = _Parser(prog="faceswapd ctl", description="Controls the daemon that runs.")
    parser.add_argument(
        "--url", help="ws://host:port, wss://host:port or unix:/path; found by itself if left out"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="the token of a daemon elsewhere")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, help_: str, *arguments: dict[str, Any]) -> None:
        sub = commands.add_parser(name, help=help_, description=help_)
        sub.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="machine-readable output"
        )
        for argument in arguments:
            sub.add_argument(argument.pop("name"), **argument)

    def one_of(*words: str, default: str | None = None) -> dict[str, Any]:
        optional = (
            {} if default is None else {"nargs": "?", "default": default, "help": f"(default: {default})"}
        )
        return {"name": "what", "choices": words, "metavar": "|".join(words), **optional}

    name = {"name": "name", "metavar": "NAME", "help": "a processor, as `ctl status` names it"}
    switch = {"name": "to", "choices": ("on", "off", "toggle"), "metavar": "on|off|toggle"}
    maybe = {"name": "name", "nargs": "?", "default": "", "metavar": "NAME"}
    add("status", "Shows the state.")
    add("get", "Shows one value of the state, such as `anonymize.strength` or `face`.",
        {"name": "path", "metavar": "PATH", "help": "a name of `ctl status --json`, or NAME.PARAMETER"})  # fmt: skip
    add("set", "Sets a processor's parameters and `enabled`.", dict(name),
        {"name": "values", "nargs": "+", "metavar": "KEY=VALUE",
         "help": "a parameter as `ctl processors` lists it, such as strength=0.8, or enabled=on"})  # fmt: skip
    add("toggle", "Turns a processor on or off.", dict(name))
    add("reorder", "Puts the chain in another order.",
        {"name": "names", "nargs": "+", "metavar": "NAME", "help": "all processors of the chain"})  # fmt: skip
    add("processors", "Lists the processors and their parameters.",
        {**maybe, "help": "only this one"})  # fmt: skip
    add("privacy", "Shows the placeholder, at once.", dict(switch))
    add("freeze", "Holds the picture as it is.", dict(switch))
    add("hold", "Keeps a processor, `privacy` or `freeze` on until interrupted.",
        {**name, "help": "a processor, privacy or freeze"},
        {"name": "--for", "dest": "for_s", "type": float, "metavar": "SECONDS",
         "help": "for so long (default: until Ctrl-C)"})  # fmt: skip
    add("face", "Lists, wears, adds or removes faces.",
        one_of("list", "set", "add", "remove", default="list"), dict(maybe),
        {"name": "--photo", "type": Path, "metavar": "FILE", "help": "add: its picture"},
        {"name": "--consent", "choices": ("self", "permission", "public-domain", "synthetic"),
         "help": "add: why it may be worn"})  # fmt: skip
    add(
        "preset",
        "Lists, applies or saves presets.",
        one_of("list", "apply", "save", default="list"),
        dict(maybe),
    )
    add("camera", "Lists or selects cameras.", one_of("list", "select", default="list"),
        {**maybe, "help": "select: its name or path"})  # fmt: skip
    add("output", "Lists the outputs.", one_of("list", default="list"))
    add("record", "Records a film.", one_of("start", "stop", "pause", "resume", "save", "status", default="status"),
        {"name": "path", "nargs": "?", "default": "", "metavar": "FILE",
         "help": "start, save: the film (default: one by date in the folder of videos)"})  # fmt: skip
    add("snapshot", "Saves the picture that is shown now.",
        {"name": "file", "type": Path, "metavar": "FILE.jpg"})  # fmt: skip
    add("stats", "Shows frame rate, latencies and drops.")
    add("latency", "Says by how much a call's microphone is to be delayed.")
    add("watch", "Prints events as they come, a JSON document a line.",
        {"name": "topics", "nargs": "*", "default": ["state"], "metavar": "TOPIC",
         "help": f"{', '.join(TOPICS)} (default: state)"},
        {"name": "--interval", "type": float, "default": 1.0, "metavar": "SECONDS",
         "help": "between two stats (default: 1)"})  # fmt: skip
    add("batch", "Makes several changes at one frame boundary.",
        {"name": "changes", "nargs": "+", "metavar": "'set NAME KEY=VALUE'",
         "help": "a change in quotes, as after `faceswapd ctl`"})  # fmt: skip
    add("token", "Makes a new token; everybody who used the old one is let go.", one_of("rotate"))
    add("pair", "Makes a link that lets one browser into the web remote, once.")
    add("completion", "Prints a completion script for a shell.",
        {"name": "shell", "choices": ("bash", "zsh", "fish"), "metavar": "bash|zsh|fish"})  # fmt: skip
    return parser
