"""What the methods give, as types; and what events hold."""

from typing import Any, Literal, TypeAlias

import msgspec

from ..core.abilities import CameraInfo, OutputInfo, PresetInfo
from ..core.events import FaceInfo, ProcessorInfo

Topic: TypeAlias = Literal["state", "stats", "faces", "log", "preview"]


class Hello(msgspec.Struct, frozen=True):
    """Who the server is; the first message of every connection."""

    protocol: int
    server: str
    version: str
    features: tuple[str, ...]
    auth: Literal["hmac-sha256", "none"]
    """`none`: the operating system vouches for the client (unix socket); it is ready at once."""
    nonce: str


class Ready(msgspec.Struct, frozen=True):
    """`mac` proves that the server knows the token too: over the client's nonce followed by hello's."""

    ready: bool
    mac: str = ""


class Paired(msgspec.Struct, frozen=True):
    """What a device keeps, to come back by `auth`: it takes the place of the token there."""

    device: str
    key: str


class PairingLink(msgspec.Struct, frozen=True):
    """An address for one browser, once, within `expires_s`."""

    url: str
    expires_s: float


class ProcessorList(msgspec.Struct, frozen=True):
    """All processors that exist, in the chain or not."""

    processors: tuple[ProcessorInfo, ...]


class FaceList(msgspec.Struct, frozen=True):
    """All faces that can be worn."""

    faces: tuple[FaceInfo, ...]


class FaceAdded(msgspec.Struct, frozen=True):
    """How much has come; `face` once all of it has."""

    received: int
    face: FaceInfo | None = None


class PresetList(msgspec.Struct, frozen=True):
    """All presets."""

    presets: tuple[PresetInfo, ...]


class CameraList(msgspec.Struct, frozen=True):
    """The cameras of this machine."""

    cameras: tuple[CameraInfo, ...]


class OutputList(msgspec.Struct, frozen=True):
    """The outputs of this run."""

    outputs: tuple[OutputInfo, ...]


class Jpeg(msgspec.Struct, frozen=True):
    """A picture, JPEG in base64."""

    jpeg: bytes
    width: int
    height: int
    seq: int = 0
    captured_ns: int = 0


class Entry(msgspec.Struct, frozen=True):
    """A topic as it is now. Events that follow have `seq` one higher each; a gap was overwritten."""

    seq: int
    data: Any


class Subscribed(msgspec.Struct, frozen=True):
    """What the topics hold now."""

    rev: int
    topics: dict[str, Entry]


class Pong(msgspec.Struct, frozen=True):
    """`now_ns` is the daemon's monotonic clock, the one of `captured_ns`."""

    now_ns: int


class Done(msgspec.Struct, frozen=True):
    """Nothing more to tell."""


class EventParams(msgspec.Struct, frozen=True):
    """The parameters of the notification `event`."""

    topic: Topic
    seq: int
    rev: int
    data: Any
