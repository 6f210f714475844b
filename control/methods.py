"""The methods: what each takes and gives, as types. The published schema is made from this table."""

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta

from ..core.abilities import Consent, PresetInfo, RecordStatus
from ..core.events import (
    ApplyPreset,
    Command,
    Reorder,
    SetFace,
    SetFreeze,
    SetPrivacy,
    SetProcessor,
    State,
    Stats,
)
from ..core.params import Value
from .replies import (
    CameraList,
    Done,
    FaceAdded,
    FaceList,
    Hello,
    Jpeg,
    OutputList,
    Paired,
    PairingLink,
    Pong,
    PresetList,
    ProcessorList,
    Ready,
    Subscribed,
    Topic,
)

MAX_FACE = 8 * 1024 * 1024
"""Bytes of an uploaded picture."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Hex64: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Nonce: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32,128}$")]
Topics: TypeAlias = Annotated[tuple[Topic, ...], Meta(min_length=1, max_length=5)]
Rev: TypeAlias = Annotated[int, Meta(ge=0, description="refused unless the state is still at this revision")]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all parameters: what is not known is refused."""


class Nothing(Params, frozen=True):
    """No parameters."""


class Change(Params, frozen=True, kw_only=True):
    """Parameters of a method that changes the state at one frame boundary."""

    if_rev: Rev | None = None

    def commands(self) -> tuple[Command, ...]:
        """What the daemon is to do."""
        raise NotImplementedError


class Authenticate(Params, frozen=True):
    """`mac`: HMAC-SHA256, in hex; the key is the token, the message is hello's nonce followed by this one."""

    nonce: Nonce
    mac: Hex64
    device: Annotated[str, Meta(pattern="^([0-9a-f]{16})?$", description="a paired one uses its own key")] = (
        ""
    )


