import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from control_fakes import AbleCommands, run

from faceswapd.control import protocol
from faceswapd.control.hub import RECENT_LOG, Hub
from faceswapd.control.methods import PreviewOptions, Subscribe
from faceswapd.control.outbox import Outbox
from faceswapd.control.replies import Topic
from faceswapd.core.events import FacesChanged, Logged, StateChanged
from faceswapd.core.frame import Frame


def on_hub(test: Callable[[Hub, AbleCommands], Awaitable[None]]) -> None:
    async def whole() -> None:
        commands = AbleCommands()
        with ThreadPoolExecutor(1) as pool:
            hub = Hub(commands, pool)
            work = asyncio.create_task(hub.run())
            await test(hub, commands)
            work.cancel()
            await asyncio.wait([work])
            assert work.cancelled()

    run(whole())


async def event(outbox: Outbox) -> dict[str, Any]:
    message = await asyncio.wait_for(outbox.take(), 20)
    assert message is not None
    return dict(json.loads(message[0])["params"])


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - a frame in an outbox makes no event here
            await asyncio.sleep(0.002)


def waiting(outbox: Outbox) -> bool:
    return bool(outbox._events or outbox._log or outbox._frame)


def test_a_state_is_told_once_to_those_who_listen() -> None:
    async def test(hub: Hub, commands: AbleCommands) -> None:
        listens, does_not = Outbox(), Outbox()
        told = hub.subscribe(listens, Subscribe(("state",)))
        assert (told.rev, told.topics["state"].seq) == (1, 0)
        state = await commands.execute(())
        hub.publish(StateChanged(state))
        hub.publish(StateChanged(state))
        await asyncio.sleep(0)
        assert not waiting(does_not)
        got = await event(listens)
        assert (got["topic"], got["seq"], got["rev"]) == ("state", 1, 2)
        assert got["data"] == json.loads(msgspec.json.encode(state))
        assert not waiting(listens)

    on_hub(test)


def test_a_gap_in_seq_tells_what_was_overwritten() -> None:
    async def test(hub: Hub, commands: AbleCommands) -> None:
        outbox = Outbox()
        hub.subscribe(outbox, Subscribe(("state",)))
        for _ in range(5):
            hub.publish(StateChanged(await commands.execute(())))
        await asyncio.sleep(0)
        assert (await event(outbox))["seq"] == 5
        assert not waiting(outbox)

    on_hub(test)


def test_the_log_keeps_its_last_entries_for_newcomers() -> None:
    async def test(hub: Hub, _: AbleCommands) -> None:
        for n in range(RECENT_LOG + 5):
            hub.publish(Logged("t", "info", f"event {n}"))
        await asyncio.sleep(0)
        outbox = Outbox()
        data = hub.subscribe(outbox, Subscribe(("log",))).topics["log"].data
        assert [e.event for e in data] == [f"event {n}" for n in range(5, RECENT_LOG + 5)]
        hub.publish(Logged("t", "info", "one more"))
        assert (await event(outbox))["data"]["event"] == "one more"

    on_hub(test)


def test_nothing_comes_after_unsubscribing() -> None:
    async def test(hub: Hub, commands: AbleCommands) -> None:
        outbox = Outbox()
        topics: tuple[Topic, ...] = ("state", "stats", "faces", "log", "preview")
        hub.subscribe(outbox, Subscribe(topics, interval_s=0.1, preview=PreviewOptions(fps=30)))
        hub.publish(FacesChanged(commands.faces()))
        await asyncio.sleep(0)
        assert waiting(outbox)
        hub.unsubscribe(outbox, topics)
        hub.unsubscribe(outbox, topics)
        hub.publish(StateChanged(await commands.execute(())))
        hub.publish(Logged("t", "info", "x"))
        await asyncio.sleep(0.25)
        assert not waiting(outbox)

    on_hub(test)


def test_statistics_come_at_the_rate_that_was_asked_for() -> None:
    async def test(hub: Hub, _: AbleCommands) -> None:
        fast, slow = Outbox(), Outbox()
        hub.subscribe(slow, Subscribe(("stats",), interval_s=60))
        hub.subscribe(fast, Subscribe(("stats",), interval_s=0.1))
        loop = asyncio.get_running_loop()
        before = loop.time()
        for _n in range(4):
            assert (await event(fast))["data"]["frames"] == 100
        assert 0.25 < loop.time() - before < 2.5, "at the usual rate of one a second they take three"
        assert not waiting(slow)

    on_hub(test)


def test_previews_of_one_size_are_encoded_once() -> None:
    async def test(hub: Hub, commands: AbleCommands) -> None:
        clients = [Outbox() for _ in range(5)]
        assert commands.frame is not None
        for n, outbox in enumerate(clients):
            hub.subscribe(outbox, Subscribe(("preview",), preview=PreviewOptions(fps=10)))
            await asyncio.sleep(0.013 * n)  # they do not come at the same moment
        taken = 0
        for seq in range(100, 105):
            commands.frame = Frame(seq, seq, commands.frame.pixels.copy())
            for outbox in clients:
                outbox._frame = None
            await until(lambda: all(outbox._frame for outbox in clients))
            for outbox in clients:
                assert outbox._frame is not None
                shown = protocol.previewed(outbox._frame)
                taken += (shown.seq, shown.width) == (seq, 640)
        # A frame from before may still have been on its way to a client when the next was there.
        assert taken >= 15
        assert hub.encodings <= 8

    on_hub(test)


def test_a_picture_that_stands_still_is_sent_once() -> None:
    async def test(hub: Hub, commands: AbleCommands) -> None:
        outbox, small = Outbox(), Outbox()
        hub.subscribe(outbox, Subscribe(("preview",), preview=PreviewOptions(fps=30)))
        hub.subscribe(small, Subscribe(("preview",), preview=PreviewOptions(width=160, height=160, fps=30)))
        await until(lambda: outbox._frame and small._frame)
        await asyncio.sleep(0.2)
        assert hub.encodings == 2
        assert outbox._frame is not None
        assert small._frame is not None
        assert protocol.previewed(small._frame)[2:4] == (160, 90)
        commands.frame = None
        await asyncio.sleep(0.1)
        assert hub.encodings == 2

    on_hub(test)


def test_the_reply_comes_before_the_news() -> None:
    async def test(hub: Hub, commands: AbleCommands) -> None:
        outbox = Outbox()
        hub.subscribe(outbox, Subscribe(("state",)))
        hub.publish(StateChanged(await commands.execute(())))
        outbox.reply(b"the reply")
        assert await outbox.take() == (b"the reply", True)
        assert (await event(outbox))["rev"] == 2

    on_hub(test)
