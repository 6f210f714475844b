"""`process`: pictures, films and folders through the same chain, as fast as the machine can."""

import argparse
import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from .. import __version__
from ..core.errors import FaceswapdError, MissingInputError
from ..core.meter import Meter
from ..inference.providers import check_installation
from ..processors.library import Library
from . import places
from .film_frames import FilmOptions, Told
from .film_job import FilmJob
from .jobs import Job, plan
from .logs import configure
from .picture_job import PictureJob
from .process_report import STAGES, FileReport, ProcessReport, limit, show, to_json
from .process_settings import film_options, process_settings
from .progress import Bar, peak_mb
from .studio import Studio, open_studio

log = structlog.get_logger(__name__)


def process(args: argparse.Namespace) -> int:
    """Does all jobs; one that fails does not stop the rest. Returns the first failure's exit code, else 0."""
    configure(logging.INFO if args.verbose else logging.ERROR)
    check_installation()
    library = Library(places.data_dir())
    settings = process_settings(args, library)
    options = film_options(args)
    jobs = plan(args.input, Path(args.output), overwrite=args.overwrite, resume=args.resume)
    began_s, cpu_s = time.monotonic(), time.process_time()
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as house:
        studio = open_studio(house, settings, library, __version__, places.cache_dir())
        bar = house.enter_context(Bar(Console(stderr=True), quiet=args.quiet))
        run = _Run(studio, options, args.video_quality, args.resume, bar, alone=len(jobs) == 1)
        for kind, group in groupby(jobs, key=lambda job: job.kind):
            if kind == "film":
                for job in group:
                    run.film(job)
            else:
                run.pictures(list(group))
        seconds = time.monotonic() - began_s
        result = _summed(run.reports, studio, seconds, time.process_time() - cpu_s)
    if args.json:
        sys.stdout.write(to_json(result) + "\n")
    elif not args.quiet:
        show(result, Console(soft_wrap=True))
    return run.exit_code


@dataclass(slots=True)
class _Run:
    """All jobs of one call, one after another; pictures side by side."""

    studio: Studio
    options: FilmOptions
    quality: int | None
    resume: bool
    bar: Bar
    alone: bool
    """There is one job: its error is the run's."""
    reports: list[FileReport] = field(default_factory=list)
    exit_code: int = 0

    def film(self, job: Job) -> None:
        """One film."""
        meter, begun = Meter(), False

        def tell(told: Told) -> None:
            nonlocal begun
            if not begun:
                begun = True
                self.bar.begin(job.source.name, told.total, told.resumed)
            self.bar.at(told.frames_out, told.total, limit(_stages(meter), self.studio.pool.workers))

        def work() -> Told:
            return FilmJob(
                job.source, job.target, self.studio, self.options, meter, self.resume, tell=tell
            ).run()

        self._report(job, meter, work)

    def pictures(self, jobs: list[Job]) -> None:
        """Many pictures, as many at once as there are workers; reported in order."""
        pictures = PictureJob(self.studio, self.quality)
        waiting: deque[tuple[Job, Meter, Future[Told]]] = deque()
        self.bar.begin(f"{len(jobs)} pictures", len(jobs))
        for n, job in enumerate([*jobs, *[None] * (self.studio.pool.workers + 2)]):
            if job is not None:
                meter = Meter()
                waiting.append((job, meter, self.studio.pool.submit(_picture, pictures, job, meter)))
            if waiting and (job is None or n > self.studio.pool.workers):
                first, meter, future = waiting.popleft()
                self._report(first, meter, future.result)
                self.bar.at(
                    len(jobs) - len(waiting), len(jobs), limit(_stages(meter), self.studio.pool.workers)
                )

    def _report(self, job: Job, meter: Meter, work: Callable[[], Told]) -> None:
        began_s = time.monotonic()
        try:
            _folder(job.target.parent)
            told = work()
        except FaceswapdError as error:
            if self.alone:
                raise
            log.info("file.failed", file=str(job.source), error=str(error))
            self.exit_code = self.exit_code or error.exit_code
            self.reports.append(FileReport(str(job.source), str(job.target), error=str(error)))
            return
        seconds, stages = max(1e-6, time.monotonic() - began_s), _stages(meter)
        film = job.kind == "film"
        self.reports.append(FileReport(
            str(job.source),
            str(job.target),
            frames_in=told.frames_in,
            frames_out=told.frames_out,
            faces=told.faces,
            # A picture shares its time with others: the sum of its stages is what it cost.
            seconds=round(seconds if film else sum(stages.values()) / 1000, 3),
            fps=round((told.frames_out - told.resumed) / seconds, 2) if film else 0.0,
            stages_ms=stages,
            limit=limit(stages, self.studio.pool.workers),
            encoder=told.encoder,
            audio=told.audio,
            size=told.size,
            resumed=told.resumed,
            notes=told.notes,
        ))  # fmt: skip


def _picture(pictures: PictureJob, job: Job, meter: Meter) -> Told:
    _folder(job.target.parent)
    return pictures.run(job.source, job.target, meter)


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingInputError(f"folder {path} ({error.strerror})", "save elsewhere") from None


def _stages(meter: Meter) -> dict[str, float]:
    means = {stage: meter.mean_ms(stage) for stage in STAGES}
    return {stage: round(ms, 3) for stage, ms in means.items() if ms}


def _summed(reports: list[FileReport], studio: Studio, seconds: float, cpu_s: float) -> ProcessReport:
    done = [r for r in reports if r.error is None]
    frames = sum(r.frames_out for r in done)
    stages = {
        stage: round(sum(r.stages_ms.get(stage, 0.0) * r.frames_out for r in done) / max(1, frames), 3)
        for stage in STAGES
        if any(stage in r.stages_ms for r in done)
    }
    return ProcessReport(
        frames_in=sum(r.frames_in for r in done),
        frames_out=frames,
        dropped=sum(r.dropped for r in done),
        seconds=round(seconds, 3),
        fps=round((frames - sum(r.resumed for r in done)) / seconds, 2),
        stages_ms=stages,
        encoder=", ".join(dict.fromkeys(r.encoder for r in done if r.encoder)),
        engine=studio.engines(),
        audio=", ".join(dict.fromkeys(r.audio for r in done)) or "none",
        workers=studio.pool.workers,
        memory_mb=round(peak_mb(), 1),
        cpu_seconds=round(cpu_s, 3),
        files=tuple(reports),
        failed=len(reports) - len(done),
    )


def _interrupt(_number: int, _frame: Any) -> None:
    """SIGTERM ends a job as Ctrl-C does: what is done is kept."""
    raise KeyboardInterrupt
