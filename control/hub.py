"""Who listens to what: events go out once encoded, previews once per size, to each client's outbox."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import msgspec

from ..core.abilities import Viewing
from ..core.events import Commands, Event, FacesChanged, Logged, State, StateChanged
from ..core.frame import Frame, Pixels
from . import jpeg, protocol
from .methods import PreviewOptions, Subscribe
from .outbox import Outbox
from .replies import Entry, EventParams, Subscribed, Topic

RECENT_LOG = 50


@dataclass(slots=True)
class _Timed:
    """A subscription with a rate of its own. Times are on the loop's clock."""

    period_s: float
    due_s: float = 0.0
    last: Pixels | None = None

    def next(self, now_s: float) -> None:
        """On a grid that all of the same rate share: they are served by the same encoding."""
        self.due_s = (math.floor(now_s / self.period_s) + 1) * self.period_s


class Hub:
    """Subscriptions of all clients. For the event loop; `run` is its background work."""

    def __init__(self, commands: Commands, pool: Executor) -> None:
        self._commands = commands
        self._pool = pool
        self._plain: dict[Topic, set[Outbox]] = {"state": set(), "faces": set(), "log": set()}
        self._stats: dict[Outbox, _Timed] = {}
        self._previews: dict[Outbox, tuple[_Timed, PreviewOptions]] = {}
        self._seq: Counter[str] = Counter()
        self._log: deque[Logged] = deque(maxlen=RECENT_LOG)
        self._rev = -1
        self._stats_wanted = asyncio.Event()
        self._previews_wanted = asyncio.Event()
        self._encoded: dict[PreviewOptions, tuple[Frame, bytes]] = {}
        self.encodings = 0
        """JPEGs made so far."""

    def publish(self, event: Event) -> None:
        """Tells everybody who listens. A state that was told already is not told again.

        In the loop's next step: whoever caused the event gets the reply before the crowd gets the news.
        """
        asyncio.get_running_loop().call_soon(self._publish, event)

    def _publish(self, event: Event) -> None:
        match event:
            case StateChanged(state):
                if state.rev != self._rev:
                    self._rev = state.rev
                    self._tell("state", state, self._plain["state"], Outbox.event)
            case FacesChanged(faces):
                self._tell("faces", faces, self._plain["faces"], Outbox.event)
            case Logged():
                self._log.append(event)
                self._tell("log", event, self._plain["log"], lambda outbox, _, data: outbox.log(data))

    def subscribe(self, outbox: Outbox, asked: Subscribe) -> Subscribed:
        """Adds a client to topics and returns what they hold now."""
        state = self._commands.state()
        entries: dict[str, Entry] = {}
        for topic in asked.topics:
            if topic == "stats":
                self._stats[outbox] = _Timed(asked.interval_s)
                self._stats[outbox].next(asyncio.get_running_loop().time())
                self._stats_wanted.set()
            elif topic == "preview":
                self._previews[outbox] = (_Timed(1 / asked.preview.fps), asked.preview)
                self._previews_wanted.set()
            else:
                self._plain[topic].add(outbox)
            entries[topic] = Entry(self._seq[topic], self._now(topic, state))
        return Subscribed(state.rev, entries)

    def unsubscribe(self, outbox: Outbox, topics: Iterable[Topic]) -> None:
        """Removes a client from topics; what waits for it there is forgotten."""
        for topic in topics:
            if topic == "stats":
                self._stats.pop(outbox, None)
            elif topic == "preview":
                self._previews.pop(outbox, None)
            else:
                self._plain[topic].discard(outbox)
            outbox.drop(topic)

    async def run(self) -> None:
        """Sends statistics and previews at the rates that clients asked for, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_stats(), name="control.stats")
            tasks.create_task(self._send_previews(), name="control.previews")

    def _now(self, topic: Topic, state: State) -> Any:
        match topic:
            case "state":
                return state
            case "stats":
                return self._commands.stats()
            case "faces":
                return self._commands.faces()
            case "log":
                return tuple(self._log)
            case "preview":
                return None

    def _tell(
        self, topic: Topic, data: Any, to: Iterable[Outbox], put: Callable[[Outbox, str, bytes], None]
    ) -> None:
        self._seq[topic] += 1
        to = tuple(to)
        if to:
            rev = self._commands.state().rev
            message = protocol.notification("event", EventParams(topic, self._seq[topic], rev, data))
            for outbox in to:
                put(outbox, topic, message)

    async def _send_stats(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await _until(self._stats_wanted, min((t.due_s for t in self._stats.values()), default=None))
            now_s = loop.time()
            due = [outbox for outbox, timed in self._stats.items() if timed.due_s <= now_s]
            for outbox in due:
                self._stats[outbox].next(now_s)
            if due:
                self._tell("stats", self._commands.stats(), due, Outbox.event)

    async def _send_previews(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await _until(
                self._previews_wanted, min((t.due_s for t, _ in self._previews.values()), default=None)
            )
            now_s = loop.time()
            frame = self._commands.shown() if isinstance(self._commands, Viewing) else None
            groups: dict[PreviewOptions, list[Outbox]] = {}
            for outbox, (timed, options) in self._previews.items():
                if timed.due_s > now_s:
                    continue
                timed.next(now_s)
                if frame is not None and frame.pixels is not timed.last:
                    timed.last = frame.pixels
                    groups.setdefault(_rateless(options), []).append(outbox)
            for options, outboxes in groups.items():
                assert frame is not None
                data = await self._encoded_once(frame, options)
                for outbox in outboxes:
                    if outbox in self._previews:
                        outbox.frame(data)
            if not self._previews:
                self._encoded.clear()

    async def _encoded_once(self, frame: Frame, options: PreviewOptions) -> bytes:
        """A newcomer gets its first frame at once: the one that others of its size were just sent."""
        before = self._encoded.get(options)
        if before is not None and before[0].pixels is frame.pixels:
            return before[1]
        bound = (options.width, options.height)
        data = await asyncio.get_running_loop().run_in_executor(
            self._pool, jpeg.packed, frame, bound, options.quality
        )
        self.encodings += 1
        sizes = {_rateless(o) for _, o in self._previews.values()}
        self._encoded = {o: e for o, e in self._encoded.items() if o in sizes} | {options: (frame, data)}
        return data


def _rateless(options: PreviewOptions) -> PreviewOptions:
    """What two clients share whose previews differ in rate alone."""
    return msgspec.structs.replace(options, fps=1.0)


async def _until(sooner: asyncio.Event, due_s: float | None) -> None:
    """Waits for a moment on the loop's clock, or until somebody changes what is waited for."""
    if due_s is None:
        await sooner.wait()
    else:
        try:
            async with asyncio.timeout_at(due_s):
                await sooner.wait()
        except TimeoutError:
            return
    sooner.clear()
