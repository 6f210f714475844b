"""One piece of work at a time behind the frames."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Lock


class Background:
    """Does what it is given unless it is at work, or resting. Any thread may call."""

    def __init__(
        self, thread: Executor, rest: float = 0.0, now: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """`rest`: how long it leaves the cores alone after each piece, by the time that it took."""
        self._thread, self._rest, self._now = thread, rest, now
        self._lock = Lock()
        self._running: Future[None] | None = None
        self._rest_until_ns = 0

    @property
    def free(self) -> bool:
        """It is neither at work nor resting: worth preparing something for."""
        running = self._running
        return (running is None or running.done()) and self._now() >= self._rest_until_ns

    def start(self, work: Callable[[], object]) -> None:
        """Begins with it, or leaves it. Raises what the piece before failed with."""
        with self._lock:
            running = self._running
            if running is not None and not running.done():
                return
            self._running = None
            failed = running is not None and running.exception() is not None
            if not failed and self._now() >= self._rest_until_ns:
                self._running = self._thread.submit(self._behind, work)
        if running is not None:
            running.result()

    def _behind(self, work: Callable[[], object]) -> None:
        began_ns = self._now()
        try:
            work()
        finally:
            now_ns = self._now()
            self._rest_until_ns = now_ns + round((now_ns - began_ns) * self._rest)
