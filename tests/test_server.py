import asyncio
import contextlib
import json
import os
import secrets
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from control_fakes import AbleCommands, FakeCommands, run, serving
from test_admission import certificate as certificate
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from faceswapd.control import admission, client, token
from faceswapd.control.server import ControlServer
from faceswapd.core.errors import BusyError, ConfigError
from faceswapd.core.events import Logged, SetProcessor, StateChanged
from faceswapd.core.settings import ControlSettings

PLAIN: dict[str, Any] = {"compression": None, "proxy": None}


def text(id_: int, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})


async def heard(connection: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await connection.recv()))


async def asked(connection: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    await connection.send(text(1, method, **params))
    while True:
        message = await connection.recv()
        if isinstance(message, str) and "id" in (reply := json.loads(message)):
            return dict(reply)


async def authenticated(connection: ClientConnection, secret: str) -> dict[str, Any]:
    nonce = secrets.token_hex(32)
    server = (await heard(connection))["params"]["nonce"]
    return await asked(connection, "auth", nonce=nonce, mac=token.proof(secret, server, nonce))


async def closed(connection: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.recv()
    return connection.close_code


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_over_tcp_with_the_token(tmp_path: Path, loop: str) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, commands):  # noqa: SIM117 - the port is known inside
            async with connect(f"ws://127.0.0.1:{server.port}", **PLAIN) as remote:
                assert (await authenticated(remote, token.read(tmp_path)))["result"]["ready"]
                state = (await asked(remote, "processor.toggle", name="anonymize"))["result"]
                assert state["processors"][0]["enabled"] is False
                assert isinstance(commands, FakeCommands)
                assert commands.told == [(SetProcessor("anonymize", toggle=True),)]

    run(test(), loop)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_over_the_unix_socket_without(tmp_path: Path, loop: str) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            assert server.socket_path is not None
            assert server.socket_path.stat().st_mode & 0o777 == 0o600
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                assert (await heard(remote))["params"]["auth"] == "none"
                assert (await asked(remote, "state.get"))["result"]["rev"] == 1

    run(test(), loop)
    assert [p.name for p in tmp_path.iterdir()] == ["token"]


def test_another_user_on_the_unix_socket_is_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            monkeypatch.setattr(admission, "peer_uid", lambda _: os.geteuid() + 1)
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                assert await closed(remote) == 4101

    run(test())


def test_a_wrong_token_is_told_late_and_closed(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _), asyncio.timeout(5):
            loop, waits = asyncio.get_running_loop(), []
            for _ in range(2):
                async with connect(f"ws://127.0.0.1:{server.port}", **PLAIN) as remote:
                    before = loop.time()
                    reply = await authenticated(remote, "f" * 64)
                    waits.append(loop.time() - before)
                    assert reply["error"]["data"]["code"] == "unauthorized"
                    assert await closed(remote) == 4100
            assert waits[0] > 0.2
            assert waits[1] > 0.45

    run(test())


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example:7865"}],
)
def test_other_pages_and_rebound_names_get_403(tmp_path: Path, headers: dict[str, str]) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            request = (
                "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            )
            request += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            fields = {"Host": f"127.0.0.1:{server.port}", **headers}
            request += "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request.encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 403")
            writer.close()
            await writer.wait_closed()

    run(test())


def test_no_more_clients_than_allowed(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, max_clients=2) as (server, _):
            url = f"ws://127.0.0.1:{server.port}"
            async with connect(url, **PLAIN), connect(url, **PLAIN):
                with pytest.raises(InvalidStatus, match="503"):
                    await connect(url, **PLAIN)
                async with unix_connect(str(server.socket_path), **PLAIN) as local:
                    await heard(local)
            while server.clients:  # noqa: ASYNC110 - the other end's end makes no event here
                await asyncio.sleep(0.01)
            async with connect(url, **PLAIN) as remote:
                await heard(remote)

    run(test())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, commands):
            second = ControlServer(commands, ControlSettings(port=server.port), tmp_path)
            with pytest.raises(BusyError, match=f"port {server.port} is taken.*--port"):
                await second.start()
            await second.close()
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                await heard(remote)

    run(test())


