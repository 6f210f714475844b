"""Threads that let the picture's go first."""

import os
import sys
import threading

_NICE = 10


def be_nice() -> None:
    """Lowers the priority of the calling thread, where the system has one for each; not of the main thread.

    Linux has, and the threads that an encoder starts inherit it.
    """
    here = threading.current_thread()
    if sys.platform.startswith("linux") and here is not threading.main_thread():
        thread = threading.get_native_id()
        now = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(now, _NICE))  # back up only root may go
