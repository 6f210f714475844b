"""The chain: which processors work on a frame, in which order, as one immutable value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from ..core.errors import InferenceError, UsageError
from ..core.events import ProcessorState, Reorder, SetFace, SetProcessor
from ..core.frame import Pixels
from ..core.params import Params, changed
from ..core.pixels import writable
from ..core.settings import ProcessorSettings
from ..faces.face import Sighting
from .processor import CarryingRender, Checking, Picture, Processor, Render, render_many
from .registry import Registry
from .wearer import UnwearableError

log = structlog.get_logger(__name__)

FACE = "face"
"""The parameter that names a face of the library, in every processor that wears one."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One processor in its place, ready to work even while it is off: a toggle costs nothing."""

    name: str
    enabled: bool
    params: Params
    render: Render
    needs_faces: bool
    hides_face: bool
    every_face: bool


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Processors in order. A change makes a new chain; a frame that has begun with one ends with it."""

    steps: tuple[Step, ...] = ()
    rev: int = 0
    """Grows by one with every change."""

    @property
    def enabled(self) -> tuple[Step, ...]:
        """The steps that are on."""
        return tuple(step for step in self.steps if step.enabled)

    @property
    def tracks(self) -> bool:
        """Faces have to be found: a step that is on needs them."""
        return any(step.needs_faces for step in self.enabled)

    @property
    def hides(self) -> bool:
        """A step that hides faces is on: whatever it could not treat is not shown (`trust.failclosed`)."""
        return any(step.hides_face for step in self.enabled)

    @property
    def detect_every_frame(self) -> bool:
        """A step that is on treats whoever is there: newcomers must not wait for the next detection."""
        return any(step.every_face for step in self.enabled)

    @property
    def face(self) -> str:
        """The name of the face that is worn, or would be if its step were on; empty if no step wears one."""
        wearing = [s for s in self.steps if _wears(s.params)]
        names = [getattr(s.params, FACE) for s in wearing if s.enabled] or [
            getattr(s.params, FACE) for s in wearing
        ]
        return str(names[0]) if names else ""

    @property
    def states(self) -> tuple[ProcessorState, ...]:
        """The chain as the state document tells it."""
        return tuple(
            ProcessorState(s.name, s.enabled, dict(msgspec.structs.asdict(s.params))) for s in self.steps
        )

    def render(self, pixels: Pixels, sighting: Sighting) -> Picture:
        """Sends one frame through all steps that are on. `pixels` is only read; safe in several threads at once.

        With no step on, the result's pixels are the frame's own and must not be drawn into.
        Raises InferenceError that names the step whatever the step raised: the frame must not be shown.
        """
        return self.render_many([(pixels, sighting)])[0]

    def render_many(self, frames: Sequence[tuple[Pixels, Sighting]]) -> list[Picture]:
        """Sends several frames through the steps together: offline, where a model runs once for all their faces.

        Each comes out as `render` gives it. Raises as `render` does; then none of these frames may be shown.
        """
        steps = self.enabled
        pictures = [Picture(writable(p) if steps else p, s.faces, original=p) for p, s in frames]
        spared: list[frozenset[int] | None] = [None] * len(pictures)
        for step in steps:
            try:
                pictures = render_many(step.render, [replace(p, spared=frozenset()) for p in pictures])
            except Exception as error:
                raise InferenceError(f"processor {step.name} failed on a frame", str(error)) from error
            if step.hides_face:
                spared = [
                    picture.spared if before is None else before & picture.spared
                    for picture, before in zip(pictures, spared, strict=True)
                ]
        return [replace(p, spared=s or frozenset()) for p, s in zip(pictures, spared, strict=True)]


class ChainBuilder:
    """Makes chains. Blocks, for a processor may load a model: not to be called in the event loop."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def check(self, settings: Iterable[ProcessorSettings]) -> None:
        """Raises what `build` would, as far as it can be known without loading a model or working on a photo."""
        names = set[str]()
        for place in settings:
            if place.name in names:
                raise _twice(place.name)
            names.add(place.name)
            processor = self._registry[place.name]
            params = _params(processor, processor.params_type(), place.params)
            if isinstance(processor, Checking):
                processor.check(params)

    def build(self, settings: Iterable[ProcessorSettings]) -> Chain:
        """The chain of a run. Every step is prepared, also those that are off.

        Raises UsageError for a processor or parameter that does not exist or stands there twice, and whatever
        a processor raises that cannot get ready.
        """
        return replace(self.replaced(Chain(), settings), rev=0)

    def changed(self, chain: Chain, commands: Iterable[SetProcessor | SetFace | Reorder]) -> Chain:
        """The chain after all of `commands`, in order; the old one stays as it is, also if one of them fails.

        A processor that is not in the chain yet comes to its natural place in it, off unless the command says on.
        A step whose parameters stay equal keeps its render, or, if that carries, begins anew. Raises as `build` does.
        """
        steps = {step.name: step for step in chain.steps}
        for command in commands:
            match command:
                case SetProcessor():
                    steps = self._set(steps, command)
                case SetFace():
                    steps = self._wear(steps, command.name)
                case Reorder():
                    steps = _reordered(steps, command.names)
        return Chain(tuple(_anew(step) for step in steps.values()), chain.rev + 1)

    def replaced(self, chain: Chain, settings: Iterable[ProcessorSettings]) -> Chain:
        """The chain that `settings` say in the place of `chain`; steps with equal parameters keep their render.

        Raises as `build` does, with `chain` as it was.
        """
        old = {step.name: step for step in chain.steps}
        steps: dict[str, Step] = {}
        for place in settings:
            if place.name in steps:
                raise _twice(place.name)
            processor = self._registry[place.name]
            full = {**msgspec.structs.asdict(processor.params_type()), **place.params}
            steps[place.name] = self._step(processor, place.enabled, full, old.get(place.name))
        return Chain(tuple(_anew(step) for step in steps.values()), chain.rev + 1)

    def _set(self, steps: dict[str, Step], command: SetProcessor) -> dict[str, Step]:
        if command.toggle and command.enabled is not None:
            raise UsageError(f"processor {command.name}: both toggled and set", "say one of them")
        processor = self._registry[command.name]
        old = steps.get(command.name)
        enabled = old is not None and old.enabled
        if command.toggle:
            enabled = not enabled
        elif command.enabled is not None:
            enabled = command.enabled
        step = self._step(processor, enabled, command.params, old)
        if old is not None:
            return {**steps, command.name: step}
        after = self._registry.names[self._registry.names.index(command.name) + 1 :]
        place = next((i for i, name in enumerate(steps) if name in after), len(steps))
        ordered = list(steps.values())
        ordered.insert(place, step)
        return {s.name: s for s in ordered}

    def _wear(self, steps: dict[str, Step], face: str) -> dict[str, Step]:
        """Every step that wears a face wears this one; if there is none, the first processor that can is added, off.

        Raises UnwearableError where a step that is on cannot.
        """
        wearing = [s.name for s in steps.values() if _wears(s.params)]
        if not wearing:
            wearing = [n for n in self._registry.names if _wears(self._registry[n].params_type())][:1]
        if not wearing:
            raise UsageError(f"face {face}: no processor wears faces", "see the list of processors")
        refused: list[UnwearableError] = []
        for name in wearing:
            try:
                steps = self._set(steps, SetProcessor(name, params={FACE: face}))
            except UnwearableError as error:
                # One that is off may keep the face that it has, if another one can wear this.
                refused.append(error)
                if steps[name].enabled or len(refused) == len(wearing):
                    raise
        return steps

    def _step(
        self, processor: Processor[Any], enabled: bool, changes: dict[str, Any], old: Step | None = None
    ) -> Step:
        before = old.params if old is not None else processor.params_type()
        params = _params(processor, before, changes)
        if old is not None and params == before:
            return replace(old, enabled=enabled)
        render = processor.prepare(params)
        log.info("processor.ready", processor=processor.name, params=msgspec.structs.asdict(params))
        return Step(
            processor.name,
            enabled,
            params,
            render,
            processor.needs_faces,
            processor.hides_face,
            processor.every_face,
        )


def _anew(step: Step) -> Step:
    render = step.render
    return replace(step, render=render.anew()) if isinstance(render, CarryingRender) else step


def _params(processor: Processor[Any], before: Params, changes: dict[str, Any]) -> Params:
    try:
        return changed(before, changes)
    except UsageError as error:
        raise UsageError(f"processor {processor.name}: {error.what}", error.remedy) from None


def _twice(name: str) -> UsageError:
    return UsageError(f"processor {name} stands in the chain twice", "name it once")


def _reordered(steps: dict[str, Step], names: tuple[str, ...]) -> dict[str, Step]:
    if sorted(names) != sorted(steps):
        raise UsageError(f"order {', '.join(names)}", f"name each of {', '.join(steps)} once")
    return {name: steps[name] for name in names}


def _wears(params: Params) -> bool:
    return FACE in params.__struct_fields__
