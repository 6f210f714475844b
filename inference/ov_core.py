"""OpenVINO's Core, of which a process has one."""

from functools import cache
from threading import Lock
from typing import Any

_making = Lock()


def ov_core() -> Any:
    """Made when it is first asked for, and kept to the end of the process. Any thread. Raises ImportError.

    OpenVINO's plugin for processors gives the thread that loads it a stack for signal handlers, and puts the one
    before it back when its Core goes. Where two Cores go in another order than they came, that is a stack which is
    gone, and the next signal (Ctrl-C) ends the process with a segmentation fault.
    """
    with _making:  # two threads at once would make two
        return _made()


@cache
def _made() -> Any:
    import openvino

    return openvino.Core()
