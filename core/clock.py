"""Time, as an argument: tests turn it by hand."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock and the only way to wait on it from a thread."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary moment; never goes back."""

    def wait(self, stop: threading.Event, until_ns: int) -> bool:
        """Blocks until `until_ns` or until `stop` is set; True if it was set."""


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """`time.monotonic_ns()`."""
        return time.monotonic_ns()

    def wait(self, stop: threading.Event, until_ns: int) -> bool:
        """Waits on the event with the rest of the time as its limit."""
        rest = (until_ns - time.monotonic_ns()) / 1e9
        return stop.wait(rest) if rest > 0 else stop.is_set()
