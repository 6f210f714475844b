"""Signals that ask for the end (Ctrl-C among them): noted when they come, obeyed where nothing is half done."""

import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

ENDS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # fmt: skip
"""Ctrl-C, the system's wish, and a terminal that was closed."""
_PATIENCE = 2
"""Signals that are kept back: some who start programs pass on what the terminal has sent already."""
_MOMENT_S = 1.0
"""What an orderly end usually takes, in which a key that is hit again and again breaks off no film."""


class Interruption:
    """Keeps the signals of `ENDS` back while its `with` block lasts, of the main thread; does nothing in another.

    Python calls their handlers between any two instructions of the main thread. Where these raise, as the usual ones
    do, that is also between taking a `threading.Condition` and the block that gives it back: nobody gets it again,
    and who waits for the other threads waits for ever. Whoever insists is obeyed at once all the same. One within
    another's block obeys for both.
    """

    def __init__(self) -> None:
        self._usual: dict[int, Any] = {}
        self._noted: list[int] = []
        self._around: Interruption | None = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in ENDS:
                usual = signal.getsignal(number)
                if callable(usual):  # what ends the process without Python's help, or is ignored, stays so
                    self._usual[number] = usual
                    around = getattr(usual, "__self__", None)
                    self._around = around if isinstance(around, Interruption) else None
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises what has come since the last `obey`."""
        for number, usual in self._usual.items():
            signal.signal(number, usual)
        if not isinstance(error, KeyboardInterrupt):
            self.obey()

    def obey(self) -> None:
        """Raises KeyboardInterrupt (what the usual handler raises) if a signal has come. In the main thread."""
        if self._noted:
            number = self._noted[0]
            self._noted.clear()
            self._usual[number](number, None)
        if self._around is not None:
            self._around.obey()

    def _note(self, number: int, frame: Any) -> None:
        self._noted.append(number)
        if len(self._noted) > _PATIENCE:
            self._obey_at_once(number, frame)

    def _obey_at_once(self, number: int, frame: Any) -> None:
        if self._around is not None:
            self._around._obey_at_once(number, frame)
        else:
            self._usual[number](number, frame)


class Stopping:
    """Has the signals of `ENDS` end a daemon in its order, for as long as its `with` block of the main thread lasts.

    Each calls what `call` was given, also one that came before that. Whoever insists, with a third one when the
    first has had a moment to be obeyed, gets the system's own way: nothing that hangs can hold the process. What is to
    be ignored (`nohup`) is.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._usual: dict[int, Any] = {}
        self._stop: Callable[[], object] = lambda: None
        self._now_s = now_s
        self._times, self._first_s = 0, 0.0

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            for number in ENDS:
                usual = signal.getsignal(number)
                if usual not in (signal.SIG_IGN, None):
                    self._usual[number] = usual
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)

    def call(self, stop: Callable[[], object]) -> None:
        """What a signal calls, between any two instructions of the main thread."""
        self._stop = stop
        if self._times:
            stop()

    def _note(self, number: int, _frame: Any) -> None:
        if not self._times:
            self._first_s = self._now_s()
        self._times += 1
        if self._times > _PATIENCE and self._now_s() - self._first_s >= _MOMENT_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._stop()
