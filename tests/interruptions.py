"""Ctrl-C at any instruction of the main thread: no time after which it is sent would reach them all."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

LOST = "ignore::pytest.PytestUnraisableExceptionWarning"
"""What is raised where the interpreter itself called (at a generator's end, for a weak reference) is lost."""


@contextmanager
def ctrl_c_after(instructions: int) -> Iterator[Callable[[], int]]:
    """SIGINT at the main thread's instruction of this number, of those of Python in the block; gives how many are
    left. A signal's handler runs between any two."""
    before, trace, left = (
        signal.signal(signal.SIGINT, signal.default_int_handler),
        sys.gettrace(),
        instructions,
    )

    def counted(frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        left -= 1
        if left == 0:
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return counted

    try:
        sys.settrace(counted)
        yield lambda: left
    finally:
        sys.settrace(trace)
        signal.signal(signal.SIGINT, before)


def interrupted_everywhere(work: Callable[[], object], times: int) -> Iterator[bool]:
    """Does it so many times, each time interrupted somewhere else, over all its length; gives whether it was."""
    with ctrl_c_after(1 << 60) as left:
        work()
        length = (1 << 60) - left()
    for n in range(times):
        try:
            with ctrl_c_after(1 + n * length // times):
                work()
        except KeyboardInterrupt:
            yield True
        else:
            yield False


def threads_left(*names: str) -> list[str]:
    """Threads whose names begin so."""
    return [t.name for t in threading.enumerate() if t.name.startswith(names)]
