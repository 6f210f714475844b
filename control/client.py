"""A small asyncio client: connect, call, follow events, come back after a loss.

async with await connect() as remote:
    state = await remote.call("state.get")
    await remote.call("processor.toggle", name="anonymize")
    await remote.call("subscribe", topics=["state"])
    async for event in remote.events():
        ...
"""

import asyncio
import itertools
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ..core import errors
from ..core.errors import BusyError, ConfigError, FaceswapdError, NoDeviceError, UsageError
from ..core.events import State, Stats
from . import protocol, token
from .addresses import NOT_RUNNING, dial, known
from .protocol import Incoming, Preview, RpcError
from .replies import EventParams, Hello, Ready

T = TypeVar("T")
Event = EventParams | Preview

MAX_EVENTS = 256
"""Events kept for a caller who is slow to ask for them; the oldest give way."""


class Client:
    """One authenticated connection. Made by `connect`; for one event loop."""

    def __init__(self, connection: ClientConnection, hello: Hello) -> None:
        self.hello = hello
        self._connection = connection
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(), name="control.client")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def close_code(self) -> int | None:
        """Why the connection was closed; None while it is open or when the line just broke."""
        code = self._connection.close_code
        return None if code == 1006 else code

    async def call(self, method: str, **params: Any) -> Any:
        """Calls a method and returns its result as plain data.

        Raises RpcError when it is refused, NoDeviceError when the connection is lost before the reply.
        """
        return msgspec.json.decode(await self.request(method, params))

    async def state(self) -> State:
        """The state now."""
        return await self.ask("state.get", State)

    async def stats(self) -> Stats:
        """The numbers now."""
        return await self.ask("stats.get", Stats)

    async def ask(self, method: str, kind: type[T], **params: Any) -> T:
        """Like `call`, with a result of the given type."""
        return msgspec.json.decode(await self.request(method, params), type=kind)

    async def request(self, method: str, params: dict[str, Any]) -> msgspec.Raw:
        """Like `call`, with the result as it came."""
        id_ = next(self._ids)
        waiting: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = waiting
        try:
            if self._reading.done():
                raise self._lost()
            try:
                await self._connection.send(protocol.call(method, params, id_), text=True)
            except ConnectionClosed:
                raise self._lost() from None
            return await waiting
        finally:
            del self._waiting[id_]

    async def events(self) -> AsyncIterator[Event]:
        """What was subscribed, as it comes; ends when the connection does.

        Yields `EventParams` (topic, seq, rev, data as plain objects) and `Preview` (binary frames).
        """
        while True:
            while self._events:
                yield self._events.popleft()
            if self._reading.done():
                return
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Says goodbye."""
        await self._connection.close()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        try:
            async for data in self._connection:
                if isinstance(data, bytes):
                    self._happened(protocol.previewed(data))
                else:
                    understood = protocol.understand(data.encode())
                    for item in understood if isinstance(understood, tuple) else (understood,):
                        self._take(item)
        except ConnectionClosed:
            return
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(self._lost())
            self._news.set()

    def _take(self, item: Incoming) -> None:
        if item.method == "event":
            self._happened(msgspec.json.decode(item.params, type=EventParams))
            return
        waiting = self._waiting.get(item.id) if isinstance(item.id, int) else None
        if waiting is None or waiting.done():
            return
        if item.error is not None:
            told = item.error
            data = told.data
            waiting.set_exception(RpcError(data.code, told.message, data.path, data.hint, data.rev))
        else:
            waiting.set_result(cast(msgspec.Raw, item.result))

    def _happened(self, event: Event) -> None:
        self._events.append(event)
        self._news.set()

    def _lost(self) -> FaceswapdError:
        code = self.close_code
        why = protocol.CLOSE_CODES.get(code or 0, "the line broke")
        kind = ConfigError if not protocol.may_reconnect(code) else NoDeviceError
        return kind(f"connection to the daemon lost: {why}", "is it still running? `faceswapd ctl status`")


async def connect(
    url: str | None = None, *, secret: str | None = None, folder: Path | None = None, timeout_s: float = 5.0
) -> Client:
    """Connects to the daemon of this user, or to the one at `url`, and authenticates.

    Without `url` the places that `addresses.known` names are tried, until a daemon answers. `url` may be
    `ws://host:port`, `wss://host:port` or `unix:/path`. `secret` is the token; without it the token file
    is read. Raises NoDeviceError when no daemon answers, ConfigError when it does not accept the token,
    BusyError when it serves as many clients as it may, UsageError for a wrong address.
    """
    folder = folder or token.runtime_dir()
    if url is not None:
        return await _reached(url, secret, folder, timeout_s)
    return await _found(secret, folder, timeout_s)


async def reconnecting(
    url: str | None = None, *, most_s: float = 10.0, **options: Any
) -> AsyncIterator[Client]:
    """Connects again and again: each client that it yields is a fresh connection.

        async for remote in reconnecting():
            await remote.call("subscribe", topics=["state"])
            async for event in remote.events():
                ...

    Waits between failures, twice as long each time up to `most_s`, with some chance in it. Raises
    ConfigError when the daemon does not want this client.
    """
    wait_s = 0.1
    while True:
        try:
            client = await connect(url, **options)
        except (NoDeviceError, BusyError):
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(wait_s * 2, most_s)
            continue
        wait_s = 0.1
        async with client:
            yield client
        if not protocol.may_reconnect(client.close_code):
            raise client._lost()


def user_error(refused: RpcError) -> FaceswapdError:
    """A refusal as the error of the house that carries its exit code."""
    kinds = [errors.FaceswapdError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    by_code = {k.code: k for k in reversed(kinds)}  # a kind of a kind has its code: the general one is meant
    more = {"rev_conflict": BusyError, "rate_limited": BusyError, "too_many": BusyError,
            "not_available": NoDeviceError, "unauthorized": ConfigError}  # fmt: skip
    usual = UsageError if refused.rpc_code in (-32601, -32602) else FaceswapdError
    kind = by_code.get(refused.code) or more.get(refused.code, usual)
    return kind(refused.message, refused.hint)


async def _found(secret: str | None, folder: Path, timeout_s: float) -> Client:
    """The first daemon that lets this client in: a daemon that was killed leaves its place behind, and another server
    may have taken its port since."""
    clock = asyncio.get_running_loop().time
    end_s = clock() + timeout_s
    places = await asyncio.to_thread(known, folder)
    failures: list[FaceswapdError] = []
    for n, place in enumerate(places):
        # One that says nothing leaves time for the others.
        share_s = max(0.0, end_s - clock()) / (len(places) - n)
        try:
            return await _reached(place, secret, folder, share_s)
        except FaceswapdError as error:
            failures.append(error)
    for failure in failures:
        if isinstance(failure, BusyError | ConfigError):  # there is one, but not for this client
            raise failure
    told = "; ".join(failure.what for failure in failures)
    raise NoDeviceError(
        f"no daemon of this user runs (its address would be in {folder}): {told}",
        f"{NOT_RUNNING}, or say with --url where it is",
    )


async def _reached(url: str, secret: str | None, folder: Path, timeout_s: float) -> Client:
    try:
        async with asyncio.timeout(timeout_s):
            connection = await dial(url)
            try:
                return await _greeted(connection, url, secret, folder)
            except BaseException:
                connection.transport.abort()  # also where there was no time for a goodbye
                raise
    except TimeoutError:
        raise NoDeviceError(f"the daemon at {url} does not answer", NOT_RUNNING) from None


async def _greeted(connection: ClientConnection, url: str, secret: str | None, folder: Path) -> Client:
    try:
        greeting = protocol.understand(str(await connection.recv()).encode())
        assert isinstance(greeting, Incoming)
        hello = msgspec.json.decode(greeting.params, type=Hello)
    except (ConnectionClosed, msgspec.MsgspecError, AssertionError):
        raise NoDeviceError(f"what answers at {url} is no faceswapd", NOT_RUNNING) from None
    if hello.auth == "none":
        if not url.startswith("unix:"):  # a file belongs to somebody, a port may be anybody's
            raise ConfigError(
                f"the server at {url} asks for no token", "another program listens on this port"
            )
        return Client(connection, hello)
    client = Client(connection, hello)
    try:
        secret = secret or token.read(folder)
        nonce = secrets.token_hex(32)
        mac = token.proof(secret, hello.nonce, nonce)
        ready = await client.ask("auth", Ready, nonce=nonce, mac=mac)
        if not token.proves(secret, nonce, hello.nonce, ready.mac):
            raise ConfigError(
                f"the server at {url} does not know the token", "another program listens on this port"
            )
    except RpcError as refused:
        await client.close()
        raise user_error(refused) from None
    except FaceswapdError:
        await client.close()
        raise
    return client
