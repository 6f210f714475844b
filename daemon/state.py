"""The one writer of the daemon's state, and what the control channel may do to it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from ..core.abilities import OutputInfo, Pausing, Recording, RecordStatus, Replaying
from ..core.clock import Clock
from ..core.errors import FaceswapdError, UsageError
from ..core.events import (
    ApplyPreset,
    Command,
    Event,
    FaceInfo,
    Phase,
    ProcessorInfo,
    ProcessorState,
    Reorder,
    SetFace,
    SetFreeze,
    SetPrivacy,
    SetProcessor,
    State,
    StateChanged,
    Stats,
)
from ..core.frame import Frame, Pixels
from ..core.meter import Meter, Quantiles
from ..core.settings import OnNoFace, Settings
from ..processors.chain import Chain, ChainBuilder
from ..processors.library import Library
from ..processors.registry import Registry
from ..sinks.placeholder import Reason, placeholder
from ..trust.failclosed import Showing
from .presets import Presets

log = structlog.get_logger(__name__)


class Loop(Protocol):
    """The part of `live.Live` that commands act on."""

    chain: Chain
    badge: bool
    on_no_face: OnNoFace
    last: Pixels | None
    shown: Frame | None


class Override(Protocol):
    """The part of `sinks.fanout.Fanout` that stands above the loop."""

    def override(self, pixels: Pixels | None) -> None:
        """Shows one picture at once, before any queue; None ends it."""


class Problems:
    """What is wrong now, a line for each part that has a problem. In the event loop only."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called after everything that was said."""
        self._texts: dict[str, tuple[str, ...]] = {}

    def say(self, topic: str, *texts: str) -> None:
        """What is wrong with a part (a sink's name, "source", "engines"); an empty text, or none: all is well again."""
        if said := tuple(text for text in texts if text):
            self._texts[topic] = said
        else:
            self._texts.pop(topic, None)
        self.on_change()

    def of(self, topic: str) -> str:
        """What is wrong with one part; empty if nothing is."""
        return "; ".join(self._texts.get(topic, ()))

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, the oldest first."""
        return tuple(text for texts in self._texts.values() for text in texts)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the board speaks for."""

    builder: ChainBuilder
    registry: Registry
    library: Library
    live: Loop
    override: Override
    engines: Callable[[], dict[str, str]]
    meter: Meter
    clock: Clock
    presets: Presets
    problems: Problems


class Recorder(Recording, Pausing, Replaying, Protocol):
    """`recording.Recordings`."""