class Pair(Params, frozen=True):
    """The code of a one-time link."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]


class ProcessorSet(Change, frozen=True):
    """What is not named stays as it is."""

    name: Name
    enabled: bool | None = None
    params: dict[str, Value] = {}

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (SetProcessor(self.name, self.enabled, params=self.params),)


class ProcessorToggle(Change, frozen=True):
    """On becomes off, off becomes on."""

    name: Name

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (SetProcessor(self.name, toggle=True),)


class ProcessorReorder(Change, frozen=True):
    """All processors of the chain, in their new order."""

    names: Annotated[tuple[Name, ...], Meta(max_length=64)]

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (Reorder(self.names),)


class FaceSet(Change, frozen=True):
    """A face of `face.list`."""

    name: Name

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (SetFace(self.name),)


class PresetApply(Change, frozen=True):
    """A preset of `preset.list`."""

    name: Name

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (ApplyPreset(self.name),)


class PrivacySet(Change, frozen=True):
    """On: the placeholder is shown."""

    on: bool

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (SetPrivacy(self.on),)


class FreezeSet(Change, frozen=True):
    """On: the picture stands still."""

    on: bool

    def commands(self) -> tuple[Command, ...]:
        """One command."""
        return (SetFreeze(self.on),)


class Step(Params, frozen=True):
    """One change of a batch: a method that changes the state, with its parameters."""

    method: Literal[
        "processor.set",
        "processor.toggle",
        "processor.reorder",
        "face.set",
        "preset.apply",
        "privacy.set",
        "freeze.set",
    ]
    params: msgspec.Raw


class Batch(Params, frozen=True):
    """All changes, or none of them."""

    changes: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=64)]
    if_rev: Rev | None = None


class Hold(Params, frozen=True):
    """`name` is a processor, `privacy` or `freeze`."""

    name: Name
    on: bool = True
    lease_s: Annotated[float, Meta(ge=0.2, le=30, description="ends by itself after so long")] = 2.0


class FaceAdd(Params, frozen=True):
    """One chunk of a picture file; the face is added with the last one."""

    name: Name
    consent: Consent
    data: bytes
    offset: Annotated[int, Meta(ge=0, description="bytes sent before; 0 begins anew")]
    total: Annotated[int, Meta(ge=1, le=MAX_FACE, description="bytes of the whole file")]


class Named(Params, frozen=True):
    """Something by its name."""

    name: Name


class RecordStart(Params, frozen=True):
    """An empty path picks a name by date."""

    path: Annotated[str, Meta(max_length=1024)] = ""


class RecordPause(Params, frozen=True):
    """Whether it pauses from now on."""

    paused: bool


class SnapshotGet(Params, frozen=True):
    """The picture is made smaller to fit, never larger."""

    width: Annotated[int, Meta(ge=16, le=3840)] = 3840
    height: Annotated[int, Meta(ge=16, le=3840)] = 3840
    quality: Annotated[int, Meta(ge=1, le=100)] = 85


class PreviewOptions(Params, frozen=True):
    """Size and rate of the preview frames; the picture is made to fit, never larger."""

    width: Annotated[int, Meta(ge=16, le=1920)] = 640
    height: Annotated[int, Meta(ge=16, le=1080)] = 360
    fps: Annotated[float, Meta(ge=0.1, le=30)] = 10.0
    quality: Annotated[int, Meta(ge=1, le=95)] = 75


class Subscribe(Params, frozen=True):
    """Topics that are subscribed already take the new options."""

    topics: Topics
    interval_s: Annotated[float, Meta(ge=0.1, le=60, description="between two events of `stats`")] = 1.0
    preview: PreviewOptions = PreviewOptions()


class Unsubscribe(Params, frozen=True):
    """Topics that are not subscribed are no error."""

    topics: Topics


class Method(NamedTuple):
    """One method. `urgent` ones pass what the same client asked before and is still at work."""

    params: type[Params]
    result: Any
    help: str
    urgent: bool = False


METHODS: dict[str, Method] = {
    "hello": Method(Nothing, Hello, "Who the server is; it also says so unasked, first thing."),
    "auth": Method(Authenticate, Ready, "Proves that the client can read the token file."),
    "pair": Method(
        Pair, Paired, "Lets a browser in that has the one-time link, and tells it a key of its own."
    ),
    "pair.link": Method(Nothing, PairingLink, "Makes a one-time link to the web remote."),
    "ping": Method(Nothing, Pong, "Is anybody there, and what is the time.", urgent=True),
    "state.get": Method(Nothing, State, "The whole state in one document."),
    "stats.get": Method(Nothing, Stats, "Frame rate, latencies and drops since the start."),
    "processor.list": Method(Nothing, ProcessorList, "The processors, with all that a user interface needs."),
    "processor.set": Method(ProcessorSet, State, "Turns a processor on or off and sets its parameters."),
    "processor.toggle": Method(ProcessorToggle, State, "Turns a processor on if it is off, and off if on."),
    "processor.reorder": Method(ProcessorReorder, State, "Puts the chain in another order."),
    "face.list": Method(Nothing, FaceList, "The faces that can be worn."),
    "face.set": Method(FaceSet, State, "Wears a face."),
    "face.add": Method(FaceAdd, FaceAdded, "Adds a face, in chunks, with the basis of consent."),
    "face.remove": Method(Named, Done, "Forgets a face."),
    "face.picture": Method(Named, Jpeg, "A face as a small picture."),
    "preset.list": Method(Nothing, PresetList, "The presets."),
    "preset.apply": Method(PresetApply, State, "Takes over a preset."),
    "preset.save": Method(Named, PresetInfo, "Saves what is set now as a preset."),
    "output.list": Method(Nothing, OutputList, "The outputs of this run."),
    "camera.list": Method(Nothing, CameraList, "The cameras of this machine."),
    "camera.select": Method(Named, State, "Takes frames from another camera."),
    "record.start": Method(RecordStart, RecordStatus, "Begins to record a film."),
    "record.stop": Method(Nothing, RecordStatus, "Ends the film."),
    "record.pause": Method(RecordPause, RecordStatus, "Pauses the film, or goes on with it."),
    "record.save_last": Method(RecordStart, RecordStatus, "Saves the last moments, if they are kept."),
    "record.status": Method(Nothing, RecordStatus, "Whether a film is being recorded."),
    "privacy.set": Method(PrivacySet, State, "Shows the placeholder, before any queue.", urgent=True),
    "freeze.set": Method(FreezeSet, State, "Holds the picture as it is.", urgent=True),
    "hold": Method(
        Hold, State, "On while it is renewed: push-to-mask. Off when the client dies.", urgent=True
    ),
    "batch": Method(Batch, State, "Several changes at one frame boundary, all or none."),
    "snapshot.get": Method(SnapshotGet, Jpeg, "The picture that is shown now."),
    "subscribe": Method(Subscribe, Subscribed, "Events of topics, from now on; what they hold now."),
    "unsubscribe": Method(Unsubscribe, Done, "No more events of topics."),
    "token.rotate": Method(Nothing, Done, "Makes a new token; everybody who used the old one is let go."),
}
