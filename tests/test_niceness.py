import os
import sys
import threading

import pytest

from faceswapd.sinks.niceness import be_nice


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
