import asyncio
import threading
import time

import pytest

from faceswapd.inference.pool import Pool


def test_work_runs_on_the_pools_named_threads_and_its_result_comes_back() -> None:
    def work(a: int, b: int) -> tuple[str, int]:
        return threading.current_thread().name, a + b

    async def main() -> None:
        pool = Pool("infer", 2)
        name, total = await pool.run(work, 1, b=2)
        assert name.startswith("infer_")
        assert total == 3
        pool.close()

    asyncio.run(main())


def test_what_the_work_raises_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise LookupError("no face")

    async def main() -> None:
        pool = Pool("infer", 1)
        with pytest.raises(LookupError, match="no face"):
            await pool.run(fail)
        assert await pool.drain(1)
        pool.close()

    asyncio.run(main())


def test_no_more_run_at_once_than_there_are_workers() -> None:
    lock, now, most = threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait(20)  # each runs beside another, or this breaks
        time.sleep(0.01)  # a third would come in
        with lock:
            now -= 1

    async def main() -> None:
        pool = Pool("infer", 2)
        await asyncio.gather(*(pool.run(work) for _ in range(8)))
        pool.close()

    asyncio.run(main())
    assert most == 2


def test_cancelling_takes_back_only_what_has_not_begun() -> None:
    begun, go, second = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait(5)

    async def main() -> None:
        pool = Pool("infer", 1)
        tasks = [asyncio.create_task(pool.run(first)), asyncio.create_task(pool.run(second.set))]
        assert await asyncio.to_thread(begun.wait, 5)
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(r, asyncio.CancelledError)
            for r in await asyncio.gather(*tasks, return_exceptions=True)
        )
        assert pool.pending == 1, "the first goes on, on its thread"
        assert not await pool.drain(0.01)
        go.set()
        assert await pool.drain(5)
        assert not second.is_set()
        pool.close()

    asyncio.run(main())


def test_a_cancelled_drain_leaves_the_work_alone() -> None:
    go = threading.Event()

    async def main() -> None:
        pool = Pool("infer", 1)
        future = pool.submit(go.wait, 5)
        drain = asyncio.create_task(pool.drain(5))
        await asyncio.sleep(0.01)
        drain.cancel()
        go.set()
        assert await asyncio.wrap_future(future) is True
        pool.close()

    asyncio.run(main())


def test_a_closed_pool_takes_back_what_waits_and_refuses_more() -> None:
    go = threading.Event()
    pool = Pool("infer", 1)
    running, waiting = pool.submit(go.wait, 5), pool.submit(go.wait, 5)

    pool.close()

    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        pool.submit(go.wait, 5)
    go.set()
    assert running.result(5)
    assert pool.pending == 0


def test_an_idle_pool_is_drained_at_once() -> None:
    pool = Pool("infer", 1)

    assert asyncio.run(pool.drain(0))
    pool.close()
