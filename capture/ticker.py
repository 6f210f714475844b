"""A steady rate for sources that can be read at any time."""

import time


class Ticker:
    """Waits for the next tick. One thread."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._due_s = 0.0

    def start(self) -> None:
        """The first tick is a period from now."""
        self._due_s = time.monotonic()

    def wait(self) -> None:
        """Sleeps until the next tick. Those that have passed meanwhile are left out, so that no burst follows."""
        now_s = time.monotonic()
        self._due_s = max(self._due_s + self._period_s, now_s)
        time.sleep(self._due_s - now_s)