def test_another_address_is_refused_without_tls(tmp_path: Path) -> None:
    async def test() -> None:
        server = ControlServer(FakeCommands(), ControlSettings(host="0.0.0.0", port=0), tmp_path)
        with pytest.raises(ConfigError, match="tls_certificate"):
            await server.start()
        await server.close()

    run(test())
    assert not list(tmp_path.iterdir())


def test_over_tls(tmp_path: Path, certificate: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, host="0.0.0.0", tls_certificate=str(certificate)) as (server, _):
            trusted = ssl.create_default_context(cafile=str(certificate))
            async with connect(f"wss://localhost:{server.port}", ssl=trusted, **PLAIN) as remote:
                assert "result" in await authenticated(remote, token.read(tmp_path))
            with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
                await client.connect(f"wss://localhost:{server.port}", folder=tmp_path)

    run(test())


def test_a_socket_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    async def test() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = tmp_path / f"control-{port}.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        async with serving(tmp_path, port=port), unix_connect(str(path), **PLAIN) as remote:
            await heard(remote)

    run(test())


def test_rotation_lets_go_of_everybody_who_used_the_old_token(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            old, url = token.read(tmp_path), f"ws://127.0.0.1:{server.port}"
            async with connect(url, **PLAIN) as asks, connect(url, **PLAIN) as other:
                await authenticated(asks, old)
                await authenticated(other, old)
                async with unix_connect(str(server.socket_path), **PLAIN) as local:
                    await heard(local)
                    assert (await asked(asks, "token.rotate"))["result"] == {}
                    assert [await closed(asks), await closed(other)] == [4000, 4000]
                    assert "result" in await asked(local, "ping")
            assert token.read(tmp_path) != old
            async with connect(url, **PLAIN) as remote:
                assert "result" in await authenticated(remote, token.read(tmp_path))

    run(test())


def test_whoever_listens_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, commands):  # noqa: SIM117 - the socket is known inside
            async with unix_connect(str(server.socket_path), **PLAIN) as remote:
                await heard(remote)
                told = (await asked(remote, "subscribe", topics=["state", "log"]))["result"]
                assert told["topics"]["state"]["data"]["rev"] == told["rev"] == 1
                await commands.execute(())
                server.publish(StateChanged(commands.state()))
                server.publish(StateChanged(commands.state()))
                server.publish(Logged("2026-01-01T00:00:00Z", "warning", "source.lost", {"device": "x"}))
                first, second = (await heard(remote))["params"], (await heard(remote))["params"]
                assert (first["topic"], first["rev"], first["data"]["rev"]) == ("state", 2, 2)
                assert (second["topic"], second["data"]["event"]) == ("log", "source.lost")
                assert second["seq"] == told["topics"]["log"]["seq"] + 1

    run(test())


def test_clients_are_told_that_the_daemon_stops(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            remote = await unix_connect(str(server.socket_path), **PLAIN)
        assert await closed(remote) == 1001

    run(test())


def test_the_background_work_tells_its_bug(tmp_path: Path) -> None:
    class Broken(AbleCommands):
        def stats(self) -> Any:
            if self.now.privacy:
                raise ZeroDivisionError("a bug")
            return super().stats()

    async def test() -> None:
        commands = Broken()
        server = ControlServer(commands, ControlSettings(port=0), tmp_path)
        await server.start()
        async with unix_connect(str(server.socket_path), **PLAIN) as remote:
            await asked(remote, "subscribe", topics=["stats"], interval_s=0.1)
            await asked(remote, "privacy.set", on=True)
            with pytest.raises(ExceptionGroup, match="TaskGroup"):
                await server.wait()
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            await server.close()

    run(test())


def test_health_is_told_without_a_token(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.endswith(b"ok\n")
            writer.close()
            await writer.wait_closed()

    run(test())
