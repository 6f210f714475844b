"""The settings of a run: immutable values, types only. `daemon.config` reads them from file and command line."""

from typing import Annotated, Any, Literal

import msgspec

Size = tuple[int, int]
"""(width, height) in pixels."""

OnNoFace = Literal["placeholder", "freeze", "passthrough"]
EngineName = Literal["auto", "openvino", "onnxruntime"]
PrecisionName = Literal["auto", "fp32", "fp16", "bf16", "int8"]
Backend = Literal["bundled", "insightface"]


class ProcessorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place in the chain."""

    name: str
    enabled: bool = True
    params: dict[str, Any] = {}


class InferenceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How models are run."""

    engine: EngineName = "auto"
    provider: str = "auto"
    """An execution provider's short name (cpu, cuda, openvino:gpu, ...), or auto. With several, separated by commas,
    each may take the place of the one before it."""
    precision: PrecisionName = "auto"
    threads: int = 0
    """Workers of the pool; 0 takes the provider's own number."""


class AnalysisSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What finds faces and says what is known of them. Empty names mean the bundled models."""

    backend: Backend = "bundled"
    """insightface: the detector and recogniser of one of its packs in place of ours."""
    pack: str = "buffalo_l"
    """For insightface: which of its packs."""
    detector: str = ""
    """A detector of the shelf, by its name there."""
    detector_side: Annotated[int, msgspec.Meta(ge=0, le=2048)] = 0
    """Of the square that a detector of any size is shown, pixels; 0 takes 640."""
    landmarks: str = ""
    """A landmark model of the shelf."""
    attributes: str = ""
    """A model of the shelf that tells gender and age."""


class ControlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the control channel listens."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 7865
    tls_certificate: str = ""
    """A PEM file, with `tls_key` beside it: without them no address but loopback is served."""
    tls_key: str = ""
    hosts: tuple[str, ...] = ()
    """More names (`name` or `name:port`) that a client may call this machine by."""
    max_clients: int = 64


class RecordSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How what is shown is recorded."""

    path: str | None = None
    """Recorded from the start: a film, or a folder; empty takes `folder` and `name`. None: when told to."""
    folder: str = ""
    """Where films without a folder go; empty is the user's folder of videos."""
    name: str = "{date}-{time}.mp4"
    encoder: str = "auto"
    """`auto`, a codec (h264, hevc, av1, vp9) or an encoder's own name."""
    quality: Annotated[int, msgspec.Meta(ge=0, le=100)] = 60
    segment_s: Annotated[float, msgspec.Meta(ge=1)] | None = None
    """A new film begins after so long."""
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The recording ends at this size."""
    keep_free: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Bytes of the disk that it leaves free; None: 256 MiB, or a twentieth of a small disk."""
    constant_rate: bool = False
    """Exactly `fps` pictures a second; else each picture has the time it was taken at."""
    save_last_s: Annotated[float, msgspec.Meta(ge=1)] | None = None
    """So much of what was shown is kept in memory, to be saved when asked."""
    sound: bool = False
    """A microphone is recorded with the picture."""
    microphone: str = ""
    """A part of its name; empty is the system's default."""
    av_delay_ms: float = 0.0
    """Sound is laid so much later than it was heard: what the camera takes before a frame has its time."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a run is told."""

    source: str = "auto"
    """`auto`, a camera's name or path, a file, a URL, `pattern:`, `portrait:`."""
    outputs: tuple[str, ...] = ("auto",)
    """`auto`, a virtual camera's name or path, a film, `memory:`, `none`."""
    size: Size = (1280, 720)
    fps: Annotated[float, msgspec.Meta(gt=0, le=240)] = 30.0
    processors: tuple[ProcessorSettings, ...] = (ProcessorSettings("anonymize"),)
    on_no_face: OnNoFace = "placeholder"
    hold_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.4
    """How long the last mask of a lost face is held before `on_no_face` applies."""
    badge: bool = True
    loop: bool = False
    """A film or stream starts again at its end."""
    fit: Literal["letterbox", "crop"] = "letterbox"
    for_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Ends by itself after so many seconds, counted from the first processed frame."""
    inference: InferenceSettings = InferenceSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    control: ControlSettings = ControlSettings()
    record: RecordSettings = RecordSettings()
