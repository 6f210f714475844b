"""Every frame to every sink, each at its own pace."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from ..core.clock import Clock
from ..core.frame import Frame, Pixels
from ..core.loops import tell
from ..core.meter import Meter
from ..core.settings import Size
from .feed import Feed
from .placeholder import Reason, placeholder
from .sink import Sink, WhenFull

log = structlog.get_logger(__name__)


class Fanout:
    """The sinks of a run, one thread each. All methods belong to one event loop.

    The first sink that keeps only the newest frame is the primary one, or the first if none does (frames
    wait for a film): the moment its `put` is called ends a frame's latency (mark "handed"). Frames with a
    negative `seq` are the house's own (placeholders) and are not measured.
    The meter also gets: `sink:NAME` (duration of each put), `dropped{superseded}` (the primary sink had no
    time for a frame before the next one came), `dropped{recorder_full}`, and for a steady sink
    `repeated{NAME}` and `late_ticks{NAME}`.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        size: Size,
        fps: float,
        clock: Clock,
        meter: Meter,
        *,
        on_failure: Callable[[Sink, Exception], None] = lambda _sink, _error: None,
        on_recovery: Callable[[Sink], None] = lambda _sink: None,
    ) -> None:
        """`on_failure` is called in the event loop when a sink fails while running.

        A steady sink that failed with an error of ours is opened again until it works, then `on_recovery`
        is called; any other is out.
        """
        self._sinks = tuple(sinks)
        self._size = size
        self._fps = fps
        self._clock = clock
        self._meter = meter
        self._on_failure, self._on_recovery = on_failure, on_recovery
        self._feeds: list[Feed] = []
        self._leaving: list[Feed] = []  # out, but perhaps not closed yet
        self._room = asyncio.Event()
        self._instead: Pixels | None = None
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """The sinks that are fed, in their order."""
        return tuple(feed.sink for feed in self._feeds)

    async def start(self) -> None:
        """Opens all sinks, or none: raises the first error in their order after closing the others."""
        self._loop = asyncio.get_running_loop()
        feeds = self._feeds = [self._feed(sink) for sink in self._sinks]
        self._elect()
        for feed in feeds:
            feed.start()
        try:
            opened = [asyncio.wrap_future(feed.opened) for feed in feeds]
            for result in await asyncio.gather(*opened, return_exceptions=True):
                if result is not None:
                    raise result
        except BaseException:
            self._feeds, self._leaving = [], feeds
            with suppress(Exception):  # the first error is the one that matters
                await self.close()
            raise

    def publish(self, frame: Frame) -> None:
        """Hands a frame to all sinks at once, without waiting; its size is the outputs'.

        Raises ValueError for a frame of another size, or if a sink wants to be waited for (`deliver`).
        """
        self._check(frame)
        for feed in self._feeds:
            if feed.sink.when_full is WhenFull.WAIT:
                raise ValueError(f"{feed.sink.name} waits for nothing to be lost: use deliver()")
            feed.offer(frame)

    async def deliver(self, frame: Frame) -> None:
        """Hands a frame to all sinks; waits for those that must get every one.

        Raises the error of a sink that has failed, since what it wrote is no longer whole.
        """
        self._check(frame)
        for feed in tuple(self._feeds):
            while not feed.offer(frame):
                self._room.clear()
                if feed.offer(frame):
                    break
                await self._room.wait()
                if feed not in self._feeds:
                    break
        if self._error is not None:
            raise self._error

    def override(self, pixels: Pixels | None) -> None:
        """Shows this picture in the place of everything, also of frames that already wait; None ends it.

        A steady sink shows it at its next tick. Afterwards sinks keep it until a frame comes.
        """
        self._instead = pixels
        for feed in self._feeds:
            feed.show(pixels)
            if pixels is not None and not feed.sink.steady:
                feed.offer(Frame(-1, self._clock.now_ns(), pixels))

    async def add(self, sink: Sink) -> None:
        """Opens one more sink after `start`, while the others run; raises what its `open` raises."""
        feed = self._feed(sink)
        feed.show(self._instead)
        self._feeds.append(feed)
        self._elect()
        feed.start()
        try:
            await asyncio.wrap_future(feed.opened)
        except BaseException:
            feed.stop()
            self._drop(feed)
            if not feed.opened.done():  # whoever waits here was cancelled
                self._leaving.append(feed)
            raise

    async def remove(self, sink: Sink, deadline_s: float = 3.0, finish_s: float = 30.0) -> None:
        """Writes what waits for a sink and closes it; raises what its `close` raises.

        Nothing happens if the sink is not there (any more). The limits are those of `close`.
        """
        feeds = [feed for feed in self._feeds if feed.sink is sink]
        self._feeds = [feed for feed in self._feeds if feed.sink is not sink]
        self._leaving += feeds
        self._elect()
        await self._end(feeds, deadline_s, finish_s)

    async def close(self, deadline_s: float = 3.0, finish_s: float = 30.0) -> None:
        """Writes what waits, closes all sinks side by side, and raises the first error that this met.

        A device that is not done after `deadline_s`, or a file after `finish_s`, is left to its thread, and
        named in the log.
        """
        feeds = [*self._feeds, *self._leaving]
        self._feeds, self._leaving = [], feeds
        await self._end(feeds, deadline_s, finish_s)

    def _feed(self, sink: Sink) -> Feed:
        blank = Frame(-1, self._clock.now_ns(), placeholder(self._size, Reason.STARTING))

        def failed(error: Exception) -> None:
            self._call(lambda: self._failed(feed, error))

        def recovered() -> None:
            self._call(lambda: self._on_recovery(sink))

        def room() -> None:
            if sink.when_full is WhenFull.WAIT:
                self._call(self._room.set)

        fps, clock, meter = self._fps, self._clock, self._meter
        feed = Feed(sink, blank, fps, clock, meter, failed=failed, recovered=recovered, room=room)
        return feed

    def _call(self, action: Callable[[], None]) -> None:
        assert self._loop is not None, "sinks are fed after start()"
        if not tell(self._loop, action):
            log.debug("sink.unheard")

    def _failed(self, feed: Feed, error: Exception) -> None:
        if not feed.reopens(error):
            self._drop(feed)
            self._leaving.append(feed)
            if feed.sink.when_full is WhenFull.WAIT:
                self._error = self._error or error
                self._room.set()
        self._on_failure(feed.sink, error)

    def _drop(self, feed: Feed) -> None:
        self._feeds = [other for other in self._feeds if other is not feed]
        self._elect()

    def _elect(self) -> None:
        live = [feed for feed in self._feeds if feed.sink.when_full is WhenFull.NEWEST]
        first = next(iter(live or self._feeds), None)
        for feed in self._feeds:
            feed.primary = feed is first

    def _check(self, frame: Frame) -> None:
        if frame.size != self._size:
            raise ValueError(f"a frame of {frame.size} for outputs of {self._size}")

    async def _end(self, feeds: Sequence[Feed], deadline_s: float, finish_s: float) -> None:
        for feed in feeds:
            feed.stop()

        async def ended(feed: Feed) -> None:
            limit_s = deadline_s if feed.sink.when_full is WhenFull.NEWEST else finish_s
            try:
                await asyncio.wait_for(asyncio.wrap_future(feed.closed), limit_s)
            except TimeoutError:
                log.warning("sink.stuck", sink=feed.sink.name, after_s=limit_s)

        errors = await asyncio.gather(*map(ended, feeds), return_exceptions=True)
        # Whoever waits here may be cancelled: `close` waits again for what is still under way then.
        self._leaving = [feed for feed in self._leaving if feed not in feeds]
        for error in errors:
            if error is not None:
                raise error