class StateBoard:
    """Implements `core.events.Commands`. All methods run in the event loop."""

    def __init__(self, settings: Settings, version: str, rooms: Rooms) -> None:
        self.tell: Callable[[Event], None] = lambda _: None
        """Given every event, in the event loop."""
        self.recordings: Recorder | None = None
        """What records; None: nothing can be recorded."""
        self._settings = settings
        self._builder, self._registry, self._library = rooms.builder, rooms.registry, rooms.library
        self._live, self._override, self._engines = rooms.live, rooms.override, rooms.engines
        self._meter, self._clock, self._presets = rooms.meter, rooms.clock, rooms.presets
        self._started_ns = rooms.clock.now_ns()
        self._changing = asyncio.Lock()
        self._problems = rooms.problems
        self._problems.on_change = self._problems_changed
        self._frozen: Pixels | None = None
        self._covered: Pixels | None = None
        self._outputs: tuple[tuple[str, str], ...] = ()
        self._state = State(
            rev=0,
            phase="starting",
            source=settings.source,
            outputs=settings.outputs,
            size=settings.size,
            fps=settings.fps,
            processors=rooms.live.chain.states,
            face=rooms.live.chain.face,
            on_no_face=settings.on_no_face,
            showing=Showing.PLACEHOLDER.value,
            engine=rooms.engines(),
            version=version,
        )

    def state(self) -> State:
        """The state now; which engine serves a model is looked up at every call."""
        showing = self._state.showing
        if self._covered is not None:
            showing = "freeze" if self._covered is self._frozen else "placeholder"
        return msgspec.structs.replace(self._state, engine=self._engines(), showing=showing)

    def stats(self) -> Stats:
        """The numbers now."""
        stages = self._meter.quantiles()
        faces = self._meter.counted("face_frames")
        return Stats(
            frames=self._meter.frames,
            fps=round(self._meter.fps, 2),
            latency_ms=self._meter.latency(self._clock.now_ns()),
            latency_run_ms=stages.pop("latency", Quantiles()),
            loop_lag_ms=stages.pop("loop_lag", Quantiles()),
            stages_ms=stages,
            dropped=self._meter.counted("dropped"),
            face_share=round(faces.get("processed", 0) / faces["seen"], 4) if faces.get("seen") else 1.0,
            face_frames=faces.get("seen", 0),
            uptime_s=round((self._clock.now_ns() - self._started_ns) / 1e9, 1),
        )

    def processors(self) -> tuple[ProcessorInfo, ...]:
        """All processors that exist."""
        return self._registry.infos()

    def faces(self) -> tuple[FaceInfo, ...]:
        """All faces that can be worn."""
        return self._library.list()

    def shown(self) -> Frame | None:
        """The last picture that the sinks were given, whatever stands above the loop included."""
        if self._covered is not None:
            return Frame(-1, self._clock.now_ns(), self._covered)
        return self._live.shown

    def outputs(self) -> tuple[OutputInfo, ...]:
        """The outputs of this run, with what is wrong with each."""
        return tuple(
            OutputInfo(name, kind, self._settings.fps, self._problems.of(name))
            for name, kind in self._outputs
        )

    def record_status(self) -> RecordStatus:
        """Whether what is shown is being recorded."""
        return self.recordings.record_status() if self.recordings else RecordStatus(recording=False)

    async def start_recording(self, path: str) -> RecordStatus:
        """Begins a recording; raises as `Recordings.start_recording`."""
        return await self._recordings().start_recording(path)

    async def stop_recording(self) -> RecordStatus:
        """Ends the recording; raises UsageError when there is none."""
        return await self._recordings().stop_recording()

    async def pause_recording(self, paused: bool) -> RecordStatus:
        """Begins or ends a pause of the recording; raises UsageError when there is none."""
        return await self._recordings().pause_recording(paused)

    async def save_last(self, path: str) -> RecordStatus:
        """Saves the last moments of what was shown; raises UsageError when they are not kept."""
        return await self._recordings().save_last(path)

    def _recordings(self) -> Recorder:
        if self.recordings is None:
            raise UsageError("nothing can be recorded here", "start the daemon with `faceswapd run`")
        return self.recordings

    async def execute(self, commands: tuple[Command, ...]) -> State:
        """Applies all of them at one frame boundary, or none.

        What takes long (reading a photo, loading a model) happens in a thread while the old chain runs on;
        privacy and freezing alone wait for none of it.
        """
        if all(isinstance(command, SetPrivacy | SetFreeze) for command in commands):
            return self._apply(commands)
        async with self._changing:
            chain, policy = self._live.chain, (self._live.on_no_face, self._live.badge)
            for command in commands:
                match command:
                    case ApplyPreset(name=name):
                        preset = await asyncio.to_thread(self._presets.load, name)
                        chain = await asyncio.to_thread(self._builder.replaced, chain, preset.processors)
                        policy = preset.on_no_face, preset.badge
                    case SetProcessor() | SetFace() | Reorder():
                        chain = await self._changed(chain, command)
            # From here to the end nothing is awaited: the next frame sees all of it.
            self._live.chain = chain
            self._live.on_no_face, self._live.badge = policy
            return self._apply(commands)

    async def _changed(self, chain: Chain, command: SetProcessor | SetFace | Reorder) -> Chain:
        known = {step.name for step in chain.steps}
        if isinstance(command, SetProcessor) and not command.params and command.name in known:
            return self._builder.changed(chain, (command,))  # a switch prepares nothing: no thread is needed
        return await asyncio.to_thread(self._builder.changed, chain, (command,))

    def _apply(self, commands: tuple[Command, ...]) -> State:
        privacy, frozen = self._state.privacy, self._state.frozen
        for command in commands:
            match command:
                case SetPrivacy(on=on):
                    privacy = on
                case SetFreeze(on=on):
                    frozen = on
        self._cover(privacy, frozen)
        chain, on_no_face = self._live.chain, self._live.on_no_face
        self._write(
            processors=chain.states, face=chain.face, on_no_face=on_no_face, privacy=privacy, frozen=frozen
        )
        return self.state()

    def preset_now(self) -> tuple[tuple[ProcessorState, ...], OnNoFace, bool]:
        """What a preset holds, as it is set now: the chain, `on_no_face`, the badge."""
        return self._live.chain.states, self._live.on_no_face, self._live.badge

    def set_phase(self, phase: Phase) -> None:
        """Where the daemon is in its life."""
        if phase != self._state.phase:
            self._write(phase=phase)

    def set_source(self, name: str) -> None:
        """What the frames come from, once that is known."""
        self._write(source=name)

    def set_outputs(self, outputs: tuple[tuple[str, str], ...]) -> None:
        """Where frames go, once that is known: (name, kind) of each."""
        self._outputs = outputs
        self._write(outputs=tuple(name for name, _ in outputs))

    def showing(self, showing: Showing, error: FaceswapdError | None) -> None:
        """What the live loop shows, told when it changes."""
        self._write(showing=showing.value)
        self._problems.say("frame", str(error) if error else "")

    def source_lost(self, error: FaceswapdError) -> None:
        """The camera is gone: the output goes on with the placeholder."""
        self._write(phase="degraded")
        self._problems.say("source", str(error))
        self._cover(self._state.privacy, self._state.frozen)

    def source_found(self) -> None:
        """The camera is back."""
        self._write(phase="live")
        self._problems.say("source", "")
        self._cover(self._state.privacy, self._state.frozen)

    def _problems_changed(self) -> None:
        # Whoever says something may have changed an engine too: one look at both.
        self._write(problems=self._problems.texts, engine=self._engines())

    def _cover(self, privacy: bool, frozen: bool) -> None:
        """What stands above the loop: privacy first, then the loss of the source, then freezing."""
        size = self._settings.size
        if frozen and not self._state.frozen:
            last = self._live.last
            self._frozen = placeholder(size, Reason.PAUSED) if last is None else last
        if privacy:
            self._covered = placeholder(size, Reason.PAUSED)
        elif self._problems.of("source"):
            self._covered = placeholder(size, Reason.LOST)
        else:
            self._covered = self._frozen if frozen else None
        self._override.override(self._covered)

    def _write(self, **changes: object) -> None:
        """The only place where the state changes."""
        state = msgspec.structs.replace(self._state, **changes)
        if state == self._state:
            return
        self._state = msgspec.structs.replace(state, rev=self._state.rev + 1)
        self.tell(StateChanged(self.state()))
