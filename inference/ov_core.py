"""OpenVINO's Core, of which a process has one."""

from functools import cache
from threading import Lock
from typing import Any

from .referring import Content, Referring

_making = Lock()


def ov_core() -> Any:
    """Made when it is first asked for, and kept to the end of the process. Any thread. Raises ImportError.

    OpenVINO's plugin for processors gives the thread that loads it a stack for signal handlers, and puts the one
    before it back when its Core goes. Where two Cores go in another order than they came, that is a stack which is
    gone, and the next signal (Ctrl-C) ends the process with a segmentation fault.
    """
    with _making:  # two threads at once would make two
        return _made()


def read(core: Any, content: Content) -> Any:
    """A model as OpenVINO's own kind. Raises RuntimeError, as OpenVINO does, and OSError."""
    if not isinstance(content, Referring):
        return core.read_model(content)
    try:
        with content.laid_out() as path:
            return core.read_model(str(path))
    except OSError:  # a folder that is only read
        return core.read_model(content.whole())


@cache
def _made() -> Any:
    import openvino

    return openvino.Core()
