"""Completion of the command line in a shell."""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PROCESSORS = """$(faceswapd ctl get processors 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d'"' -f4)"""
"""Shell words: what is in the chain of the daemon that runs."""
NAMES_PROCESSORS = (" ctl set", " ctl toggle", " ctl hold", " ctl reorder")


@dataclass(frozen=True, slots=True)
class _Place:
    """What may be said at one place of the command line, each word with its help."""

    path: str
    """The commands before it, each with a blank: ` ctl record`."""
    words: dict[str, str]
    options: dict[str, str]
    choices: dict[str, tuple[str, ...]]
    """What may follow an option."""


def completion(whole: argparse.ArgumentParser, ctl: argparse.ArgumentParser, shell: str) -> str:
    """A script for bash, zsh or fish that completes commands, options and their choices; files elsewhere.

    whole, ctl: the command line and the part of it that `ctl` reads by itself.
    """
    places = [*(p for p in _places(whole) if p.path != " ctl"), *_places(ctl, " ctl")]
    if shell == "fish":
        return _fish(places)
    script = _bash(places)
    return script if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{script}"


def _places(parser: argparse.ArgumentParser, path: str = "") -> Iterator[_Place]:
    words: dict[str, str] = {}
    options: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    below: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = dict(action.choices)
            words |= {told.dest: told.help or "" for told in action._choices_actions}
        elif not action.option_strings:
            words |= dict.fromkeys(map(str, action.choices or ()), "")
        else:
            for option in action.option_strings:
                options[option] = action.help or ""
                if action.choices:
                    choices[option] = tuple(map(str, action.choices))
    yield _Place(path, words, options, choices)
    for name, parser_below in below.items():
        yield from _places(parser_below, f"{path} {name}")


def _bash(places: list[_Place]) -> str:
    after = "\n".join(
        f'    "{p.path} {option}") words="{" ".join(words)}" ;;'
        for p in places
        for option, words in p.choices.items()
    )
    here = "\n".join(
        f'    "{p.path}") words="{" ".join(p.words)}" options="{" ".join(p.options)}" ;;' for p in places
    )
    return f"""_faceswapd() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" place="" words="" options="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place ${{COMP_WORDS[i]}}" in
      {_either(p.path for p in places if p.path)}) place="$place ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$place" in
{here}
  esac
  case "$place" in
    {_either(NAMES_PROCESSORS)}) words="{PROCESSORS}" ;;
  esac
  [[ $word == -* ]] && words="$options"
  case "$place $before" in
{after}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _faceswapd faceswapd"""


def _fish(places: list[_Place]) -> str:
    lines = [
        "function __faceswapd_place",
        "  set -l place ''",
        "  for word in (commandline -opc)[2..]",
        '    switch "$place $word"',
        f"      case {' '.join(_quoted(p.path) for p in places if p.path)}",
        '        set place "$place $word"',
        "    end",
        "  end",
        '  echo "$place"',
        "end",
    ]
    for place in places:
        there = f"complete -c faceswapd -n 'test (__faceswapd_place) = \"{place.path}\"'"
        lines += [f"{there} -f -a {word} -d {_quoted(help_)}" for word, help_ in place.words.items()]
        for option, help_ in place.options.items():
            dashes, name = ("-l", option[2:]) if option.startswith("--") else ("-s", option[1:])
            words = place.choices.get(option)
            values = f" -x -a {_quoted(' '.join(words))}" if words else ""
            lines.append(f"{there} {dashes} {name}{values} -d {_quoted(help_)}")
        if place.path in NAMES_PROCESSORS:
            lines.append(f"{there} -f -a {_quoted(PROCESSORS.removeprefix('$'))}")
    return "\n".join(lines)


def _either(paths: Iterable[str]) -> str:
    return "|".join(f'"{path}"' for path in paths)


def _quoted(text: str) -> str:
    r"""As fish reads a text in single quotes: only `\` and `'` have a meaning in it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
