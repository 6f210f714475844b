"""One client from its first message to its last: what it sends, what is sent to it, and the limits of both."""

import asyncio

import structlog
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from . import protocol
from .limits import Backoff, Bucket
from .outbox import Outbox
from .protocol import RpcError
from .service import Service
from .session import Call, Received, Session

log = structlog.get_logger(__name__)

AUTH_WITHIN_S = 10.0
REQUESTS_PER_S = 200.0
REQUESTS_AT_ONCE = 400.0
REFUSALS_AT_ONCE = 1000.0
CALLS_WAITING = 32
"""Messages of one client that may wait for their turn; more are not read before."""
CUT_OFF_AFTER_S = 5.0
"""How long a client that is let go may take to read what is on its way."""


class Conversation:
    """Connects a websocket, a session and the service. `run` returns when the connection is closed."""

    def __init__(
        self, connection: ServerConnection, session: Session, service: Service, backoff: Backoff
    ) -> None:
        self._connection = connection
        self._session = session
        self._service = service
        self._backoff = backoff
        self.outbox = Outbox()

    @property
    def trusted(self) -> bool:
        """The operating system vouches for this client: it needs no token."""
        return self._session.hello.auth == "none"

    async def run(self) -> None:
        """Until the connection is closed, by whomever; calls that are at work then come to their end."""
        self.outbox.reply(self._session.greeting())
        try:
            async with asyncio.TaskGroup() as tasks:
                waiting: asyncio.Queue[Received] = asyncio.Queue(CALLS_WAITING)
                helpers = [
                    tasks.create_task(self._send()),
                    tasks.create_task(self._cut_off()),
                    tasks.create_task(self._answer_in_turn(waiting)),
                ]
                await self._receive(waiting, tasks)
                await waiting.join()
                for helper in helpers:
                    helper.cancel()
        finally:
            await self._service.gone(self.outbox)

    async def _receive(self, waiting: asyncio.Queue[Received], tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        requests = Bucket(REQUESTS_PER_S, REQUESTS_AT_ONCE, loop.time())
        refusals = Bucket(REQUESTS_PER_S, REFUSALS_AT_ONCE, loop.time())
        urgent = asyncio.Semaphore(CALLS_WAITING)
        try:
            async with asyncio.timeout(None if self._session.ready else AUTH_WITHIN_S) as deadline:
                async for data in self._connection:
                    if isinstance(data, bytes):
                        self.outbox.end(1003)
                        continue
                    received = self._session.receive(data.encode())
                    if self._session.refused:
                        await asyncio.sleep(self._backoff.failed(loop.time()))
                        await self._answer(received)
                        self.outbox.end(4100)
                        continue
                    if self._session.ready:
                        deadline.reschedule(None)
                    weight = max(1, len(received.items))
                    if not requests.take(loop.time(), weight):
                        if not refusals.take(loop.time(), weight):
                            self.outbox.end(4003)
                        self._refuse(received)
                    elif received.calls and all(call.method.urgent for call in received.calls):
                        await urgent.acquire()
                        task = tasks.create_task(self._answer(received))
                        task.add_done_callback(lambda _: urgent.release())
                    else:
                        await waiting.put(received)
        except ConnectionClosed:
            return  # by its other end, or by the sending task
        except TimeoutError:
            await self._connection.close(4001, protocol.CLOSE_CODES[4001])

    async def _send(self) -> None:
        try:
            while (message := await self.outbox.take()) is not None:
                data, text = message
                await self._connection.send(data, text=text)
        except ConnectionClosed:
            return  # the receiving side sees it too
        code = self.outbox.close_code or 1000
        await self._connection.close(code, protocol.CLOSE_CODES[code])

    async def _cut_off(self) -> None:
        """A client that reads nothing cannot be told goodbye either: the line is cut."""
        await self.outbox.ended.wait()
        await asyncio.sleep(CUT_OFF_AFTER_S)
        self._connection.transport.abort()

    async def _answer_in_turn(self, waiting: asyncio.Queue[Received]) -> None:
        while True:
            await self._answer(await waiting.get())
            waiting.task_done()

    async def _answer(self, received: Received) -> None:
        replies = [r for item in received.items if (r := await self._reply(item)) is not None]
        if (message := received.reply(replies)) is not None:
            self.outbox.reply(message)

    async def _reply(self, item: Call | bytes) -> bytes | None:
        if isinstance(item, bytes):
            return item
        try:
            reply = protocol.result(item.id, await self._service.perform(item, self.outbox))
        except RpcError as refused:
            reply = protocol.error(item.id, refused)
        except Exception:
            log.exception("control.bug", method=item.name)
            reply = protocol.error(item.id, RpcError("internal", f"{item.name} failed", hint="see the log"))
        return reply if item.wants_reply else None

    def _refuse(self, received: Received) -> None:
        wrong = RpcError("rate_limited", "too many requests", hint=f"at most {REQUESTS_PER_S:g} a second")
        replies = [
            item if isinstance(item, bytes) else protocol.error(item.id, wrong)
            for item in received.items
            if isinstance(item, bytes) or item.wants_reply
        ]
        if (message := received.reply(replies)) is not None:
            self.outbox.reply(message)
