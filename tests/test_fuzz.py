"""Whatever comes over the wire: no crash, no hang, no change by a message that was refused."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from control_fakes import run, serving
from test_schema import RIGHT, Everything
from test_service import Desk
from websockets.asyncio.client import ClientConnection, unix_connect

from faceswapd.control import conversation, protocol
from faceswapd.control.methods import METHODS
from faceswapd.control.session import Call, Session

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**53, 2**63, 2**64, -(2**64), 0.5, 1e308, "", "mask", "anonymize", "mesh_swap",
    "\x00", "\ud800", "é" * 40, "x" * 100, [], {}, [[]], {"": {}}, {"name": "anonymize"}, ["state", "preview"],
]  # fmt: skip
BYTES = b'{}[]",:0123456789.eE+-tfn\\u\x00\xff \xc3'


def spoiled(value: Any, chance: random.Random) -> Any:
    """A copy with something else somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        changed, key = dict(value), chance.choice(list(value))
        match chance.randrange(4):
            case 0:
                del changed[key]
            case 1:
                changed[chance.choice(["", "name", "id", "x" * 70])] = chance.choice(VALUES)
            case _:
                changed[key] = spoiled(value[key], chance)
        return changed
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], spoiled(value[place], chance), *value[place + 1 :]]
    return chance.choice(VALUES)


def message(chance: random.Random) -> bytes:
    """Something between a right request and noise."""
    name = chance.choice([*METHODS, "nix"])
    request: Any = {"jsonrpc": "2.0", "id": chance.choice([1, "a", None, 1.5]), "method": name}
    request["params"] = RIGHT.get(name, {})
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        request = spoiled(request, chance)
    if chance.random() < 0.1:
        request = [request] * chance.choice([0, 1, 3, 65])
    data = bytearray(json.dumps(request).encode())
    for _ in range(chance.choice([0, 0, 0, 1, 4])):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(3):
            case 0:
                data[place:place] = bytes([chance.choice(BYTES)])
            case 1:
                del data[place : place + chance.randrange(9)]
            case _:
                data[place : place + 1] = bytes([chance.choice(BYTES)]) * chance.choice([1, 1, 1, 5000])
    return bytes(data)


async def bombarded(count: int, seed: int) -> tuple[int, int]:
    """(calls that were carried out, refusals), of `count` messages to one service, without sockets."""
    chance, desk = random.Random(seed), Desk(Everything())
    session = Session("", desk.service.features(), None)
    done = refused = 0
    try:
        for _ in range(count):
            data = message(chance)
            received = session.receive(data)
            for item in received.items:
                if isinstance(item, bytes):
                    told = json.loads(item)
                    assert ("error" in told) != ("result" in told), data
                    refused += "error" in told
                    continue
                assert isinstance(item, Call)
                before, wrong = desk.commands.now, None
                try:
                    reply = protocol.result(item.id, await desk.service.perform(item, desk.outbox))
                    done += 1
                except protocol.RpcError as error:
                    wrong, reply = error, protocol.error(item.id, error)
                    refused += 1
                json.loads(reply)
                assert wrong is None or desk.commands.now is before, data
            desk.commands.told.clear()
    finally:
        desk.pool.shutdown()
    return done, refused


def test_a_few_thousand_messages() -> None:
    async def test() -> None:
        done, refused = await bombarded(4000, seed=1)
        assert done > 400
        assert refused > 1500

    run(test())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_thousand_messages() -> None:
    done, refused = asyncio.run(bombarded(200_000, seed=20261122))

    assert done > 20_000
    assert refused > 80_000


def test_a_live_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "REQUESTS_AT_ONCE", 1e9)

    async def test() -> None:
        chance = random.Random(2)
        async with serving(tmp_path, Everything()) as (server, _):
            for _ in range(20):
                async with unix_connect(str(server.socket_path), compression=None, proxy=None) as remote:
                    reading = asyncio.create_task(_read_all(remote))
                    for _ in range(100):
                        text = message(chance).decode("utf-8", errors="replace")
                        if len(text.encode()) <= protocol.MAX_MESSAGE and remote.close_code is None:
                            await remote.send(text)
                    await remote.send('{"jsonrpc":"2.0","id":"last","method":"state.get"}')
                    assert await asyncio.wait_for(reading, 10)
            assert server._work is not None
            assert not server._work.done()

    run(test())


async def _read_all(remote: ClientConnection) -> bool:
    """Whether the last request got its result, and everything before it was JSON or a picture."""
    async for data in remote:
        if isinstance(data, str):
            told = json.loads(data)
            if isinstance(told, dict) and told.get("id") == "last":
                return "result" in told
        else:
            protocol.previewed(data)
    return False
