"""One run of the daemon: opens everything outward, runs the live loop, closes in reverse."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog

from ..capture.source import Source
from ..capture.sources import make_source
from ..control.server import ControlServer
from ..core.clock import Clock, SystemClock
from ..core.errors import FaceswapdError
from ..core.events import Logged, State, Stats
from ..core.frame import Frame
from ..core.loops import tell
from ..core.meter import Meter
from ..core.settings import Settings
from ..core.slot import Slot
from ..inference.engines import Engines
from ..inference.pool import Pool
from ..processors.analysis import Analysis
from ..processors.chain import ChainBuilder
from ..processors.library import Library, face_finder
from ..processors.processor import Workshop
from ..processors.registry import registry
from ..sinks.fanout import Fanout
from ..sinks.orphans import Journal
from ..sinks.recorder import Recorder
from ..sinks.sink import Sink
from ..trust.disclosure import Disclosure
from ..trust.failclosed import Gate, Policy
from .desk import Desk
from .intake import Intake
from .lag import watch_lag
from .live import Live
from .logs import Relay
from .outputs import kind
from .places import Places
from .presets import Presets
from .recorders import Recorders
from .recording import Recordings
from .state import Problems, Rooms, StateBoard
from .threads import share_cores

log = structlog.get_logger(__name__)

DRAIN_S = 1.0
"""How long frames under way may take to their end after a stop."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is left of a run."""

    state: State
    stats: Stats
    first_frame_s: float | None
    """From the call of `run` to the first processed frame; None if there was none."""
    films: tuple[str, ...] = ()
    """What was written: the outputs that are films, then the last recording."""


