"""`process`: pictures, films and folders through the same chain, as fast as the machine can."""

import argparse
import logging
import signal
import sys
import time
from contextlib import ExitStack
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
from .film_job import FilmJob, FilmOptions, Told
from .jobs import Job, plan
from .logs import configure
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
    jobs = plan(args.input, Path(args.output), overwrite=args.overwrite, resume=args.resume)
    began_s, cpu_s = time.monotonic(), time.process_time()
    reports: list[FileReport] = []
    errors: list[FaceswapdError] = []
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as house:
        studio = open_studio(house, settings, library, __version__, places.cache_dir())
        bar = house.enter_context(Bar(Console(stderr=True), quiet=args.quiet))
        for job in jobs:
            try:
                reports.append(_film(job, studio, film_options(args), bar, resume=args.resume))
            except FaceswapdError as error:
                log.info("file.failed", file=str(job.source), error=str(error))
                if len(jobs) == 1:
                    raise
                errors.append(error)
                reports.append(FileReport(str(job.source), str(job.target), error=str(error)))
        seconds = time.monotonic() - began_s
        result = _summed(reports, studio, seconds, time.process_time() - cpu_s)
    if args.json:
        sys.stdout.write(to_json(result) + "\n")
    elif not args.quiet:
        show(result, Console(soft_wrap=True))
    return errors[0].exit_code if errors else 0


def _film(job: Job, studio: Studio, options: FilmOptions, bar: Bar, *, resume: bool) -> FileReport:
    meter = Meter()
    began_s = time.monotonic()
    begun = False

    def tell(told: Told) -> None:
        nonlocal begun
        if not begun:
            begun = True
            bar.begin(job.source.name, told.total, told.resumed)
        bar.at(told.frames_out, told.total, limit(_stages(meter), studio.pool.workers))

    _folder(job.target.parent)
    told = FilmJob(job.source, job.target, studio, options, meter, resume, tell=tell).run()
    seconds = time.monotonic() - began_s
    stages = _stages(meter)
    return FileReport(
        str(job.source),
        str(job.target),
        frames_in=told.frames_in,
        frames_out=told.frames_out,
        faces=told.faces,
        seconds=round(seconds, 3),
        fps=round((told.frames_out - told.resumed) / seconds, 2),
        stages_ms=stages,
        limit=limit(stages, studio.pool.workers),
        encoder=told.encoder,
        audio=told.audio,
        size=told.size,
        resumed=told.resumed,
        notes=told.notes,
    )


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
