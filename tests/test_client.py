import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from control_fakes import AbleCommands, run, serving
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection, serve

from faceswapd.control import addresses, token
from faceswapd.control import client as remote_control
from faceswapd.control.client import Client, connect, reconnecting, user_error
from faceswapd.control.protocol import Preview, RpcError
from faceswapd.control.replies import EventParams
from faceswapd.core.errors import (
    BusyError,
    ConfigError,
    FaceswapdError,
    ModelError,
    NoDeviceError,
    UsageError,
)
from faceswapd.core.events import State, StateChanged


@pytest.mark.parametrize("over", ["found by itself", "unix", "tcp"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_finds_the_daemon_and_calls_it(tmp_path: Path, loop: str, over: str) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            url = {"unix": f"unix:{server.socket_path}", "tcp": f"ws://127.0.0.1:{server.port}"}.get(over)
            async with await connect(url, folder=tmp_path) as remote:
                assert remote.hello.auth == ("hmac-sha256" if over == "tcp" else "none")
                assert (await remote.state()).rev == 1
                assert (await remote.stats()).frames == 100
                state = await remote.ask("processor.set", State, name="mesh_swap", enabled=True)
                assert state.processors[1].enabled
                assert (await remote.call("ping"))["now_ns"] > 0

    run(test(), loop)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_in_a_folder_too_deep_for_a_socket_it_is_found_by_its_port(tmp_path: Path, loop: str) -> None:
    """The path of a unix socket has room for 107 bytes, on macOS for 103."""
    folder = tmp_path / ("x" * 110)

    async def test() -> None:
        with capture_logs() as logs:
            async with serving(folder) as (server, _), await connect(folder=folder) as remote:
                assert server.socket_path is None
                assert remote.hello.auth == "hmac-sha256"
        assert "control.no_socket" in [entry["event"] for entry in logs]
        assert [path.name for path in folder.iterdir()] == ["token"]

    run(test(), loop)


def test_a_refusal_is_raised_as_it_was_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path), await connect(folder=tmp_path) as remote:
            with pytest.raises(RpcError) as caught:
                await remote.call("processor.set", name="anonymize", if_rev=7)
            error = caught.value
            assert (error.code, error.path, error.rev, error.hint) == (
                "rev_conflict", "$.params.if_rev", 1, "read the state again",
            )  # fmt: skip

    run(test())


def test_calls_side_by_side_get_their_own_replies(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path), await connect(folder=tmp_path) as remote:
            told = await asyncio.gather(
                *(
                    remote.call("processor.set", name="anonymize", params={"strength": n / 100})
                    for n in range(50)
                )
            )
            assert [t["processors"][0]["params"]["strength"] for t in told] == [n / 100 for n in range(50)]

    run(test())


def test_events_and_preview_frames(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, commands), await connect(folder=tmp_path) as remote:
            await remote.call("subscribe", topics=["state", "preview"], preview={"width": 320})
            server.publish(StateChanged(await commands.execute(())))
            seen: dict[type, Any] = {}
            async for event in remote.events():
                seen[type(event)] = event
                if len(seen) == 2:
                    break
            assert seen[EventParams].data["rev"] == 2
            assert (seen[Preview].seq, seen[Preview].width, seen[Preview].height) == (7, 320, 180)

    run(test())


def test_events_end_and_calls_fail_when_the_daemon_stops(tmp_path: Path) -> None:
    async def test() -> None:
        commands = AbleCommands()

        begun, refused = asyncio.Event(), asyncio.Event()

        async def long() -> None:
            begun.set()
            await refused.wait()

        async with serving(tmp_path, commands):
            remote = await connect(folder=tmp_path)
            commands.slow = long
            pending = asyncio.create_task(remote.call("face.set", name="mask"))
            pending.add_done_callback(lambda _: refused.set())
            await begun.wait()
        with pytest.raises(NoDeviceError, match="the daemon stops"):
            await pending
        assert [e async for e in remote.events()] == []
        assert remote.close_code == 1001
        with pytest.raises(NoDeviceError, match="connection to the daemon lost"):
            await remote.call("ping")
        await remote.close()

    run(test())


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "DEFAULT_PORT", 1)

    async def test() -> None:
        for url in (None, "ws://127.0.0.1:1", f"unix:{tmp_path}/nothing.sock"):
            with pytest.raises(NoDeviceError, match="start it with `faceswapd run`") as caught:
                await connect(url, folder=tmp_path)
            assert caught.value.exit_code == 69

    run(test())


