"""What a daemon may offer beyond `Commands`: one protocol an ability, found by `isinstance`.

The control channel lists the abilities it finds as features, and answers `not_available` for the rest.
All methods are called in the event loop; those that may block are coroutines.
"""

from typing import Literal, Protocol, runtime_checkable

import msgspec

from .events import FaceInfo, State
from .frame import Frame

Consent = Literal["self", "permission", "public-domain", "synthetic"]


class PresetInfo(msgspec.Struct, frozen=True):
    """A saved preset."""

    name: str
    processors: tuple[str, ...] = ()
    face: str = ""


class CameraInfo(msgspec.Struct, frozen=True):
    """A camera that can be selected."""

    name: str
    path: str
    selected: bool = False


class OutputInfo(msgspec.Struct, frozen=True):
    """A place that frames go to."""

    name: str
    kind: str
    """virtual-camera, film, memory, ..."""
    fps: float = 0.0
    problem: str = ""
    """One line; empty when all is well."""


class RecordStatus(msgspec.Struct, frozen=True):
    """Whether a film is being recorded."""

    recording: bool
    path: str = ""
    """The film that grows, or the last one; empty where none was made."""
    paused: bool = False
    seconds: float = 0.0
    films: tuple[str, ...] = ()
    """All films of this recording, oldest first: a long one is cut, and a failed encoder ends its film."""
    bytes_written: int = 0
    encoder: str = ""
    notice: str = ""
    """What a user should know, one line: another encoder had to take over, the disk was full."""
    recovered: tuple[str, ...] = ()
    """Films of an earlier run that was cut off, which were finished at this start."""


@runtime_checkable
class Viewing(Protocol):
    """The daemon shows what it shows."""

    def shown(self) -> Frame | None:
        """The last frame that was handed to the sinks, placeholder included; None before the first.

        Never a frame that the sinks were not given.
        """


@runtime_checkable
class FaceKeeping(Protocol):
    """The daemon keeps faces that a client brings."""

    async def add_face(self, name: str, picture: bytes, consent: Consent) -> FaceInfo:
        """Stores a face from an encoded picture (JPEG, PNG, ...), with today's date.

        Raises BadInputError for a picture without a face, UsageError for a name that is taken.
        """

    async def remove_face(self, name: str) -> None:
        """Forgets a face and its files. Raises UsageError for an unknown or bundled one."""

    async def face_picture(self, name: str) -> bytes:
        """A small JPEG of a face, for a user interface. Raises UsageError for an unknown one."""


@runtime_checkable
class PresetKeeping(Protocol):
    """The daemon keeps presets; they are applied by the command `ApplyPreset`."""

    def presets(self) -> tuple[PresetInfo, ...]:
        """All presets, by name."""

    async def save_preset(self, name: str) -> PresetInfo:
        """Saves what is set now under a name; a preset of that name is replaced."""


@runtime_checkable
class CameraChoice(Protocol):
    """The daemon can change its camera while it runs."""

    async def cameras(self) -> tuple[CameraInfo, ...]:
        """The cameras of this machine, now."""

    async def select_camera(self, name: str) -> State:
        """Takes frames from another camera, by name or path; on failure the old one stays.

        Raises NoDeviceError, BusyError.
        """


@runtime_checkable
class OutputListing(Protocol):
    """The daemon tells of its outputs one by one."""

    def outputs(self) -> tuple[OutputInfo, ...]:
        """The outputs of this run."""


@runtime_checkable
class Pausing(Protocol):
    """A recording can be paused."""

    async def pause_recording(self, paused: bool) -> RecordStatus:
        """Leaves out what is shown until the pause ends; the film has no gap there.

        Raises UsageError when nothing is being recorded.
        """


@runtime_checkable
class Replaying(Protocol):
    """The daemon keeps the last moments of what it shows."""

    async def save_last(self, path: str) -> RecordStatus:
        """Writes them as a film, whose `path` and `seconds` the answer has; an empty `path` as in `Recording`.

        Raises UsageError when nothing is kept, or the name is taken.
        """


@runtime_checkable
class Recording(Protocol):
    """The daemon records what it shows."""

    def record_status(self) -> RecordStatus:
        """Whether it records now."""

    async def start_recording(self, path: str) -> RecordStatus:
        """Begins a film; an empty `path` picks a name by date in the user's videos folder.

        Raises BusyError when one is being recorded.
        """

    async def stop_recording(self) -> RecordStatus:
        """Ends the film and says where it is. Raises UsageError when there is none."""
