import asyncio

from control_fakes import run

from faceswapd.control.outbox import MAX_LOG, MAX_REPLIES, MAX_REPLY_BYTES, Outbox


async def drained(outbox: Outbox) -> list[tuple[bytes, bool]]:
    taken: list[tuple[bytes, bool]] = []
    while True:
        try:
            message = await asyncio.wait_for(outbox.take(), 0.01)
        except TimeoutError:
            return taken
        if message is None:
            return taken
        taken.append(message)


def test_replies_are_kept_in_order_and_go_first() -> None:
    async def test() -> None:
        outbox = Outbox()
        outbox.frame(b"frame")
        outbox.event("state", b"event")
        for n in range(3):
            outbox.reply(b"%d" % n)
        assert await drained(outbox) == [
            (b"0", True), (b"1", True), (b"2", True), (b"event", True), (b"frame", False),
        ]  # fmt: skip

    run(test())


def test_of_each_topic_and_of_the_preview_only_the_newest_waits() -> None:
    async def test() -> None:
        outbox = Outbox()
        for n in range(1000):
            outbox.event("state", b"state %d" % n)
            outbox.event("stats", b"stats %d" % n)
            outbox.frame(b"frame %d" % n)
            outbox.log(b"log %d" % n)
        taken = [data for data, _ in await drained(outbox)]
        assert taken[:2] == [b"state 999", b"stats 999"]
        assert taken[2:-1] == [b"log %d" % n for n in range(1000 - MAX_LOG, 1000)]
        assert taken[-1] == b"frame 999"

    run(test())


def test_too_many_replies_end_the_connection_and_are_forgotten() -> None:
    async def test() -> None:
        outbox = Outbox()
        for _ in range(MAX_REPLIES):
            outbox.reply(b"x")
        assert outbox.close_code is None
        outbox.reply(b"one more")
        assert outbox.close_code == 4002
        assert await outbox.take() is None

    run(test())


def test_replies_are_bounded_in_bytes_but_one_may_be_large() -> None:
    async def test() -> None:
        outbox = Outbox()
        outbox.reply(bytes(2 * MAX_REPLY_BYTES))
        assert outbox.close_code is None
        outbox.reply(b"x")
        assert outbox.close_code == 4002

    run(test())


def test_at_the_end_replies_still_go_out_and_events_do_not() -> None:
    async def test() -> None:
        outbox = Outbox()
        outbox.reply(b"last")
        outbox.event("state", b"event")
        outbox.end(4000)
        outbox.end(4100)
        outbox.reply(b"too late")
        assert await outbox.take() == (b"last", True)
        assert await outbox.take() is None
        assert outbox.close_code == 4000

    run(test())


def test_a_dropped_topic_leaves_nothing_behind() -> None:
    async def test() -> None:
        outbox = Outbox()
        outbox.event("state", b"1")
        outbox.log(b"2")
        outbox.frame(b"3")
        for topic in ("state", "log", "preview", "stats"):
            outbox.drop(topic)
        assert await drained(outbox) == []

    run(test())


def test_take_wakes_up() -> None:
    async def test() -> None:
        outbox = Outbox()
        taking = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        outbox.event("state", b"now")
        assert await taking == (b"now", True)

    run(test())
