"""Threads that let the picture's go first."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

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


@contextmanager
def kept_priority() -> Iterator[None]:
    """Around what opens an encoder: this thread and those that are started in it are scheduled as it was before.

    SVT-AV1 puts the thread that opens it and all of its own before everything else on the machine (SCHED_FIFO, 99)
    where it may, as root in a container may: they, and every thread that is started after, would never give way.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    before, policy, order = _threads(), os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        here = threading.get_native_id()
        for thread in _threads() - before | {here}:
            with suppress(ProcessLookupError):  # it has just ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, order)


def encoded(stream: Any, picture: VideoFrame | None) -> "list[Packet[Any]]":
    """What `stream` (PyAV's, of a container, or a codec context) gives for a picture, None at the end. The first
    picture opens its encoder."""
    if getattr(stream, "codec_context", stream).is_open:
        return list(stream.encode(picture))
    with kept_priority():
        return list(stream.encode(picture))


def _threads() -> set[int]:
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}
