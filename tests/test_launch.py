"""A process from its first line to its last: what it is told from outside, and what becomes of its streams."""

import os
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import os, signal, sys, threading, atexit, faceswapd
from faceswapd.daemon import cli

def command(_):
    {}

cli._models = {}
faceswapd.main({})
"""
LOADED = "lambda _: command"


def launched(
    *lines: str,
    before: str = "",
    load: str = LOADED,
    words: tuple[str, ...] = ("models", "list"),
    **more: Any,
) -> tuple[int, str, str]:
    """Exit code, output and errors of a process whose command does this."""
    script = before + SCRIPT.format("\n    ".join(lines), load, list(words))
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    done = subprocess.run([sys.executable, "-c", script], text=True, timeout=60, check=False, **streams)
    return done.returncode, done.stdout or "", done.stderr or ""


@pytest.fixture
def unread() -> Any:
    """The end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


ENDS = ["SIGINT", "SIGTERM"] if sys.platform == "win32" else ["SIGINT", "SIGTERM", "SIGHUP"]


def test_a_thread_that_hangs_in_a_driver_has_no_part_in_the_end() -> None:
    """While the interpreter takes itself down it could only break the end."""
    assert launched(
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "threading.Thread(target=threading.Event().wait).start()",
        "atexit.register(print, 'taken down')",
        "sys.stdout.write('said')",
        "return 69",
    ) == (69, "said", "")


@pytest.mark.parametrize("name", ENDS)
def test_before_anything_is_begun_a_signal_ends_it_at_once(name: str) -> None:
    assert launched(
        f"try: signal.raise_signal(signal.{name})",
        "except BaseException as error: print(error)",
        "print('goes on')",
        load="command",
    ) == (130, "", "")


@pytest.mark.parametrize("name", ENDS)
def test_a_command_can_undo_what_it_has_begun(name: str) -> None:
    assert launched(
        f"try: signal.raise_signal(signal.{name})",
        "finally: sys.stdout.write('undone')",
    ) == (130, "undone", "")


@pytest.mark.parametrize("name", ENDS)
def test_a_command_that_only_looks_has_nothing_to_undo(name: str) -> None:
    looking = "from faceswapd.daemon import cli\ncli._devices = cli._doctor = lambda _: command\n"
    lines = (f"try: signal.raise_signal(signal.{name})", "finally: print('goes on')")
    assert launched(*lines, before="import faceswapd\n" + looking, words=("devices",)) == (130, "", "")


@pytest.mark.parametrize("name", ENDS)
def test_what_is_done_cannot_be_interrupted(name: str) -> None:
    leave = f"import os, signal\nleave = os._exit\nos._exit = lambda c: (signal.raise_signal(signal.{name}), leave(c))"
    assert launched("return 5", before=leave) == (5, "", "")


@pytest.mark.parametrize("name", ENDS)
def test_what_the_caller_has_ignored_stays_so(name: str) -> None:
    ignored = f"import signal\nsignal.signal(signal.{name}, signal.SIG_IGN)"
    raised = f"signal.raise_signal(signal.{name})"
    assert launched(raised, raised, "return 3", before=ignored) == (3, "", "")


def test_a_mistake_of_ours_keeps_its_traceback_and_what_was_said() -> None:
    code, out, err = launched("sys.stdout.write('said')", "1 / 0")

    assert (code, out) == (1, "said")
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: division by zero\n")


def test_help_is_no_error() -> None:
    assert launched("sys.stdout.write('usage')", "sys.exit(0)") == (0, "usage", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a console is no file there")
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_output_that_nobody_reads_any_more_is_no_error(unread: int, size: int) -> None:
    assert launched(f"print('x' * {size})", "return 7", stdout=unread) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_output_that_cannot_be_written_is_one_line(size: int) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:  # noqa: PTH123 - a device
        code, _, err = launched(f"print('x' * {size})", "return 0", stdout=full)

    assert (code, err.count("\n")) == (66, 1)
    assert err.startswith("faceswapd: standard output could not be written: No space left on device")


@pytest.mark.skipif(sys.platform == "win32", reason="a console is no file there")
def test_what_is_said_to_nobody_stops_no_thread(unread: int) -> None:
    assert launched(
        "say = lambda: (sys.stderr.write('said\\n'), sys.stdout.write('goes on'))",
        "thread = threading.Thread(target=say)",
        "thread.start()",
        "thread.join()",
        "return 0",
        stderr=unread,
    ) == (0, "goes on", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_stream_is_no_place_for_the_next_file(tmp_path: Any) -> None:
    """Its number would go to a socket or a film, which were then given what is meant for the stream."""
    script = SCRIPT.format(
        "\n    ".join(
            [
                f"film = os.open({str(tmp_path / 'film')!r}, os.O_CREAT | os.O_WRONLY)",
                "sys.stdout.write('said')",
                "sys.stderr.write('said')",
                "sys.stdout.flush()",
                "return film if not sys.stdin.read() else 1",
            ]
        ),
        LOADED,
        ["models", "list"],
    )
    closing = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, script]
    done = subprocess.run(closing, timeout=60, check=False)

    assert done.returncode > 2
    assert (tmp_path / "film").read_bytes() == b""
