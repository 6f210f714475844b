"""Where frames come in: the pump of the source at work, which can be changed while the daemon runs."""

import asyncio
from collections.abc import Callable

import structlog

from ..capture.pump import Pump
from ..capture.source import Source
from ..core.clock import Clock
from ..core.errors import DeviceLostError
from ..core.frame import Frame
from ..core.loops import tell
from ..core.meter import Meter
from ..core.slot import Slot

log = structlog.get_logger(__name__)

READ_S = 5.0
"""A read of a silent camera takes up to three seconds to give up."""


class Intake:
    """Feeds the slot from one source at a time. All methods belong to the event loop."""

    def __init__(self, slot: Slot[Frame], clock: Clock, meter: Meter) -> None:
        self.on_lost: Callable[[DeviceLostError], None] = lambda _: None
        self.on_found: Callable[[], None] = lambda: None
        """Called in the event loop around the absence of the source at work."""
        self._slot = slot
        self._clock = clock
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._pump: Pump | None = None
        self._opening: set[Pump] = set()
        self._over = False
        self.source: Source | None = None
        """The source at work."""

    async def start(self, source: Source) -> None:
        """Opens a source and lets its frames in; the one before it, if any, goes on until that has worked.

        A source that cannot be opened while the old one holds the device is refused with BusyError: the old
        one stays. Raises what `Source.open` raises.
        """
        pump = self._made(source)
        self._opening.add(pump)
        try:
            if self._over or not await asyncio.to_thread(pump.start):
                return
        except asyncio.CancelledError:
            pump.abandon()
            raise
        finally:
            self._opening.discard(pump)
        old, self._pump, self.source = self._pump, pump, source
        if old is not None:
            await asyncio.to_thread(old.stop, READ_S)

    def abandon(self) -> None:
        """A source that is being opened is not waited for any longer; `start` returns without it."""
        for pump in self._opening:
            pump.abandon()

    async def stop(self) -> None:
        """Closes the source and ends the slot; nothing is opened any more, nor waited for. Raises what ended the
        source, if it was an error."""
        self._over = True
        self.abandon()
        try:
            if self._pump is not None:
                await asyncio.to_thread(self._pump.stop, READ_S)
        finally:
            self._slot.end()

    def _made(self, source: Source) -> Pump:
        def offer(frame: Frame) -> None:
            if self.source is source or self._pump is None:  # an old source's last frame is not let in
                self._slot.offer(frame)

        def end(_: BaseException | None) -> None:
            if self.source is source or self._pump is None:
                self._slot.end()

        def lost(error: DeviceLostError) -> None:
            tell(self._loop, self._lost, source, error)

        def found() -> None:
            tell(self._loop, self._found, source)

        return Pump(
            source, offer, self._clock, self._meter, reopen=True, on_end=end, on_lost=lost, on_found=found
        )  # fmt: skip

    def _lost(self, source: Source, error: DeviceLostError) -> None:
        if self.source is source:
            self.on_lost(error)

    def _found(self, source: Source) -> None:
        if self.source is source:
            self.on_found()
