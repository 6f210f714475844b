"""How far a job is: a bar on a terminal, a line now and then without one."""

import sys
import time
from types import TracebackType
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

EVERY_S = 5.0
"""Between two lines where there is no terminal."""


SAMPLE_S = 0.5
"""Between two samples of the speed."""


class Sample(NamedTuple):
    """How many frames were written at a moment of the run."""

    at_s: float
    frames: int


class Bar:
    """Told of frames as they are written; the console's thread is the caller's."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        """Draws on `console`, which is best standard error: the result goes to standard output."""
        self._console = console
        self._quiet = quiet
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._began_s = self._said_s = 0.0
        self._first = self._before = self._now = 0
        self._start_s = time.monotonic()
        self.samples: list[Sample] = [Sample(0.0, 0)]
        """The speed of the run, over all its files."""

    def __enter__(self) -> "Bar":
        if self._console.is_terminal and not self._quiet:
            self._live = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total} frames  {task.fields[fps]:.1f} fps"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[more]}", style="dim"),
                console=self._console,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, name: str, total: int | None, done: int = 0) -> None:
        """A new file; `done` frames of it are there from before."""
        self._before += self._now
        self._name, self._first, self._now = name, done, 0
        self._began_s = self._said_s = time.monotonic()
        if self._live is not None:
            if self._task is not None:
                self._live.remove_task(self._task)
            self._task = self._live.add_task(name, total=total, completed=done, fps=0.0, more="")

    def at(self, frames: int, total: int | None, limit: str) -> None:
        """So many frames are written; `limit` is the stage that everything waits for."""
        now_s = time.monotonic()
        self._now = frames - self._first
        if now_s - self._start_s - self.samples[-1].at_s >= SAMPLE_S:
            self.samples.append(Sample(now_s - self._start_s, self._before + self._now))
        fps = (frames - self._first) / max(1e-3, now_s - self._began_s)
        more = f"limit: {limit}  {memory_mb():.0f} MB"
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=frames, total=total, fps=fps, more=more)
        elif not self._quiet and now_s - self._said_s >= EVERY_S:
            self._said_s = now_s
            of, left = "", ""
            if total:
                of = f"/{total} ({frames / total:.0%})"
                left = f", {max(0, total - frames) / max(fps, 1e-3):.0f} s left"
            self._console.print(
                f"{self._name}: {frames}{of} frames, {fps:.1f} fps{left}, {more}",
                highlight=False,
                soft_wrap=True,
            )


def memory_mb() -> float:
    """What this process holds of the machine's memory; its peak where the system tells only that."""
    if sys.platform.startswith("linux"):
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - read for every frame
            return int(statm.read().split()[1]) * _PAGE / 1e6
    return peak_mb()


def free_mb() -> float:
    """What the machine could give without taking it from others; 2 GB where the system does not tell."""
    if sys.platform.startswith("linux"):
        with open("/proc/meminfo", encoding="ascii") as meminfo:  # noqa: PTH123 - as above
            for line in meminfo:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024 / 1e6
    return 2000.0


def peak_mb() -> float:
    """The most that this process ever held; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0.0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _page() -> int:
    if not sys.platform.startswith("linux"):
        return 4096
    import os

    return os.sysconf("SC_PAGE_SIZE")


_PAGE = _page()
