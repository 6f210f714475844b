"""What waits to be sent to one client: bounded, whatever the client does."""

import asyncio
from collections import deque

MAX_REPLIES = 256
MAX_REPLY_BYTES = 16 * 1024 * 1024
MAX_LOG = 64
TOO_SLOW = 4002


class Outbox:
    """Replies in order and none lost; of each kind of event and of the preview the newest only.

    All methods are for the event loop. A client that lets its replies pile up is disconnected (4002);
    everything else is overwritten, so one that stands still costs a message a kind.
    """

    def __init__(self) -> None:
        self._replies: deque[bytes] = deque()
        self._reply_bytes = 0
        self._events: dict[str, bytes] = {}
        self._log: deque[bytes] = deque(maxlen=MAX_LOG)
        self._frame: bytes | None = None
        self._filled = asyncio.Event()
        self.close_code: int | None = None
        """Why the connection is to be closed, once it is."""
        self.ended = asyncio.Event()

    def reply(self, data: bytes) -> None:
        """Replies go first. A single one may have any size."""
        if self.close_code is not None:
            return
        if self._replies and (
            len(self._replies) >= MAX_REPLIES or self._reply_bytes + len(data) > MAX_REPLY_BYTES
        ):
            self._replies.clear()
            self.end(TOO_SLOW)
        else:
            self._replies.append(data)
            self._reply_bytes += len(data)
        self._filled.set()

    def event(self, topic: str, data: bytes) -> None:
        """Takes the place of an event of the same topic that still waits."""
        self._events[topic] = data
        self._filled.set()

    def log(self, data: bytes) -> None:
        """Log entries wait in a short line; the oldest gives way."""
        self._log.append(data)
        self._filled.set()

    def frame(self, data: bytes) -> None:
        """A preview frame takes the place of one that still waits."""
        self._frame = data
        self._filled.set()

    def drop(self, topic: str) -> None:
        """Nothing more of a topic: what waits is forgotten."""
        self._events.pop(topic, None)
        if topic == "log":
            self._log.clear()
        if topic == "preview":
            self._frame = None

    def end(self, close_code: int) -> None:
        """The connection is to be closed; replies that wait still go out, events do not."""
        if self.close_code is None:
            self.close_code = close_code
            self.ended.set()
        self._filled.set()

    async def take(self) -> tuple[bytes, bool] | None:
        """Waits for the next message: (data, whether it is text). None when there is no more to come."""
        while True:
            if self._replies:
                data = self._replies.popleft()
                self._reply_bytes -= len(data)
                return data, True
            if self.close_code is not None:
                return None
            if self._events:
                return self._events.pop(next(iter(self._events))), True
            if self._log:
                return self._log.popleft(), True
            if self._frame is not None:
                frame, self._frame = self._frame, None
                return frame, False
            self._filled.clear()
            await self._filled.wait()
