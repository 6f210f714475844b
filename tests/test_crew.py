"""Hands that take whatever there is to do."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from faceswapd.daemon import crew as crew_module
from faceswapd.daemon.crew import Crew, Task, hands


class Heap:
    """Tasks in a row, and who did them."""

    def __init__(self, *tasks: Task) -> None:
        self.changed = threading.Condition()
        self.tasks, self.by = deque(tasks), list[str]()
        self.left = len(tasks)

    def choose(self) -> Task | None:
        return self._noted(self.tasks.popleft()) if self.tasks else None

    def _noted(self, task: Task) -> Task:
        def noted() -> None:
            task()
            with self.changed:
                self.by.append(threading.current_thread().name)
                self.left -= 1

        return noted

    def done(self) -> bool | None:
        return True if self.left == 0 else None


def pause() -> None:
    time.sleep(0.002)


@pytest.mark.parametrize("several", [1, 2, 5])
def test_everything_is_done_once_and_the_caller_does_its_share(several: int) -> None:
    everyone = threading.Barrier(several)

    def meets() -> None:  # so that every hand has one of these
        everyone.wait(20)

    heap = Heap(*[meets] * several, *[pause] * 20)
    with Crew("hand", several, heap.choose, heap.changed) as crew:
        assert crew.until(heap.done) is True
    assert len(heap.by) == several + 20
    assert threading.current_thread().name in heap.by
    assert len(set(heap.by)) == several
    assert not [t for t in threading.enumerate() if t.name.startswith("hand")]


def test_a_result_that_is_there_is_taken_before_anything_else_is_begun() -> None:
    heap = Heap(pause)
    with heap.changed:  # nobody else begins either
        crew = Crew("hand", 1, heap.choose, heap.changed)
        assert crew.until(lambda: "there") == "there"
    assert heap.by == []


def test_a_task_that_comes_later_wakes_a_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "_LOOK_S", 60.0)  # nobody would look by himself
    heap, began = Heap(), time.monotonic()

    def later() -> None:
        time.sleep(0.05)
        with heap.changed:
            heap.tasks.append(pause)
            heap.changed.notify_all()

    heap.left = 1
    threading.Thread(target=later).start()
    with Crew("hand", 2, heap.choose, heap.changed) as crew:
        crew.until(heap.done)
    assert heap.by
    assert time.monotonic() - began < 30


def fails() -> None:
    raise ValueError("no")


@pytest.mark.parametrize("several", [1, 3])
def test_what_a_task_raises_ends_the_work_and_the_hands(several: int) -> None:
    heap = Heap(*[pause] * 5, fails, *[pause] * 1000)
    with (
        pytest.raises(ValueError, match="no"),
        Crew("hand", several, heap.choose, heap.changed) as crew,
    ):
        crew.until(heap.done)
    assert heap.left > 900
    assert not [t for t in threading.enumerate() if t.name.startswith("hand")]


def test_leaving_waits_for_what_was_begun() -> None:
    begun, over = threading.Event(), list[int]()

    def long() -> None:
        begun.set()
        time.sleep(0.05)
        over.append(1)

    heap = Heap(long)
    with Crew("hand", 2, heap.choose, heap.changed):
        assert begun.wait(5)
    assert over == [1]


def interrupted(after_s: float, choose: Callable[[], Task | None], changed: threading.Condition) -> None:
    sender = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGINT))
    with Crew("hand", 4, choose, changed) as crew:
        sender.start()
        crew.until(lambda: None)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT raises, also where whoever started the tests had it ignored (a shell does so in the background)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_comes_between_two_tasks_and_leaves_no_lock_taken() -> None:
    """It is sent while all hands fight for the lock, again and again: now and then it came when it was just taken."""
    changed, busy = threading.Condition(), list[int]()

    def task() -> None:
        if threading.current_thread() is threading.main_thread():
            busy.append(1)
            busy.pop()

    for n in range(60):
        with pytest.raises(KeyboardInterrupt):
            interrupted(0.0005 * (n % 9), lambda: task, changed)
        assert not busy
        assert not [t for t in threading.enumerate() if t.name.startswith("hand")]


@pytest.mark.parametrize(
    ("workers", "cores", "wanted"),
    [
        (2, 2, 2),  # a processor: as many as it has cores
        (14, 16, 16),
        (4, 16, 7),  # a graphics card: its workers, and reading, tracking and writing beside them
        (4, 2, 4),
        (1, 1, 1),
    ],
)
def test_as_many_hands_as_cores_but_for_workers_that_wait(
    monkeypatch: pytest.MonkeyPatch, workers: int, cores: int, wanted: int
) -> None:
    monkeypatch.setattr(crew_module, "cores", lambda: cores)
    assert hands(workers) == wanted


def test_where_the_system_has_no_more_threads_fewer_hands_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, begun = threading.Thread.start, list[str]()

    def refused(thread: threading.Thread) -> None:
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begun.append(thread.name)
        start(thread)

    heap = Heap(*[pause] * 20)
    monkeypatch.setattr(threading.Thread, "start", refused)
    with Crew("hand", 6, heap.choose, heap.changed) as crew:
        crew.until(heap.done)
    assert len(heap.by) == 20
    assert set(heap.by) <= {*begun, threading.current_thread().name}
