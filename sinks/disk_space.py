"""Room on a disk, and when there is too little of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import structlog

from ..core.errors import DeviceLostError

log = structlog.get_logger(__name__)

_RESERVE = 256 << 20  # bytes that stay free on a usual disk, for a film's index and everybody else
_RESERVE_SHARE = 20  # or this part of a small disk

Free = Callable[[Path], tuple[int, int]]
"""A folder -> (free, all) bytes of its disk."""


def free(folder: Path) -> tuple[int, int]:
    """What the system says. Raises OSError."""
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


class DiskSpace:
    """Watches the disk of one folder."""

    def __init__(self, folder: Path, keep_free: int | None = None, free: Free = free) -> None:
        """`keep_free` bytes are left; None: 256 MiB, or a twentieth of a small disk."""
        self._folder, self._keep_free, self._free = folder, keep_free, free

    def check(self, needed: int = 0) -> None:
        """Raises DeviceLostError when the disk is nearly full, or would be with `needed` bytes more."""
        try:
            free, whole = self._free(self._folder)
        except OSError as error:  # the folder is not there: whoever writes will say so
            log.debug("disk.unknown", folder=str(self._folder), error=error.strerror)
            return
        reserve = min(_RESERVE, whole // _RESERVE_SHARE) if self._keep_free is None else self._keep_free
        if free < reserve + needed:
            raise DeviceLostError(
                f"the disk of {self._folder} is nearly full ({free >> 20} MiB)", "make room to record"
            )
