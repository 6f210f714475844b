import asyncio
import threading

from faceswapd.core.slot import Slot


def test_the_newest_wins_and_what_it_replaces_is_reported() -> None:
    async def main() -> tuple[int | None, list[int]]:
        dropped: list[int] = []
        slot: Slot[int] = Slot(asyncio.get_running_loop(), dropped.append)
        for i in (1, 2, 3):
            slot.offer(i)
        return await slot.take(), dropped

    assert asyncio.run(main()) == (3, [1, 2])


def test_a_taker_that_waits_is_woken_by_a_thread() -> None:
    async def main() -> int | None:
        slot: Slot[int] = Slot(asyncio.get_running_loop())
        threading.Timer(0.02, slot.offer, [7]).start()
        return await asyncio.wait_for(slot.take(), 5)

    assert asyncio.run(main()) == 7


def test_the_end_lets_the_last_item_through() -> None:
    async def main() -> list[int | None]:
        slot: Slot[int] = Slot(asyncio.get_running_loop())
        slot.offer(1)
        slot.end()
        return [await slot.take(), await slot.take(), await slot.take()]

    assert asyncio.run(main()) == [1, None, None]


def test_the_end_wakes_a_taker() -> None:
    async def main() -> int | None:
        slot: Slot[int] = Slot(asyncio.get_running_loop())
        threading.Timer(0.02, slot.end).start()
        return await asyncio.wait_for(slot.take(), 5)

    assert asyncio.run(main()) is None


def test_an_offer_after_the_loop_has_closed_harms_nobody() -> None:
    async def main() -> Slot[int]:
        return Slot(asyncio.get_running_loop())

    slot = asyncio.run(main())
    slot.offer(1)
    slot.offer(2)


def test_no_item_is_lost_between_threads() -> None:
    async def main() -> int:
        dropped: list[int] = []
        slot: Slot[int] = Slot(asyncio.get_running_loop(), dropped.append)

        def offer(start: int) -> None:
            for i in range(1000):
                slot.offer(start + i)

        threads = [threading.Thread(target=offer, args=(k,)) for k in (1000, 2000)]
        for t in threads:
            t.start()
        taken = 0
        while any(t.is_alive() for t in threads) or slot._item is not None:
            try:
                taken += await asyncio.wait_for(slot.take(), 0.05) is not None
            except TimeoutError:
                continue
        return taken + len(dropped)

    assert asyncio.run(main()) == 2000
