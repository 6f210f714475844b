"""What is done of a film, on the disk beside it: an interrupted job goes on from here."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ..core.errors import BusyError, DeviceLostError, MissingInputError
from ..sinks.segments import Segment

log = structlog.get_logger(__name__)


class Entry(msgspec.Struct, frozen=True):
    """A segment that is whole."""

    file: str
    first_pts: int
    frames: int
    faces: int
    next_pts: int | None
    """Where the next one begins; None: that was the last."""
    frames_in: int = 0
    """Of the original."""
    interpolated: int = 0
    batch: int = 0
    """Frames that are rendered together from here on; 0: not known yet."""


class _Page(msgspec.Struct):
    job: str
    entries: list[Entry] = []


class Journal:
    """The segments of one job in its folder, in order."""

    def __init__(self, folder: Path, page: _Page, lock: int | None = None) -> None:
        self._folder, self._page, self._lock = folder, page, lock

    @classmethod
    def opened(cls, folder: Path, facts: Mapping[str, Any], *, resume: bool) -> "Journal":
        """The journal in `folder`: the one that is there with `resume`, if it is of the very same job, else a
        new one in an empty folder. `facts` are all that the frames depend on.

        Raises MissingInputError when nothing can be written there, BusyError while another run is at it.
        """
        job = hashlib.sha256(msgspec.json.encode(facts, enc_hook=str)).hexdigest()
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise MissingInputError(
                f"cannot write {folder.parent} ({error.strerror})", "save elsewhere"
            ) from None
        lock = _locked(folder)
        file = folder / "journal.json"
        if resume and file.exists():
            try:
                page = msgspec.json.decode(file.read_bytes(), type=_Page)
            except msgspec.DecodeError:  # the power went while it was written
                page = _Page("")
            if page.job == job and all((folder / e.file).exists() for e in page.entries):
                return cls(folder, page, lock)
            log.warning("film.begun_anew", folder=str(folder), why="the job is not the same any more")
        for old in folder.iterdir():
            old.unlink()
        return cls(folder, _Page(job), lock)

    def close(self) -> None:
        """Another run may have it; the folder stays as it is."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All segments that are done."""
        return tuple(self._page.entries)

    @property
    def complete(self) -> bool:
        """No segment is missing."""
        return bool(self._page.entries) and self._page.entries[-1].next_pts is None

    def segments(self) -> list[Segment]:
        """The same as the film's assembly takes them."""
        return [Segment(self._folder / e.file, e.first_pts, e.frames) for e in self._page.entries]

    def enter(
        self,
        segment: Segment,
        faces: int,
        next_pts: int | None,
        frames_in: int | None = None,
        interpolated: int = 0,
        batch: int = 0,
    ) -> None:
        """Notes one more segment; it is on the disk when this returns. `frames_in`: as many as it has, if None.

        Raises DeviceLostError.
        """
        taken = segment.frames if frames_in is None else frames_in
        name, first_pts, frames = segment.path.name, segment.first_pts, segment.frames
        self._page.entries.append(Entry(name, first_pts, frames, faces, next_pts, taken, interpolated, batch))
        fresh = self._folder / "journal.new"
        try:
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(self._page))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._folder / "journal.json")
        except OSError as error:
            raise DeviceLostError(
                f"{fresh} could not be written: {error.strerror}", "free some space there"
            ) from None


def parts_of(film: Path) -> Path:
    """Where a film's segments wait until it is put together: a hidden folder beside it."""
    return film.with_name(f".{film.name}.parts")


def sweep(film: Path) -> None:
    """Removes the segments of a film that is whole: a run was killed before it did. Not while another run is at it."""
    folder = parts_of(film)
    if not folder.is_dir():
        return
    try:
        lock = _locked(folder)
    except (BusyError, OSError):
        return
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def _locked(folder: Path) -> int | None:
    """Holds the folder for this process, also against itself; a process that dies lets go. Not on Windows."""
    if sys.platform == "win32":
        return None
    import fcntl

    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise BusyError(f"another run writes into {folder}", "wait for it, or save elsewhere") from None
    return lock
