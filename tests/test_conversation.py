import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from control_fakes import AbleCommands, FakeCommands, run, serving
from test_server import PLAIN, asked, authenticated, closed, heard, text
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed

from faceswapd.control import conversation as limits
from faceswapd.control import token
from faceswapd.core.events import State, StateChanged


def test_who_says_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "AUTH_WITHIN_S", 0.1)

    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            async with connect(f"ws://127.0.0.1:{server.port}", **PLAIN) as silent:
                assert await closed(silent) == 4001
            monkeypatch.setattr(limits, "AUTH_WITHIN_S", 1.0)  # enough for a busy machine
            async with connect(f"ws://127.0.0.1:{server.port}", **PLAIN) as known:
                await authenticated(known, token.read(tmp_path))
                await asyncio.sleep(1.1)
                assert "result" in await asked(known, "ping")

    run(test())


def test_messages_that_are_too_large_or_binary_close_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                await remote.send("x" * (64 * 1024 + 1))
                assert await closed(remote) == 1009
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                await remote.send(b"binary")
                assert await closed(remote) == 1003

    run(test())


def test_too_many_requests_are_refused_and_then_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUESTS_PER_S", 0.01)  # none is earned back while the test lasts
    monkeypatch.setattr(limits, "REQUESTS_AT_ONCE", 5.0)
    monkeypatch.setattr(limits, "REFUSALS_AT_ONCE", 5.0)

    async def test() -> None:
        async with serving(tmp_path) as (server, _), unix_connect(str(server.socket_path), **PLAIN) as remote:
            await heard(remote)
            replies = [await asked(remote, "ping") for _ in range(10)]
            assert ["result" in r for r in replies] == [True] * 5 + [False] * 5
            assert replies[-1]["error"]["data"]["code"] == "rate_limited"
            await remote.send(text(1, "ping"))
            assert await closed(remote) == 4003

    run(test())


def test_an_array_is_answered_by_an_array(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            serving(tmp_path) as (server, commands),
            unix_connect(str(server.socket_path), **PLAIN) as remote,
        ):
            await heard(remote)
            calls = [
                text(1, "privacy.set", on=True),
                text(2, "processor.set", name="nix"),
                text(3, "freeze.set", on=True),
            ]
            await remote.send("[" + ",".join(calls) + "]")
            replies = json.loads(await remote.recv())
            assert [(r["id"], "result" in r) for r in replies] == [(1, True), (2, False), (3, True)]
            assert commands.state().privacy
            assert commands.state().frozen

    run(test())


def test_privacy_passes_a_change_that_is_still_at_work(tmp_path: Path) -> None:
    async def test() -> None:
        commands, done = AbleCommands(), asyncio.Event()

        async def slow() -> None:
            await done.wait()

        commands.slow = slow
        async with (
            serving(tmp_path, commands) as (server, _),
            unix_connect(str(server.socket_path), **PLAIN) as remote,
        ):
            await heard(remote)
            await remote.send(text(1, "processor.set", name="anonymize", enabled=False))
            await remote.send(text(2, "privacy.set", on=True))
            first = await heard(remote)
            assert (first["id"], first["result"]["privacy"]) == (2, True)
            done.set()
            assert (await heard(remote))["id"] == 1

    run(test())


def test_changes_of_one_client_are_carried_out_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        commands = AbleCommands()

        async def slow() -> None:
            await asyncio.sleep(0.001)

        commands.slow = slow
        async with (
            serving(tmp_path, commands) as (server, _),
            unix_connect(str(server.socket_path), **PLAIN) as remote,
        ):
            await heard(remote)
            for n in range(50):
                await remote.send(text(n, "processor.set", name="anonymize", params={"strength": n / 50}))
            replies = [await heard(remote) for _ in range(50)]
            assert [r["id"] for r in replies] == list(range(50))
            assert commands.now.processors[0].params["strength"] == 0.98

    run(test())


def test_a_bug_is_an_internal_error_and_the_server_lives(tmp_path: Path) -> None:
    class Broken(FakeCommands):
        async def execute(self, commands: Any) -> State:
            raise ZeroDivisionError("a bug")

    async def test() -> None:
        async with (
            serving(tmp_path, Broken()) as (server, _),
            unix_connect(str(server.socket_path), **PLAIN) as remote,
        ):
            await heard(remote)
            reply = await asked(remote, "face.set", name="mask")
            assert (reply["error"]["code"], reply["error"]["data"]["code"]) == (-32603, "internal")
            assert "a bug" not in str(reply)
            assert "result" in await asked(remote, "state.get")

    run(test())


def test_a_client_that_stands_still_grows_nothing_and_harms_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        commands = AbleCommands()
        async with serving(tmp_path, commands) as (server, _):
            stalled = await unix_connect(str(server.socket_path), max_queue=1, **PLAIN)
            await asked(stalled, "subscribe", topics=["state", "preview"], preview={"fps": 30, "quality": 95})
            stalled.transport.pause_reading()
            (outbox,) = [c.outbox for c in server._clients]
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                await heard(remote)
                loop = asyncio.get_running_loop()
                worst = 0.0
                for n in range(200):
                    server.publish(StateChanged(await commands.execute(())))
                    outbox.frame(bytes(100_000))
                    before = loop.time()
                    assert "result" in await asked(remote, "ping")
                    worst = max(worst, loop.time() - before)
                    if n % 50 == 0:
                        await asyncio.sleep(0)
                assert worst < limits.CUT_OFF_AFTER_S / 2, "nobody waits until the other is cut off"
                assert len(outbox._events) <= 1
            stalled.transport.abort()

    run(test())


def test_a_client_that_asks_and_never_reads_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CUT_OFF_AFTER_S", 0.1)
    monkeypatch.setattr(limits, "REQUESTS_AT_ONCE", 1e9)

    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            deaf = await unix_connect(str(server.socket_path), max_queue=1, **PLAIN)
            await heard(deaf)
            deaf.transport.pause_reading()
            async with asyncio.timeout(15):
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await deaf.send(text(1, "snapshot.get", quality=100))
                        await asyncio.sleep(0)
                while server.clients:  # noqa: ASYNC110 - the other end's end makes no event here
                    await asyncio.sleep(0.01)

    run(test())
