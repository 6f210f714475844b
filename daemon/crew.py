"""Threads without a trade: each does whatever there is to do, and who waits for the result helps."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import structlog

from ..inference.providers import cores
from .interruption import Interruption

log = structlog.get_logger(__name__)

Task = Callable[[], None]
T = TypeVar("T")

_BESIDE = 3
"""Reading, tracking and writing go on while the workers wait for a device."""
_LOOK_S = 0.5
"""How often a hand without work asks again: what lets work in (memory) may have changed without a word."""


def hands(workers: int) -> int:
    """Threads for `workers` batches at once and what goes on beside them: no more than there are cores, which more
    would only share, but for workers that wait for a device."""
    return max(workers, min(cores(), workers + _BESIDE))


class Crew:
    """So many hands, of which the thread that calls `until` is one. At work while its `with` block lasts.

    A thread for every stage of a pipeline is easier to write and leaves cores idle: each hands its frame on, falls
    asleep and is woken again many times a frame, and the system is slow to move a thread that waits for one core to
    another that has just fallen idle. Hands that take any work never sleep while there is some.

    Ctrl-C and SIGTERM are obeyed between two tasks of the thread that calls `until`.
    """

    def __init__(
        self, name: str, hands: int, choose: Callable[[], Task | None], changed: threading.Condition
    ) -> None:
        """`choose` gives the next thing to do, or None when there is nothing at the moment. It is called by any hand
        with `changed` held, as all that it looks at must be changed. What a task raises ends the work; an error that
        has its place in the order of the results is for the task itself to keep.
        """
        self._changed = changed
        self._choose = choose
        self._over = False
        self._broken: BaseException | None = None
        self._interruption = Interruption()
        self._threads = [
            threading.Thread(target=self._help, name=f"{name} {n}", daemon=True) for n in range(1, hands)
        ]

    def __enter__(self) -> "Crew":
        self._interruption.__enter__()
        for n, thread in enumerate(self._threads):
            try:
                thread.start()
            except RuntimeError as error:  # the system has no more: fewer hands do the same work
                log.warning("crew.fewer", hands=n + 1, error=str(error))
                del self._threads[n:]
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Returns when all hands are done with what they had begun."""
        try:
            with self._changed:
                self._over = True
                self._changed.notify_all()
            for thread in self._threads:
                thread.join()
        finally:
            self._interruption.__exit__(kind, error, trace)

    def until(self, there: Callable[[], T | None]) -> T:
        """Helps until `there`, called with `changed` held, gives something. Raises what ended the work."""
        while True:
            with self._changed:
                self._changed.notify_all()  # whoever comes for a result has made room for more
                task = None
                while task is None:
                    self._interruption.obey()
                    if self._broken is not None:
                        raise self._broken
                    if (result := there()) is not None:
                        return result
                    task = self._choose()
                    if task is None:
                        self._changed.wait(_LOOK_S)
            task()

    def _help(self) -> None:
        try:
            while (task := self._next()) is not None:
                task()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the results are awaited
            with self._changed:
                self._broken = error
                self._changed.notify_all()

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.notify_all()  # what this hand has just done may be what another waits for
            while not self._over:
                task = self._choose()
                if task is not None:
                    return task
                self._changed.wait(_LOOK_S)
            return None
