"""Recordings that nobody finished: found at the next start, and made ordinary films."""

import os
import sys
import threading
import uuid
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import av
import structlog

from ..core.errors import BadInputError, DeviceLostError
from .disk_space import DiskSpace
from .video import CONTAINERS

log = structlog.get_logger(__name__)

_SUFFIX = ".recording"
_EMPTY = 64 << 10  # bytes: a film without one whole fragment is no larger than that and shows nothing


class Mark:
    """A note that a film is being written, which outlives the process unless it is cleared."""

    def __init__(self, note: Path, held: FileIO) -> None:
        self._note, self._held = note, held

    def leave(self) -> None:
        """The film is not written any more, and not finished either."""
        self._held.close()

    def clear(self) -> None:
        """The film is finished."""
        self._held.close()  # first: Windows removes no file that is open
        self._note.unlink(missing_ok=True)


class Journal:
    """A folder with a note for each film that is being written; notes of the living are locked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mark(self, film: Path) -> Mark | None:
        """Notes that `film` is being written by this process.

        None where no note can be left, as in a home that is read-only: the film is written all the same, but
        nobody finishes it after a crash. The log says so.
        """
        note = self._folder / f"{uuid.uuid4().hex}{_SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            held = FileIO(note, "x+")
        except OSError as error:
            log.warning("film.unnoted", film=str(film), folder=str(self._folder), error=error.strerror)
            return None
        _lock(held)
        held.write(os.fsencode(film.absolute()))
        return Mark(note, held)

    def recover(self, stop: threading.Event | None = None) -> tuple[Path, ...]:
        """Finishes every film whose process is gone; returns those that are whole now, oldest first. Blocks.

        What cannot be finished is named in the log and left as it is; a film that holds no picture is removed. Once
        `stop` is set the rest is left to the next start.
        """
        stop = stop or threading.Event()
        finished: list[Path] = []
        for mark, film in self._orphans():
            try:
                if film.is_file() and finish(film, stop):
                    finished.append(film)
            except _StoppedError:
                mark.leave()
                break
            except BadInputError as error:
                log.warning("film.unrecovered", film=str(film), error=str(error))
            except (DeviceLostError, OSError, av.FFmpegError) as error:
                log.warning("film.unrecovered_yet", film=str(film), error=str(error))
                mark.leave()  # a full disk, a share that is away: next time, perhaps
                continue
            mark.clear()
        return tuple(finished)

    def _orphans(self) -> Iterator[tuple[Mark, Path]]:
        try:
            notes = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda note: note.stat().st_mtime_ns)
        except OSError:  # a home that is not ours to read
            return
        for note in notes:
            try:
                held = FileIO(note, "r+")
            except OSError:
                continue
            if not _lock(held):
                held.close()
                continue
            text = held.readall()
            if not text:  # locked a moment ago by a process that has not written it yet, or died before
                held.close()
                continue
            yield Mark(note, held), Path(os.fsdecode(text))


class _StoppedError(Exception):
    """There is no time to finish a film."""


def finish(film: Path, stop: threading.Event | None = None) -> bool:
    """Rewrites a film that was cut off so that it is whole, with its index in front. False: there was no picture.

    The torn end, less than a fragment, is left out. The film is replaced in one step, or stays as it was.
    Raises BadInputError when it cannot be read, DeviceLostError when there is no room for a copy, OSError
    or av.FFmpegError when it cannot be written.
    """
    DiskSpace(film.parent).check(film.stat().st_size)
    part = film.with_name(f".{film.stem}-{os.getpid()}.part{film.suffix}")
    try:
        packets = _copy(film, part, stop or threading.Event())
        if packets:
            part.replace(film)
            log.info("film.recovered", film=str(film))
        elif film.stat().st_size <= _EMPTY:
            film.unlink()
            log.info("film.empty", film=str(film))
        else:
            raise BadInputError(f"{film} holds no picture that can be read", "it is left as it is")
    finally:
        part.unlink(missing_ok=True)
    return packets > 0


def _copy(film: Path, part: Path, stop: threading.Event) -> int:
    """Copies all packets up to the tear; returns how many."""
    packets = 0
    try:
        with (
            av.open(str(film)) as torn,
            av.open(str(part), "w", options=CONTAINERS[film.suffix.lower()].whole) as whole,
        ):
            into = {stream.index: whole.add_stream_from_template(stream) for stream in torn.streams}
            try:
                for packet in torn.demux():
                    if stop.is_set():
                        raise _StoppedError
                    if packet.dts is None or packet.stream_index not in into or packet.is_corrupt:
                        continue
                    packet.stream = into[packet.stream_index]
                    whole.mux(packet)
                    packets += 1
            except av.InvalidDataError:
                log.debug("film.torn", film=str(film), packets=packets)
    except (av.InvalidDataError, av.EOFError, IndexError):
        return packets  # not even its head was written
    return packets


def _lock(file: FileIO) -> bool:
    """Holds a file for as long as it is open; False if another process does."""
    if sys.platform == "win32":
        import msvcrt

        try:
            file.seek(1 << 20)  # a byte behind the text, which stays readable
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
