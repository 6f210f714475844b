"""The websocket front of the control channel, on loopback and on a unix socket."""

import asyncio
import errno
import http
import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from ..core.errors import BusyError, ConfigError
from ..core.events import Commands, Event
from ..core.settings import ControlSettings
from . import admission, pages, protocol, token
from .conversation import Conversation
from .hub import Hub
from .limits import Backoff
from .methods import Authenticate
from .pairing import VALID_S, Pairing
from .replies import Paired, PairingLink
from .service import Service
from .session import Session

log = structlog.get_logger(__name__)


class ControlServer:
    """Serves clients until it is closed. `start`, `publish` and `close` are for the event loop.

    `wait` belongs into the daemon's task group: it raises if the background work died of a bug.
    """

    def __init__(
        self, commands: Commands, settings: ControlSettings, runtime_dir: Path, version: str = ""
    ) -> None:
        self._commands = commands
        self._settings = settings
        self._dir = runtime_dir
        self._version = version or commands.state().version
        self._pool = ThreadPoolExecutor(1, "control")
        self._hub = Hub(commands, self._pool)
        self._service = Service(commands, self._hub, self._pool, self._rotate, self._link)
        self._pairing = Pairing()
        self._pages = pages.load()
        self._backoff = Backoff()
        self._stack = AsyncExitStack()
        self._work: asyncio.Task[None] | None = None
        self._clients: set[Conversation] = set()
        self._names: frozenset[str] = frozenset()
        self.port = 0
        """The port that is served; the one of the settings unless that is 0."""
        self.socket_path: Path | None = None

    async def start(self) -> None:
        """Begins to listen. Raises BusyError for a port that is taken, ConfigError for one that is refused."""
        context = admission.tls(self._settings)
        token.ensure(token.prepared(self._dir))
        options: dict[str, Any] = {
            "compression": None,
            "max_size": protocol.MAX_MESSAGE,
            "close_timeout": 2.0,
            "server_header": None,
        }
        async with AsyncExitStack() as stack:
            server = await self._listening(context, options)
            stack.push_async_callback(_stopped, server)
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._names = admission.names(self._settings.host, self.port, self._settings.hosts)
            if os.name == "posix":
                await self._listen_on_socket(stack, options)
            # For clients where there is no such socket, which could only guess the port.
            address = self._dir / f"control-{self.port}.url"
            address.write_text(self._url("ws"), encoding="utf-8")
            stack.callback(address.unlink, missing_ok=True)
            self._work = asyncio.create_task(self._background(), name="control")
            self._stack = stack.pop_all()
        log.info("control.listening", host=self._settings.host, port=self.port)

    async def close(self) -> None:
        """Tells the clients, closes the sockets, ends the background work. Raises what that died of."""
        await self._stack.aclose()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._work is not None:
            self._work.cancel()
            await self.wait()

    async def wait(self) -> None:
        """Waits for the end of the background work. Raises the bug it died of, if it did."""
        if self._work is not None:
            await asyncio.wait([self._work])
            if not self._work.cancelled():
                self._work.result()

    def publish(self, event: Event) -> None:
        """Tells the clients that listen. In the event loop only."""
        self._hub.publish(event)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def _listening(self, context: ssl.SSLContext | None, options: dict[str, Any]) -> Server:
        host, port = self._settings.host, self._settings.port
        try:
            return await serve(
                self._tcp_client, host, port, ssl=context, process_request=self._admit_tcp, **options
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BusyError(
                    f"port {port} is taken", "stop the other daemon, or choose another with --port"
                ) from None
            raise ConfigError(f"control.host {host}, port {port}: {error}", "listen on 127.0.0.1") from None

    async def _listen_on_socket(self, stack: AsyncExitStack, options: dict[str, Any]) -> None:
        # The port is ours, and the socket's name holds it: whatever lies there is a dead daemon's.
        path = self._dir / f"control-{self.port}.sock"
        path.unlink(missing_ok=True)
        try:
            server = await unix_serve(
                self._unix_client, str(path), process_request=self._admit_unix, **options
            )
        except OSError as error:  # a path of more than 107 bytes, a file system without sockets
            log.warning("control.no_socket", path=str(path), error=str(error), instead="the port")
            return
        stack.push_async_callback(_stopped, server)
        stack.callback(path.unlink, missing_ok=True)
        path.chmod(0o600)
        self.socket_path = path

    async def _background(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hub.run(), name="control.hub")
            tasks.create_task(self._service.run(), name="control.service")

    def _admit_tcp(self, connection: ServerConnection, request: Request) -> Response | None:
        return self._admit(connection, request, self._names, trusted=False)

    def _admit_unix(self, connection: ServerConnection, request: Request) -> Response | None:
        return self._admit(connection, request, frozenset({"localhost"}), trusted=True)

    def _admit(
        self, connection: ServerConnection, request: Request, names: frozenset[str], *, trusted: bool
    ) -> Response | None:
        origin, host = request.headers.get("Origin"), request.headers.get("Host")
        if not admission.welcome(origin, host, names):
            log.warning("control.refused", origin=origin, host=host)
            return connection.respond(http.HTTPStatus.FORBIDDEN, admission.NOT_SERVED)
        if request.path == "/healthz":
            return connection.respond(http.HTTPStatus.OK, "ok\n")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return self._page(connection, request.path)
        # Each front has its own places: who crowds the port cannot keep this user from the socket.
        if sum(c.trusted is trusted for c in self._clients) >= self._settings.max_clients:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, admission.FULL)
        return None

    def _page(self, connection: ServerConnection, path: str) -> Response:
        page = self._pages.get(path)
        if page is None:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "no such page\n")
        fields = {"Connection": "close", "Content-Length": str(len(page.body)), **page.headers}
        return Response(200, "OK", Headers(fields), page.body)

    async def _tcp_client(self, connection: ServerConnection) -> None:
        features = self._service.features()
        await self._serve(connection, Session(self._version, features, self._verify, self._paired))

    async def _unix_client(self, connection: ServerConnection) -> None:
        uid = admission.peer_uid(connection.transport.get_extra_info("socket"))
        if uid != os.geteuid():
            await connection.close(4101, protocol.CLOSE_CODES[4101])
        else:
            await self._serve(connection, Session(self._version, self._service.features(), None))

    def _verify(self, nonce: str, sent: Authenticate) -> str | None:
        try:
            secret = token.read(self._dir)  # each time anew: another process may have rotated it
        except ConfigError as error:
            log.warning("control.no_token", problem=str(error))
            return None
        if sent.device:
            secret = token.device_key(secret, sent.device)
        if not token.proves(secret, nonce, sent.nonce, sent.mac):
            return None
        return token.proof(secret, sent.nonce, nonce)

    def _paired(self, code: str) -> Paired | None:
        return self._pairing.admit(code, token.ensure(self._dir), asyncio.get_running_loop().time())

    def pairing_url(self) -> str:
        """A link to the web remote that lets in one browser, once, within ten minutes."""
        code = self._pairing.code(asyncio.get_running_loop().time())
        return f"{self._url('http')}/#pair={code}"

    def _url(self, scheme: str) -> str:
        host = self._settings.host
        if host in ("0.0.0.0", "::"):  # noqa: S104 - not bound here: a name that a browser can ask for
            host = next(iter(self._settings.hosts), "localhost").partition(":")[0]
        elif ":" in host:
            host = f"[{host}]"
        return f"{scheme}{'s' if self._settings.tls_certificate else ''}://{host}:{self.port}"

    def _link(self) -> PairingLink:
        return PairingLink(self.pairing_url(), VALID_S)

    def _rotate(self) -> None:
        token.rotate(self._dir)
        self._pairing.clear()
        log.info("control.token_rotated")
        # After this step of the loop, in which the reply to whoever asked is put into its outbox.
        asyncio.get_running_loop().call_soon(self._let_go)

    def _let_go(self) -> None:
        for client in self._clients:
            if not client.trusted:
                client.outbox.end(4000)

    async def _serve(self, connection: ServerConnection, session: Session) -> None:
        client = Conversation(connection, session, self._service, self._backoff)
        self._clients.add(client)
        try:
            await client.run()
        finally:
            self._clients.discard(client)


async def _stopped(server: Server) -> None:
    server.close()
    await server.wait_closed()
