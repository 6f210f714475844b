"""Completion of `faceswapd ctl` in a shell."""

import argparse


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script for bash, zsh or fish that completes the commands of `faceswapd ctl`, as `parser` has them."""
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    commands = list(subparsers.choices)
    words = " ".join(commands)
    if shell == "fish":
        lines = [
            f"complete -c faceswapd -n '__fish_seen_subcommand_from ctl' -f -a {c.dest} -d '{c.help}'"
            for c in subparsers._choices_actions
        ]
        return "\n".join(lines)
    names = """$(faceswapd ctl get processors 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d'"' -f4)"""
    script = f"""_faceswapd_ctl() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words="{words}"
  [[ ${{COMP_WORDS[1]}} == ctl ]] || return
  if [[ $COMP_CWORD -gt 2 ]]; then
    case "${{COMP_WORDS[2]}}" in
      set|toggle|hold|reorder) words="{names}" ;;
      privacy|freeze) words="on off toggle" ;;
      *) return ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _faceswapd_ctl faceswapd"""
    return script if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{script}"
