import argparse
from collections.abc import Iterator

from faceswapd.daemon.cli import FIRST_STEPS, command_line
from faceswapd.daemon.ctl_options import ctl_parser


def test_inputs_may_stand_on_both_sides_of_options() -> None:
    words = ["process", "a.jpg", "b.jpg", "--overwrite", "c.jpg", "-o", "out", "d.jpg"]
    args = command_line().parse_args(words)
    assert (args.input, args.output, args.overwrite) == (["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "out", True)


def test_the_first_steps_are_commands_that_exist() -> None:
    steps = [line[: line.index("   ", 3)].split()[1:] for line in FIRST_STEPS.splitlines()[1:]]
    assert len(steps) == 5
    for words in steps:
        match words:
            case ["ctl", *rest]:
                ctl_parser().parse_args(rest)
            case [*rest, "--help"]:
                command_line().parse_args(rest)
            case _:
                command_line().parse_args(words)


def every_parser(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from every_parser(below)


def test_help_says_of_every_word_and_option_what_it_is_and_of_every_command_what_it_does() -> None:
    plain = ("what", "to", "shell", "name", "file")  # lists of words, and names that need no words
    for parser in [*every_parser(command_line()), *every_parser(ctl_parser())]:
        if parser.prog == "faceswapd ctl" and parser.description is None:
            continue  # a name only, in the list of commands
        assert parser.description, parser.prog
        actions = [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]
        assert [a.dest for a in actions if not a.help and a.dest not in plain] == [], parser.prog
