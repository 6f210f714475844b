"""What the daemon tells and what it is told: state, statistics, events and commands, as tagged structs."""

from typing import Any, Literal, Protocol

import msgspec

from .meter import Quantiles
from .params import ParamInfo

Phase = Literal["starting", "live", "degraded", "stopping"]


class ProcessorState(msgspec.Struct, frozen=True):
    """One processor of the chain as it is now."""

    name: str
    enabled: bool
    params: dict[str, Any]


class ProcessorInfo(msgspec.Struct, frozen=True):
    """One processor that exists, with everything a user interface needs to offer it."""

    name: str
    help: str
    params: tuple[ParamInfo, ...]
    hides_face: bool
    """While it is on, a frame that it could not treat is not shown (fail closed)."""


class FaceInfo(msgspec.Struct, frozen=True):
    """A face that can be worn."""

    name: str
    consent: str
    """self, permission, public-domain or synthetic."""
    added: str
    """Date, ISO 8601."""
    bundled: bool = False


class State(msgspec.Struct, frozen=True):
    """The whole state in one document; `rev` grows by one with every change."""

    rev: int
    phase: Phase
    source: str
    outputs: tuple[str, ...]
    size: tuple[int, int]
    fps: float
    processors: tuple[ProcessorState, ...]
    face: str
    on_no_face: str
    showing: Literal["live", "placeholder", "freeze"]
    engine: dict[str, str]
    """{model: engine that serves it}."""
    version: str
    privacy: bool = False
    frozen: bool = False
    problems: tuple[str, ...] = ()
    """What is wrong now, a line each; empty when all is well."""


class Stats(msgspec.Struct, frozen=True):
    """Numbers since the start, but for the latency of now."""

    frames: int
    fps: float
    latency_ms: Quantiles
    """Taken by the source to handed to the first output, in the last ten seconds; 0 if there was no frame."""
    stages_ms: dict[str, Quantiles]
    dropped: dict[str, int]
    face_share: float
    """Frames whose face was processed / frames with a face; 1 when there was none."""
    loop_lag_ms: Quantiles
    uptime_s: float
    face_frames: int = 0
    """Frames with a face, while a processor that hides or replaces faces was on."""
    latency_run_ms: Quantiles = Quantiles()
    """The same latency since the start."""


class SetProcessor(msgspec.Struct, frozen=True, tag="processor.set"):
    """Turns a processor on or off and changes parameters; what is not named stays."""

    name: str
    enabled: bool | None = None
    toggle: bool = False
    params: dict[str, Any] = {}


class SetFace(msgspec.Struct, frozen=True, tag="face.set"):
    """Wears a face of the library, by name."""

    name: str


class SetPrivacy(msgspec.Struct, frozen=True, tag="privacy.set"):
    """Shows the placeholder at once, before any queue."""

    on: bool


class SetFreeze(msgspec.Struct, frozen=True, tag="freeze.set"):
    """Holds the picture as it is."""

    on: bool


class Reorder(msgspec.Struct, frozen=True, tag="processor.reorder"):
    """Puts the chain in another order; `names` are exactly the processors of the chain."""

    names: tuple[str, ...]


class ApplyPreset(msgspec.Struct, frozen=True, tag="preset.apply"):
    """Takes over a saved preset: chain, parameters, face, `on_no_face`, view and badge."""

    name: str


Command = SetProcessor | SetFace | SetPrivacy | SetFreeze | Reorder | ApplyPreset


class StateChanged(msgspec.Struct, frozen=True, tag="state"):
    """Something of the state changed; the newest state makes older ones worthless."""

    state: State


class FacesChanged(msgspec.Struct, frozen=True, tag="faces"):
    """A face was added to the library or removed from it."""

    faces: tuple[FaceInfo, ...]


class Logged(msgspec.Struct, frozen=True, tag="log"):
    """One entry of the log."""

    at: str
    """Date and time, ISO 8601, UTC."""
    level: str
    event: str
    fields: dict[str, Any] = {}


Event = StateChanged | FacesChanged | Logged


class Commands(Protocol):
    """What the control channel may ask of the daemon. Called in the event loop."""

    def state(self) -> State:
        """The state now."""

    def stats(self) -> Stats:
        """The numbers now."""

    def processors(self) -> tuple[ProcessorInfo, ...]:
        """All processors that exist, in the chain or not."""

    def faces(self) -> tuple[FaceInfo, ...]:
        """All faces that can be worn."""

    async def execute(self, commands: tuple[Command, ...]) -> State:
        """Applies all commands at one frame boundary, or none of them.

        Returns the state after it. Raises FaceswapdError (UsageError for what the caller got wrong)
        with nothing changed.
        """
