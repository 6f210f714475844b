"""The contract of everything that frames go to."""

from enum import Enum
from typing import Protocol

from ..core.frame import Frame


class WhenFull(Enum):
    """What happens to frames that a sink has no time for."""

    NEWEST = "newest"
    """Keep the newest one: a virtual camera, a preview."""
    DROP = "drop"
    """Keep about two seconds, then drop new ones with a count: a live recording."""
    WAIT = "wait"
    """The producer waits; nothing is lost: files made from files."""


class Sink(Protocol):
    """Where frames go. One thread opens, feeds and closes it; `close` is called exactly once."""

    @property
    def name(self) -> str:
        """What a user calls it: a device's name or path, a file's path."""

    @property
    def when_full(self) -> WhenFull:
        """Its drop policy."""

    @property
    def steady(self) -> bool:
        """It must be fed at its own rate for ever, with the last picture or the placeholder if need be."""

    def open(self) -> None:
        """Acquires the device or file at its fixed size.

        Raises NoDeviceError, BusyError, MissingInputError; nothing stays open then.
        """

    def put(self, frame: Frame) -> None:
        """Hands one frame over; its size is the sink's. May block for as long as the device does.

        Raises DeviceLostError when the device is gone.
        """

    def close(self) -> None:
        """Finishes what was written and releases everything."""
