"""Recordings of a run: begun, told of and ended; at most one at a time."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import platformdirs
import structlog

from ..core.abilities import RecordStatus
from ..core.errors import BusyError, MissingInputError, UsageError
from ..core.loops import tell
from ..core.settings import RecordSettings, Settings
from ..sinks.recorder import Recorder
from ..sinks.replay import ReplayBuffer
from ..sinks.sink import Sink
from ..sinks.video import CONTAINERS
from .recorders import Recorders

log = structlog.get_logger(__name__)


class Outlets(Protocol):
    """The part of `sinks.fanout.Fanout` that a recording needs."""

    async def add(self, sink: Sink) -> None:
        """Opens a sink and feeds it."""

    async def remove(self, sink: Sink) -> None:
        """Lets a sink finish, and closes it."""


class Recordings:
    """Implements `core.abilities.Recording`, `Pausing` and `Replaying`. All methods run in the event loop."""

    def __init__(
        self,
        settings: Settings,
        outlets: Outlets,
        recorders: Recorders,
        *,
        problem: Callable[[str], None] = lambda _: None,
        today: Callable[[], time.struct_time] = time.localtime,
    ) -> None:
        """`problem` is told what a user should know of the recording, a line; empty when all is well."""
        self._settings = settings
        self._outlets = outlets
        self._recorders = recorders
        self._problem = problem
        self._today = today
        self._recorder: Recorder | None = None
        self._last: Recorder | None = None
        self._replay: ReplayBuffer | None = None
        self._changing = asyncio.Lock()
        self._notice = ""
        self._recovered: tuple[str, ...] = ()

    def record_status(self) -> RecordStatus:
        """Whether it records now, and what became of the last recording."""
        recorder = self._recorder or self._last
        if recorder is None:
            return RecordStatus(recording=False, recovered=self._recovered)
        done = recorder.progress
        return RecordStatus(
            recording=self._recorder is not None,
            paused=recorder.paused,
            path=done.films[-1] if done.films else recorder.name if self._recorder else "",
            seconds=round(done.seconds, 3),
            films=done.films,
            bytes_written=done.bytes_written,
            encoder=done.encoder,
            notice=self._notice,
            recovered=self._recovered,
        )

    async def start_recording(self, path: str) -> RecordStatus:
        """Begins a film; what is not absolute in `path` is within the folder of recordings.

        Raises BusyError when one is being recorded, UsageError for a name that is taken or no film's,
        MissingInputError where nothing can be written, DeviceLostError on a disk that is nearly full.
        """
        async with self._changing:
            if self._recorder is not None:
                raise BusyError(f"{self._recorder.name} is being recorded", "stop that recording first")
            loop = asyncio.get_running_loop()
            film = await asyncio.to_thread(film_path, path, self._settings.record, self._today())

            def notice(text: str) -> None:
                tell(loop, self._say, recorder, text)

            recorder = self._recorders.film(film, on_notice=notice)
            before, self._recorder, self._last = self._last, recorder, recorder
            self._say(recorder, "")
            try:
                await self._outlets.add(recorder)
            except BaseException:  # it never began: the one before stays the last
                self._recorder, self._last = None, before
                raise
            log.info("record.started", film=recorder.name, encoder=recorder.progress.encoder)
            return self.record_status()

    async def stop_recording(self) -> RecordStatus:
        """Ends the film and says where it is. Raises UsageError when there is none."""
        async with self._changing:
            if self._recorder is None:
                raise UsageError("nothing is being recorded", "start a recording first")
            await self._finish(self._recorder)
            return self.record_status()

    async def pause_recording(self, paused: bool) -> RecordStatus:
        """Begins or ends a pause. Raises UsageError when there is no recording."""
        async with self._changing:
            recorder = self._recorder
            if recorder is None:
                raise UsageError("nothing is being recorded", "start a recording first")
            if paused:
                recorder.pause()
            else:
                recorder.resume()
            return self.record_status()

    async def start_replay(self) -> None:
        """Begins to keep the last moments, where that is set. Raises as `ReplayBuffer.open`."""
        replay = self._recorders.replay()
        if replay is not None:
            await self._outlets.add(replay)
            self._replay = replay

    async def save_last(self, path: str) -> RecordStatus:
        """Writes the last moments of what was shown as a film; they go on being kept."""
        replay = self._replay
        if replay is None:
            raise UsageError("nothing is kept to be saved", "start with --save-last 30s")
        film = await asyncio.to_thread(film_path, path, self._settings.record, self._today())
        seconds = await asyncio.to_thread(replay.save, film)
        return RecordStatus(
            recording=self._recorder is not None,
            path=str(film),
            seconds=round(seconds, 3),
            films=(str(film),),
            bytes_written=film.stat().st_size,
        )

    async def close(self) -> None:
        """Ends the recording, if there is one."""
        async with self._changing:
            if self._recorder is not None:
                await self._finish(self._recorder)

    def failed(self, sink: Sink, error: Exception) -> bool:
        """Told of every sink that has failed; True if it was the recording, which is over then."""
        if sink is self._replay:
            self._replay = None
        if not isinstance(sink, Recorder) or sink is not self._last:
            return False
        log.warning("record.ended", film=sink.name, error=str(error))
        self._say(sink, str(error))
        if sink is self._recorder:
            self._recorder = None
        return True

    async def recover(self) -> None:
        """Finishes the films of earlier runs that were cut off, beside everything else, for as long as it may."""
        stop = threading.Event()
        try:
            films = await asyncio.to_thread(self._recorders.journal.recover, stop)
        except asyncio.CancelledError:  # the end of the run waits for the thread
            stop.set()
            raise
        except OSError as error:  # the notes cannot be read: recording goes on without them
            log.warning("record.unrecovered", error=str(error))
            return
        self._recovered = tuple(str(film) for film in films)

    async def _finish(self, recorder: Recorder) -> None:
        self._recorder = None
        self._problem("")  # the notice stays in the status
        await self._outlets.remove(recorder)
        log.info("record.stopped", films=recorder.progress.films, seconds=recorder.progress.seconds)

    def _say(self, recorder: Sink, text: str) -> None:
        if recorder is self._last:
            self._notice = text
            self._problem(text)


def film_path(words: str, settings: RecordSettings, now: time.struct_time) -> Path:
    """Where a recording goes: a film's path or a folder, `{date}` and `{time}` filled in.

    The folder of recordings is made if it is not there; others, also those below it, are not. Raises UsageError for
    a name that is no film's or has unknown braces.
    """
    folder = Path(settings.folder or platformdirs.user_videos_path()).expanduser()
    path = folder / Path(words).expanduser() if words else folder
    if path.is_relative_to(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MissingInputError(f"folder {folder}: {error.strerror}", "set record.folder") from None
    if path.is_dir():
        path /= settings.name
    try:
        name = path.name.format(date=time.strftime("%Y-%m-%d", now), time=time.strftime("%H-%M-%S", now))
    except (KeyError, IndexError, ValueError):
        raise UsageError(f"recording {path.name}", "only {date} and {time} are filled in") from None
    path = path.with_name(name)
    if path.suffix.lower() not in CONTAINERS:
        raise UsageError(f"recording {path}", f"its name ends with {', '.join(CONTAINERS)}")
    return path
