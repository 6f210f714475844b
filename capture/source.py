"""The contract of everything that frames come from."""

from dataclasses import dataclass
from typing import Protocol

from ..core.frame import Pixels
from ..core.settings import Size


class EndOfSource(Exception):  # noqa: N818 - the end is not an error
    """A film or stream has come to its end; not an error."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture as a source gives it."""

    pixels: Pixels
    pts_s: float | None = None
    """Seconds from the source's beginning, never going back, also over loops; None: it is now."""
    age_s: float | None = None
    """How long ago the device took it (exposed, sent, decoded), where the device tells."""


class Source(Protocol):
    """Where frames come from. One thread opens, reads and closes it.

    `close` is called exactly once for every `open` that succeeded; after it, a source may be opened again.

    A source does not wait for its frames' time: whoever reads it does (`Pump`), where `paced` is True.
    A camera or live stream blocks in `read` until its next frame is there, and has `paced` False.
    """

    @property
    def name(self) -> str:
        """What a user calls it: a device's name, a file's path."""

    @property
    def size(self) -> Size:
        """(width, height) of its frames; known once it is open. A film may change it in the middle."""

    @property
    def fps(self) -> float:
        """Nominal frames per second; known once it is open."""

    @property
    def paced(self) -> bool:
        """Frames are there sooner than their time: the reader waits until `pts_s`."""

    def open(self) -> None:
        """Acquires the device or file.

        Raises NoDeviceError, BusyError, MissingInputError or BadInputError; nothing stays open then.
        """

    def read(self) -> Shot:
        """Blocks until the next frame, at most a few seconds.

        Raises EndOfSource at the end, DeviceLostError when the device is gone or silent, BadInputError
        when a film turns out to be broken in the middle.
        """

    def close(self) -> None:
        """Releases everything; safe after a failed `read`."""