def test_on_any_port_it_is_found_without_a_unix_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows; addresses that dead daemons have left are passed over."""
    monkeypatch.setattr(addresses, "DEFAULT_PORT", 1)
    (tmp_path / "control-1.url").write_text("ws://127.0.0.1:1")
    (tmp_path / "control-0.url").write_text("")

    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            assert server.socket_path is not None
            server.socket_path.unlink()
            async with await connect(folder=tmp_path) as remote:
                assert remote.hello.auth == "hmac-sha256"
                assert (await remote.state()).rev == 1
            assert (tmp_path / f"control-{server.port}.url").exists()
        with pytest.raises(
            NoDeviceError, match=r"nobody listens at ws://127\.0\.0\.1:1: .*say with --url where"
        ):
            await connect(folder=tmp_path)

    run(test())
    assert {path.name for path in tmp_path.glob("control-*")} == {"control-0.url", "control-1.url"}


@pytest.mark.parametrize(
    "url",
    ["nonsense", "http://127.0.0.1:1", "ws://", "ws://127.0.0.1:99999", "ws://127.0.0.1:x", "ws://[::1"],
)
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    async def test() -> None:
        with pytest.raises(UsageError, match="is no address"):
            await connect(url, folder=tmp_path)

    run(test())


def test_a_wrong_token_is_a_configuration_error(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            with pytest.raises(ConfigError, match="the proof is wrong"):
                await connect(f"ws://127.0.0.1:{server.port}", secret="0" * 64)
            with pytest.raises(ConfigError, match="token file"):
                await connect(f"ws://127.0.0.1:{server.port}", folder=tmp_path / "elsewhere")

    run(test())


def test_a_daemon_that_is_full(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, max_clients=1) as (server, _), await connect(folder=tmp_path):
            with pytest.raises(BusyError, match="serves all the clients"):
                await connect(f"unix:{server.socket_path}", folder=tmp_path)

    run(test())


@asynccontextmanager
async def strangers(folder: Path) -> AsyncIterator[None]:
    """Addresses of dead daemons whose ports other programs have: an HTTP server, one that sends its visitors to
    a place of its own, a websocket of another kind, one that asks for no token."""

    async def web(connection: Any, request: Any) -> Any:
        if request.path == "/away":
            elsewhere.append(request.path)
        there = {"Location": "/away"} if connection.local_address[1] == ports[1] else {}
        response = connection.respond(302 if there else 404, "no such page\n")
        response.headers.update(there)
        return response

    async def chat(connection: ServerConnection) -> None:
        await connection.send("welcome")
        await connection.wait_closed()

    async def open_house(connection: ServerConnection) -> None:
        hello = {
            "protocol": 1,
            "server": "faceswapd",
            "version": "",
            "features": [],
            "auth": "none",
            "nonce": "",
        }
        await connection.send(json.dumps({"jsonrpc": "2.0", "method": "hello", "params": hello}))
        await connection.wait_closed()

    elsewhere, ports = list[str](), list[int]()
    async with AsyncExitStack() as stack:
        for handler, answer in ((chat, web), (chat, web), (chat, None), (open_house, None)):
            server = await stack.enter_async_context(serve(handler, "127.0.0.1", 0, process_request=answer))
            ports.append(server.sockets[0].getsockname()[1])
        for n, port in enumerate(ports):
            (folder / f"control-{n}.url").write_text(f"ws://127.0.0.1:{port}")
        yield
    assert elsewhere == [], "nobody is followed to another place"


def test_other_programs_on_the_ports_of_dead_daemons_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "DEFAULT_PORT", 1)

    async def test() -> None:
        async with strangers(tmp_path), serving(tmp_path) as (server, _):
            assert server.socket_path is not None
            server.socket_path.unlink()
            (tmp_path / f"control-{server.port}.url").rename(
                tmp_path / "control-9.url"
            )  # the last to be tried
            async with await connect(folder=tmp_path) as remote:
                assert (await remote.state()).rev == 1

    run(test())


def test_where_only_other_programs_answer_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "DEFAULT_PORT", 1)

    async def test() -> None:
        token.ensure(tmp_path)
        async with strangers(tmp_path):
            with pytest.raises(ConfigError, match="asks for no token: another program listens"):
                await connect(folder=tmp_path)
            (tmp_path / "control-3.url").unlink()
            with pytest.raises(NoDeviceError) as caught:
                await connect(folder=tmp_path)
        told = str(caught.value)
        assert told.startswith(
            f"no daemon of this user runs (its address would be in {tmp_path}): another server"
        )
        for says in (
            "(HTTP 404)",
            "(HTTP 302)",
            "is no faceswapd",
            "nobody listens at ws://127",
        ):
            assert says in told
        assert "\n" not in told

    run(test())


def test_a_program_that_says_nothing_leaves_time_for_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        asked = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            with suppress(ConnectionError):
                await reader.read()  # until the client goes
            writer.close()

        async with (
            await asyncio.start_server(silent, "127.0.0.1", 0) as mute,
            serving(tmp_path) as (server, _),
        ):
            assert server.socket_path is not None
            server.socket_path.unlink()
            port = mute.sockets[0].getsockname()[1]
            monkeypatch.setattr(addresses, "DEFAULT_PORT", port)  # the first to be tried
            (tmp_path / f"control-{port}.url").write_text(f"ws://127.0.0.1:{port}")
            async with await connect(folder=tmp_path, timeout_s=3) as remote:
                assert (await remote.state()).rev == 1
            assert asked.is_set()

    run(test())


@pytest.mark.parametrize("answer", ["impostor", "stranger", "silence"])
def test_another_program_on_the_port(tmp_path: Path, answer: str) -> None:
    async def handler(connection: ServerConnection) -> None:
        if answer == "stranger":
            await connection.send("welcome")
        if answer == "impostor":
            hello = {"protocol": 1, "server": "faceswapd", "version": "", "features": [], "auth": "hmac-sha256",
                     "nonce": "0" * 64}  # fmt: skip
            await connection.send(json.dumps({"jsonrpc": "2.0", "method": "hello", "params": hello}))
            request = json.loads(await connection.recv())
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": {"ready": True, "mac": "0" * 64}}
            await connection.send(json.dumps(reply))
        await connection.wait_closed()

    async def test() -> None:
        token.ensure(tmp_path)
        async with serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            wrong = {
                "impostor": "does not know the token",
                "stranger": "no faceswapd",
                "silence": "does not answer",
            }
            limit_s = 0.3 if answer == "silence" else 20
            with pytest.raises(FaceswapdError, match=wrong[answer]):
                await connect(f"ws://127.0.0.1:{port}", folder=tmp_path, timeout_s=limit_s)

    run(test())


def test_it_comes_back_after_the_daemon_did(tmp_path: Path) -> None:
    async def test() -> None:
        visits: list[int] = []
        came = asyncio.Event()

        async def follow() -> None:
            async for remote in reconnecting(folder=tmp_path, most_s=0.2):
                try:
                    visits.append((await remote.state()).rev)
                except NoDeviceError:  # found just before it was closed
                    continue
                came.set()
                async for _ in remote.events():
                    pass
                if len(visits) == 2:
                    return

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.1)
        for _ in range(2):
            async with serving(tmp_path):
                await came.wait()
                came.clear()
        await following
        assert visits == [1, 1]

    run(test())


def test_it_does_not_come_back_when_it_is_not_wanted(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path) as (server, _):
            visits = reconnecting(f"ws://127.0.0.1:{server.port}", secret="0" * 64)
            with pytest.raises(ConfigError):
                await anext(visits)

    run(test())


def test_events_nobody_asks_for_are_bounded(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path), await connect(folder=tmp_path) as remote:
            for n in range(remote_control.MAX_EVENTS + 50):
                remote._happened(EventParams("state", n, n, None))
            first = await anext(aiter(remote.events()))
            assert isinstance(first, EventParams)
            assert first.seq == 50

    run(test())


@pytest.mark.parametrize(
    ("code", "kind"),
    [("usage", UsageError), ("no_device", NoDeviceError), ("model", ModelError), ("unknown_name", UsageError),
     ("out_of_range", UsageError), ("method_not_found", UsageError), ("rev_conflict", BusyError),
     ("not_available", NoDeviceError), ("unauthorized", ConfigError), ("internal", FaceswapdError)],
)  # fmt: skip
def test_each_refusal_has_an_exit_code(code: str, kind: type[FaceswapdError]) -> None:
    error = user_error(RpcError(code, "what", hint="remedy"))

    assert type(error) is kind
    assert str(error) == "what: remedy"


def test_a_client_is_closed_twice_without_harm(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path):
            remote: Client = await connect(folder=tmp_path)
            await remote.close()
            await remote.close()

    run(test())