@dataclass(slots=True)
class App:
    """One run. `run` is called once, in the event loop."""

    settings: Settings
    source: Source
    sinks: Sequence[Sink]
    library: Library
    version: str
    places: Places
    clock: Clock = field(default_factory=SystemClock)
    meter: Meter = field(default_factory=Meter)
    on_ready: Callable[[StateBoard], None] = lambda _: None
    """Called once, when the first processed frame has been handed out."""
    show_link: bool = False
    """Logs a one-time link to the web remote; it is a secret, so for a person's terminal only."""
    recorders: Recorders | None = None
    """What made those sinks that are films, so that all hear one microphone; None: one of its own."""
    relay: Relay | None = None
    """Where the log comes by, for clients that listen to it."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to end the run in order."""

    async def run(self) -> Ending:
        """Runs until the source ends, `stop` is set or `for_s` is over.

        Raises FaceswapdError for what the user can mend; everything that was opened is closed then.
        """
        try:
            async with AsyncExitStack() as house:
                return await self._run(house)
        except BaseExceptionGroup as group:
            raise _cause(group) from group

    async def _run(self, house: AsyncExitStack) -> Ending:
        started_ns = self.clock.now_ns()
        settings, loop = self.settings, asyncio.get_running_loop()

        # Outward: what shows something first, so that a camera application has a picture while models load.
        problems = Problems()
        fanout, recordings = await self._outputs(house, problems)
        engines, pool = self._engines(house, problems)
        analysis = Analysis(engines, settings.analysis, engines.plan)
        budget_ns = round(engines.plan.workers * 1e9 / settings.fps)
        known = registry(Workshop(engines, self.library, live=True, budget_ns=budget_ns, analysis=analysis))
        builder = ChainBuilder(known)
        self.library.has_face = face_finder(analysis.tracker)
        async with asyncio.TaskGroup() as loading:
            chain = loading.create_task(asyncio.to_thread(builder.build, settings.processors))
            tracker = loading.create_task(asyncio.to_thread(analysis.tracker, settings.hold_s))

        slot: Slot[Frame] = Slot(loop, lambda _: self.meter.count("dropped", "stale"))
        live = Live(
            settings, slot, tracker.result(), pool, fanout, self.meter, self.clock, chain.result(),
            Gate(Policy(settings.on_no_face, round(settings.hold_s * 1e9))), Disclosure(settings.badge),
        )  # fmt: skip
        del chain  # or its models would be held for as long as the run lasts
        intake = Intake(slot, self.clock, self.meter)
        rooms = Rooms(
            builder, known, self.library, live, fanout,
            lambda: {**engines.serving(), **analysis.serving()}, self.meter, self.clock,
            Presets(self.places.presets), problems,
        )  # fmt: skip
        board = Desk(
            settings, self.version, rooms, intake, lambda path: make_source(path, settings.size, settings.fps)
        )
        board.recordings = recordings
        board.set_outputs(tuple((sink.name, kind(sink)) for sink in self.sinks))
        live.on_showing = board.showing
        intake.on_lost, intake.on_found = board.source_lost, board.source_found

        server = await self._control(house, board)
        await self._open(intake)
        board.set_source(self.source.name)

        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(watch_lag(self.meter, self.clock), name="lag"),
                tasks.create_task(self._first(live, board, engines), name="first"),
                tasks.create_task(recordings.recover(), name="recover"),
            ]
            if server is not None:
                helpers.append(tasks.create_task(server.wait(), name="control"))
            running = tasks.create_task(live.run(), name="live")
            stopping = tasks.create_task(self.stop.wait(), name="stop")
            try:
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                board.set_phase("stopping")
            finally:
                stopping.cancel()
                try:
                    await intake.stop()  # raises what ended the source, if it was an error
                finally:
                    await asyncio.wait({running}, timeout=DRAIN_S)
                    for task in (running, *helpers):
                        task.cancel()
        first_s = None if live.first_ns is None else (live.first_ns - started_ns) / 1e9
        films = [film for sink in self.sinks if isinstance(sink, Recorder) for film in sink.progress.films]
        return Ending(board.state(), board.stats(), first_s, (*films, *recordings.record_status().films))

    async def _open(self, intake: Intake) -> None:
        """Opens the source, until it is open or the run is stopped: a desktop's dialog may stand for minutes."""
        opening = asyncio.create_task(intake.start(self.source))
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not opening.done():
            intake.abandon()
        await opening

    async def _outputs(self, house: AsyncExitStack, problems: Problems) -> tuple[Fanout, Recordings]:
        """Opens the sinks, which show the placeholder from now on, and begins what is to be recorded."""

        def failed(sink: Sink, error: Exception) -> None:
            if not recordings.failed(sink, error):
                problems.say(sink.name, str(error))

        fanout = Fanout(
            self.sinks, self.settings.size, self.settings.fps, self.clock, self.meter,
            on_failure=failed, on_recovery=lambda sink: problems.say(sink.name, ""),
        )  # fmt: skip
        recorders = self.recorders or Recorders(self.settings, self.clock, Journal(self.places.recordings))
        recordings = Recordings(
            self.settings, fanout, recorders, problem=lambda text: problems.say("record", text)
        )
        self._hear_films(problems)
        await fanout.start()
        house.push_async_callback(fanout.close)
        house.push_async_callback(recordings.close)
        await recordings.start_replay()
        if self.settings.record.path is not None:
            await recordings.start_recording(self.settings.record.path)
        return fanout, recordings

    def _hear_films(self, problems: Problems) -> None:
        """What a user should know of the films among the outputs is a problem of the run."""
        loop = asyncio.get_running_loop()
        for sink in self.sinks:
            if isinstance(sink, Recorder):

                def notice(text: str, name: str = sink.name) -> None:  # in the film's thread
                    tell(loop, problems.say, name, text)

                sink.on_notice = notice

    def _engines(self, house: AsyncExitStack, problems: Problems) -> tuple[Engines, Pool]:
        """The engines and the pool that their provider bears; nothing is loaded yet."""
        loop = asyncio.get_running_loop()

        def changed() -> None:  # on any thread
            tell(loop, lambda: problems.say("engines", *engines.problems))

        engines = Engines(self.settings.inference, cache=self.places.cache / "engines.json", changed=changed)
        share_cores(engines.plan)
        pool = Pool("infer", engines.plan.workers)

        async def release() -> None:
            idle = await pool.drain(DRAIN_S)
            pool.close()
            if idle:
                engines.close()
            else:  # no model is released under a run: the end of the process will do it
                log.warning("infer.stuck", after_s=DRAIN_S)

        house.push_async_callback(release)
        return engines, pool

    async def _control(self, house: AsyncExitStack, board: Desk) -> ControlServer | None:
        """The control channel, listening; None if the settings want none."""
        if not self.settings.control.enabled:
            return None
        server = ControlServer(board, self.settings.control, self.places.runtime)
        await server.start()
        house.push_async_callback(server.close)
        board.tell = server.publish
        if self.show_link:
            log.info("control.remote", link=server.pairing_url())
        if self.relay is not None:
            loop = asyncio.get_running_loop()

            def relay(entry: Logged) -> None:  # on any thread
                tell(loop, server.publish, entry)

            self.relay.listener = relay
        return server

    async def _first(self, live: Live, board: StateBoard, engines: Engines) -> None:
        """What waits for the first processed frame: the clock of `for_s`, and the timing of the engines."""
        await live.first.wait()
        board.set_phase("live")
        self.on_ready(board)
        engines.tune()
        if self.settings.for_s is not None:
            await asyncio.sleep(self.settings.for_s)
            self.stop.set()


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group, or the first if the user can mend them all; else the group itself."""
    leaves: list[BaseException] = []
    stack: list[BaseException] = [group]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            leaves.append(error)
    if len(leaves) == 1 or all(isinstance(leaf, FaceswapdError) for leaf in leaves):
        return leaves[0]
    return group
