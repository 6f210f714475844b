import os
import shutil
import subprocess

import pytest

from faceswapd.daemon.cli import command_line
from faceswapd.daemon.completion import completion
from faceswapd.daemon.ctl_options import ctl_parser


def script(shell: str) -> str:
    return completion(command_line(), ctl_parser(), shell)


def read_by(*words: str, script: str) -> subprocess.CompletedProcess[str]:
    plain = {**os.environ, "LC_ALL": "C"}  # of a locale that is not installed a shell would complain
    return subprocess.run(words, input=script, env=plain, text=True, capture_output=True, check=True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_right_shell(shell: str) -> None:
    assert "snapshot" in script(shell)
    if path := shutil.which(shell):
        assert read_by(path, "-n", script=script(shell)).stderr == ""


def test_fish_is_given_every_text_in_quotes_that_close() -> None:
    """Helps speak of `a call's microphone`."""
    for line in script("fish").splitlines():
        outside = line.replace("\\\\", "").replace("\\'", "")
        assert outside.count("'") % 2 == 0, line


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["d"], "demo devices doctor"),
        (["ctl", "pr"], "processors privacy preset"),
        (["ctl", "privacy", ""], "on off toggle"),
        (["ctl", "--json", "record", "s"], "start stop save status"),
        (["ctl", "face", "add", "me", "--consent", "p"], "permission public-domain"),
        (["run", "--on"], "--on-no-face"),
        (["run", "--source", "x", "--fit", ""], "letterbox crop"),
        (["run", "--source", ""], ""),  # files
        (["face", "add", "--con"], "--consent --config"),
        (["models", "p"], "pull"),
        (["process", "ctl", "-"], None),
    ],
)
def test_bash_completes(words: list[str], told: str | None) -> None:
    line = " ".join(f"'{word}'" for word in ["faceswapd", *words])
    ask = f'COMP_WORDS=({line}); COMP_CWORD={len(words)}; _faceswapd; echo "${{COMPREPLY[@]}}"'
    done = read_by("bash", script=f"{script('bash')}\n{ask}")

    assert done.stderr == ""
    if told is None:  # the options of `process`, whatever its files are called
        assert "--dry-run" in done.stdout.split()
    else:
        assert done.stdout.strip() == told
