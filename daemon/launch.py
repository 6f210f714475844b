"""The process around one command: its streams, its signals, its end."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..core.errors import FaceswapdError
from .interruption import ENDS
from .standard_streams import UnreadError, make_dependable

INTERRUPTED = 130


def launch(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs a command line as the whole process, and ends it with the exit code.

    What ends a program from outside (`interruption.ENDS`) ends this one with 130, and without a traceback. While
    modules are imported that is at once: nothing is begun, and an exception amid somebody's import may be swallowed
    there. A command gets it as KeyboardInterrupt, unless it has its own way. When it is done nothing can harm it.

    The interpreter is not taken down: a thread may be left that waits for a driver for ever, and should it come back
    in that moment, a line that it logs, or a library that is gone, would turn a good end into an abort.
    """
    _on_ends(_leave)
    make_dependable()
    try:
        code = _said(_done(argv))
        _on_ends(signal.SIG_IGN)
    except KeyboardInterrupt:  # just when it was done
        _on_ends(signal.SIG_IGN)
        code = INTERRUPTED
    os._exit(code)


def _done(argv: Sequence[str] | None) -> int:
    """The exit code of the command."""
    try:
        from .cli import main

        return main(argv, lambda: _on_ends(signal.default_int_handler))
    except SystemExit as done:  # --help
        return int(done.code or 0)
    except UnreadError:
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as bug:  # noqa: BLE001 - as the interpreter would
        sys.excepthook(type(bug), bug, bug.__traceback__)
        return 1


def _said(code: int) -> int:
    """Writes what is still to be written to standard output; the exit code after that."""
    try:
        sys.stdout.flush()
    except UnreadError:
        return 0
    except FaceswapdError as error:
        if not code:  # else that has been said
            sys.stderr.write(f"faceswapd: {error}\n")
        return code or error.exit_code
    return code


def _on_ends(handler: Callable[[int, Any], None] | signal.Handlers) -> None:
    for number in ENDS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` wants it, or a shell's `&`
            signal.signal(number, handler)


def _leave(_number: int, _frame: Any) -> None:
    os._exit(INTERRUPTED)
