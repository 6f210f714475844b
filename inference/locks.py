"""Which process works on a file or a folder: locks of the system's, which end with their holder. Not on Windows."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import BusyError


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """The file at `path`, made if it is not there, is this process's alone.

    Raises BusyError, naming `what`, where another has it, and OSError for one that cannot be opened.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            here = os.path.samestat(os.fstat(file), path.stat())
        except (BlockingIOError, FileNotFoundError):
            here = False
        if not here:  # or it was taken away between opening and locking
            raise BusyError(f"{what} already", "wait for that to end")
        yield
    finally:
        os.close(file)


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Something is being made in a folder: nobody is `alone` in it. Waits for who is."""
    with _locked(folder, "LOCK_SH"):
        yield


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether nothing is being made in a folder, nor will be before the end. False where nobody can say."""
    with _locked(folder, "LOCK_EX", wait=False) as locked:
        yield locked


@contextmanager
def in_turn(folder: Path) -> Iterator[bool]:
    """One after the other: what reads a file of a folder and writes it anew loses nobody's work. Waits.

    False where nobody can be held back.
    """
    with _locked(folder, "LOCK_EX") as locked:
        yield locked


@contextmanager
def _locked(folder: Path, how: str, *, wait: bool = True) -> Iterator[bool]:
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(place, getattr(fcntl, how) | (0 if wait else fcntl.LOCK_NB))
            locked = True
        except OSError:  # somebody is at work; or the file system, as NFS does, locks no folders
            locked = False
        yield locked
    finally:
        os.close(place)
