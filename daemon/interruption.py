"""Ctrl-C while threads share their locks: noted when it comes, obeyed where nothing is half done."""

import signal
import threading
from types import TracebackType
from typing import Any

_PATIENCE = 2
"""Signals that are kept back: some who start programs pass on what the terminal has sent already."""


class Interruption:
    """Keeps SIGINT and SIGTERM back while its `with` block lasts, of the main thread; does nothing in another.

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
            for number in (signal.SIGINT, signal.SIGTERM):
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
