import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from faceswapd.processors.background import Background


class Clock:
    """Stands until it is told."""

    ns = 0

    def __call__(self) -> int:
        return self.ns


def test_one_piece_at_a_time_and_a_rest_after_each() -> None:
    clock, may_go, done = Clock(), threading.Event(), list[int]()
    with ThreadPoolExecutor(1) as thread:
        behind = Background(thread, rest=1.0, now=clock)

        def work() -> None:
            may_go.wait(10)
            clock.ns += 100
            done.append(clock.ns)

        assert behind.free
        behind.start(work)
        assert not behind.free
        behind.start(work)  # it is at work: left
        may_go.set()
        thread.submit(int).result()
        assert done == [100]
        behind.start(work)  # it rests until 200
        clock.ns = 199
        assert not behind.free
        behind.start(work)
        thread.submit(int).result()
        assert done == [100]
        clock.ns = 200
        behind.start(work)
        thread.submit(int).result()
        assert done == [100, 300]


def test_without_a_rest_the_next_follows() -> None:
    done = list[int]()
    with ThreadPoolExecutor(1) as thread:
        behind = Background(thread)
        for n in range(3):
            behind.start(lambda n=n: done.append(n))  # type: ignore[misc]
            thread.submit(int).result()
    assert done == [0, 1, 2]


def test_what_a_piece_failed_with_is_raised_once_and_then_it_goes_on() -> None:
    done = list[int]()

    def fails() -> None:
        raise ValueError("no")

    with ThreadPoolExecutor(1) as thread:
        behind = Background(thread)
        behind.start(fails)
        thread.submit(int).result()
        with pytest.raises(ValueError, match="no"):
            behind.start(lambda: done.append(1))
        behind.start(lambda: done.append(2))
        thread.submit(int).result()
    assert done == [2]
