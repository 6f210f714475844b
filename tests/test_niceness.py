import os
import sys
import threading
from pathlib import Path

import av
import pytest
from av.video.codeccontext import VideoCodecContext
from fakes import frame, picture

from faceswapd.sinks.encoders import choose
from faceswapd.sinks.niceness import be_nice, encoded, kept_priority
from faceswapd.sinks.video import VideoSink


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness belongs to the process elsewhere")
def test_a_thread_is_nice_and_so_are_those_it_starts_but_not_the_others() -> None:
    found: list[int] = []

    def note() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    def nice() -> None:
        be_nice()
        note()
        heir = threading.Thread(target=note)
        heir.start()
        heir.join()

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    be_nice()  # the main thread stays as it is
    note()
    thread = threading.Thread(target=nice)
    thread.start()
    thread.join()
    assert found == [before, max(10, before), max(10, before)]
    note()
    assert found[-1] == before


def may_take_priority() -> bool:
    """Whether this process may put a thread before all others: root may."""
    took: list[bool] = []

    def take() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            return
        took.append(True)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return bool(took)


needs_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not may_take_priority(), reason="only root may take priority"
)


def policies() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


@needs_root
def test_who_takes_priority_while_an_encoder_is_opened_is_put_back() -> None:
    ends, threads = threading.Event(), list[threading.Thread]()

    def opens() -> None:
        with kept_priority():
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
            threads.append(threading.Thread(target=ends.wait))
            threads[0].start()
            took.append(policies())
        took.append(policies())

    took: list[set[int]] = []
    opener = threading.Thread(target=opens)
    opener.start()
    opener.join()
    ends.set()
    threads[0].join()
    assert took == [{os.SCHED_OTHER, os.SCHED_FIFO}, {os.SCHED_OTHER}]


@needs_root
@pytest.mark.parametrize("live", [True, False])
def test_svt_av1_takes_no_priority(tmp_path: Path, live: bool) -> None:
    encoder = choose("libsvtav1", (64, 64), 30, live=live)
    assert policies() == {os.SCHED_OTHER}
    context = av.CodecContext.create(encoder.name, "w")
    assert isinstance(context, VideoCodecContext)
    encoder.configure(context, (64, 64), 30)
    grey = av.VideoFrame(64, 64, encoder.pix_fmt)
    grey.pts = 0
    encoded(context, grey)
    assert policies() == {os.SCHED_OTHER}
    assert encoded(context, None)

    film = VideoSink(tmp_path / "a.mp4", (64, 64), 30, encoder="libsvtav1")
    film.open()
    for n in range(3):
        film.put(frame(n, picture(64, 64), n * 33_333_333))
        assert policies() == {os.SCHED_OTHER}
    film.close()
    assert policies() == {os.SCHED_OTHER}
