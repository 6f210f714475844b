"""A named pool of threads with an entrance for the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """The threads of one execution provider; `Plan.workers` says how many.

    Threads cannot be cancelled. Cancelling `run` takes work back that has not begun; work that has begun goes
    on to its end on its thread, its result is dropped and `drain` still waits for it.
    """

    def __init__(self, name: str, workers: int) -> None:
        """Threads are called `name_0`, `name_1`, ... and start when they are needed."""
        self.name = name
        self.workers = workers
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()

    @property
    def pending(self) -> int:
        """Work accepted and not finished."""
        with self._lock:
            return len(self._pending)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queues work from any thread, first in, first out. Raises RuntimeError once the pool is closed."""
        future = self._executor.submit(work, *args, **kwargs)
        with self._lock:
            self._pending.add(future)
        future.add_done_callback(self._done)
        return future

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs blocking work on a thread and awaits it; raises what it raises."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    async def drain(self, deadline_s: float) -> bool:
        """Waits until nothing is pending, at most `deadline_s`; True if that came to be."""
        with self._lock:
            pending = set(self._pending)
        if not pending:
            return True
        # Not asyncio.wrap_future: cancelling this wait must not cancel the work.
        _, left = await asyncio.to_thread(wait, pending, deadline_s)
        return not left

    def close(self) -> None:
        """Takes back what has not begun and returns at once; the threads end with the work they are at."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._pending.discard(future)
