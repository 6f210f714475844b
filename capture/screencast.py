"""A screen or a window that the desktop shares, as Wayland has it: the user chooses in the desktop's dialog."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import structlog

from ..core.errors import DeviceLostError, NoDeviceError
from ..core.frame import Pixels
from ..core.settings import Size
from .pipewire import PipeWireReader
from .portal import DeniedError, Grant, Kind, Portal
from .source import Shot

log = structlog.get_logger(__name__)


class Sharing(Protocol):
    """The part of `Portal` that is used."""

    def open(self) -> Grant: ...  # noqa: D102
    def ended(self) -> bool: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Reader(Protocol):
    """The part of `PipeWireReader` that is used."""

    @property
    def size(self) -> Size: ...  # noqa: D102
    def open(self, fps: float, remote: int | None = None) -> None: ...  # noqa: D102
    def wait(self, seconds: float) -> bool: ...  # noqa: D102
    def newest(self) -> Pixels | None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class ScreenCast:
    """Pictures of what the user has chosen to share, at most `fps` a second, the mouse pointer included.

    A desktop sends a picture when something has changed. While nothing does, the last one is shown again, at
    about half the rate, so that what comes after goes on. One that sends nothing at first (sway, while nothing
    changes) is black until then.
    """

    paced = False

    def __init__(
        self,
        spec: str,
        fps: float,
        kind: Kind = Kind.MONITOR,
        *,
        portal: Sharing | None = None,
        reader: Callable[[str, int], Reader] = PipeWireReader,
    ) -> None:
        """`spec` is what the user calls it."""
        self.name = spec
        self.fps = fps
        self.size: Size = (0, 0)
        self._portal: Sharing = portal or Portal(spec, kind)
        self._reading = reader
        self._reader: Reader | None = None
        self._last: Pixels | None = None
        self._due_s = 0.0
        self._ended: NoDeviceError | None = None

    def open(self) -> None:
        """Asks the desktop, which may show its dialog, and waits a moment for the first picture.

        Raises NoDeviceError. Who has refused or ended the sharing is not asked again.
        """
        if self._ended is not None:
            raise self._ended
        try:
            grant = self._portal.open()
        except DeniedError as error:
            self._ended = error
            raise
        reader = self._reading(self.name, grant.node)
        try:
            reader.open(self.fps, grant.remote)
            first = reader.newest()
            if first is None:
                log.info("source.still", source=self.name, shows="black, until something on it changes")
                first = np.zeros((reader.size[1], reader.size[0], 3), np.uint8)
        except BaseException:
            reader.close()
            self._portal.close()
            raise
        self._reader = reader
        self._keep(first)
        self._due_s = time.monotonic()
        log.info("source.opened", source=self.name, size=self.size, fps=self.fps)

    def read(self) -> Shot:
        """The next picture. Raises DeviceLostError when the sharing has ended."""
        assert self._reader is not None, "not open"
        assert self._last is not None
        period_s = 1 / self.fps
        # A quarter early or a whole period late: a producer's own rhythm is kept, its average is not exceeded.
        time.sleep(max(0.0, self._due_s - period_s / 4 - time.monotonic()))
        try:
            changed = self._reader.wait(self._due_s + period_s - time.monotonic())
        except DeviceLostError:
            self._look_whether_ended()
            raise
        if changed and (picture := self._reader.newest()) is not None:
            self._keep(picture)
        else:
            self._look_whether_ended()
        self._due_s = max(self._due_s + period_s, time.monotonic() + 0.75 * period_s)
        return Shot(self._last)

    def close(self) -> None:
        """Ends the sharing; the desktop's sign for it goes out."""
        reader, self._reader, self._last = self._reader, None, None
        if reader is not None:
            reader.close()
            self._portal.close()

    def _keep(self, picture: Pixels) -> None:
        self._last = picture
        self.size = picture.shape[1], picture.shape[0]

    def _look_whether_ended(self) -> None:
        if self._portal.ended():
            self._ended = NoDeviceError(f"source {self.name} is no longer shared", "start again")
            raise DeviceLostError(f"{self.name} is no longer shared", "start again to share it anew")
