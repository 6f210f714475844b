"""The live loop: frames from a slot, tracked in order, rendered side by side, handed out in order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from ..core.clock import Clock
from ..core.errors import FaceswapdError
from ..core.frame import Frame, Pixels
from ..core.meter import Meter
from ..core.pixels import fit
from ..core.settings import OnNoFace, Settings
from ..faces.face import Sighting
from ..inference.pool import Pool
from ..processors.chain import Chain
from ..sinks.placeholder import Reason, placeholder
from ..trust.disclosure import Disclosure
from ..trust.failclosed import Evidence, Gate, Showing

log = structlog.get_logger(__name__)

UNSEEN = Sighting((), detected=False)


class Frames(Protocol):
    """Where the loop takes frames from: `core.slot.Slot` live, frames in memory in a benchmark."""

    async def take(self) -> Frame | None:
        """The next frame; None at the end."""


class Tracker(Protocol):
    """`processors.track_faces.FaceTracker`."""

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        """The faces of a frame; called for one frame at a time, in order."""


class Publisher(Protocol):
    """`sinks.fanout.Fanout`."""

    def publish(self, frame: Frame) -> None:
        """Hands a frame to every sink without waiting."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """What became of one frame in the pool."""

    frame: Frame
    evidence: Evidence
    error: FaceswapdError | None = None


class Live:
    """The path of a frame from its arrival to the sinks. Everything but `_see` and `_render` runs in the loop."""

    def __init__(
        self,
        settings: Settings,
        frames: Frames,
        tracker: Tracker,
        pool: Pool,
        publisher: Publisher,
        meter: Meter,
        clock: Clock,
        chain: Chain,
        gate: Gate,
        disclosure: Disclosure,
    ) -> None:
        self.on_showing: Callable[[Showing, FaceswapdError | None], None] = lambda _showing, _error: None
        """Told when what is shown changes."""
        self.chain = chain
        """Replaced as a whole; read once for each frame, so a change takes effect on a whole frame."""
        self.last: Pixels | None = None
        """The last picture that was handed out live: for freezing and snapshots."""
        self.shown: Frame | None = None
        """The last frame that was handed out, whatever it shows."""
        self.first_ns: int | None = None
        """When the first frame was handed out, whatever was shown in its place."""
        self.first = asyncio.Event()
        self._settings = settings
        self._frames = frames
        self._tracker = tracker
        self._pool = pool
        self._publisher = publisher
        self._meter = meter
        self._clock = clock
        self._gate = gate
        self._disclosure = disclosure
        self._said: tuple[Showing, str] | None = None
        # One frame in tracking, one for every worker in rendering: what else arrives waits in the slot,
        # where a newer one replaces it.
        self._room = asyncio.Semaphore(pool.workers + 1)
        self._pending: asyncio.Queue[asyncio.Future[Rendered] | None] = asyncio.Queue()

    @property
    def badge(self) -> bool:
        """Swapped frames carry the mark."""
        return self._disclosure.on

    @badge.setter
    def badge(self, on: bool) -> None:
        self._disclosure.on = on

    @property
    def on_no_face(self) -> OnNoFace:
        """What is shown without a face."""
        return self._gate.policy.on_no_face

    @on_no_face.setter
    def on_no_face(self, what: OnNoFace) -> None:
        self._gate.policy = replace(self._gate.policy, on_no_face=what)

    async def run(self) -> None:
        """Runs until the frames end. Admitting and handing out are two tasks: else a finished frame
        would wait for the next arrival."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._admit(), name="live.admit")
            tasks.create_task(self._emit(), name="live.emit")

    async def _admit(self) -> None:
        while True:
            await self._room.acquire()
            arrived = await self._frames.take()
            if arrived is None:
                self._pending.put_nowait(None)
                return
            chain = self.chain  # the toggle boundary
            frame, sighting, error = await self._pool.run(self._see, arrived, chain)
            self._pending.put_nowait(
                asyncio.ensure_future(self._pool.run(self._render, frame, chain, sighting, error))
            )

    async def _emit(self) -> None:
        while (task := await self._pending.get()) is not None:
            rendered = await task
            self._room.release()
            self._hand_out(rendered)

    def _see(self, frame: Frame, chain: Chain) -> tuple[Frame, Sighting, FaceswapdError | None]:
        """First hop, one frame at a time: the output's size, then the faces."""
        frame = frame.marked("wait", self._clock.now_ns())
        frame = frame.showing(fit(frame.pixels, self._settings.size, self._settings.fit))
        frame = frame.marked("fit", self._clock.now_ns())
        if not chain.tracks:
            return frame, UNSEEN, None
        try:
            sighting = self._tracker.track(frame, chain.detect_every_frame)
        except FaceswapdError as error:
            return frame, UNSEEN, error
        return frame.marked("track", self._clock.now_ns()), sighting, None

    def _render(
        self, frame: Frame, chain: Chain, sighting: Sighting, error: FaceswapdError | None
    ) -> Rendered:
        """Second hop, several frames side by side: the processors, then the badge, with no way around it."""
        failed = Evidence(chain.hides, chain.detect_every_frame, sighting, failed=True, rev=chain.rev)
        if error is not None:
            return Rendered(frame, failed, error)
        frame = frame.marked("queue", self._clock.now_ns())
        try:
            picture = chain.render(frame.pixels, sighting)
            frame = frame.marked("render", self._clock.now_ns())
            self._disclosure.apply(picture.pixels, picture.effect)
        except FaceswapdError as failure:
            return Rendered(frame, failed, failure)
        frame = frame.showing(picture.pixels).marked("disclose", self._clock.now_ns())
        return Rendered(
            frame,
            Evidence(
                chain.hides,
                chain.detect_every_frame,
                sighting,
                picture.treated,
                picture.spared,
                rev=chain.rev,
            ),
        )

    def _hand_out(self, rendered: Rendered) -> None:
        """In the loop, oldest frame first: what is shown in this frame's place goes to the sinks."""
        frame, evidence = rendered.frame, rendered.evidence
        showing = self._gate.judge(evidence, frame.captured_ns)
        self._account(evidence, showing)
        if showing is Showing.LIVE:
            self.last = frame.pixels
        elif showing is Showing.FREEZE and self.last is not None:
            frame = frame.showing(self.last)
        else:
            frame = frame.showing(placeholder(self._settings.size, self._reason(rendered)))
        self.shown = frame.marked("order", self._clock.now_ns())
        self._publisher.publish(self.shown)
        if self.first_ns is None:
            self.first_ns = self._clock.now_ns()
            self.first.set()
        said = (showing, str(rendered.error or ""))
        if said != self._said:  # the state changes rarely, frames come all the time
            self._said = said
            if rendered.error is not None:
                log.error("frame.failed", error=said[1], exc_info=rendered.error.__cause__)
            self.on_showing(showing, rendered.error)

    def _account(self, evidence: Evidence, showing: Showing) -> None:
        """Counts what `face_share` is made of: frames with a face, and those whose faces were all processed."""
        if not evidence.hides or not evidence.sees(self._gate.policy.hold_ns):
            return
        self._meter.count("face_frames", "seen")
        if showing is Showing.LIVE and evidence.treated:
            self._meter.count("face_frames", "processed")

    @staticmethod
    def _reason(rendered: Rendered) -> Reason:
        return Reason.ERROR if rendered.error is not None else Reason.NO_FACE
