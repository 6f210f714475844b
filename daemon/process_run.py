"""The jobs of one call of `process`, one after another; pictures side by side."""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

import msgspec
import structlog
from av.video.frame import VideoFrame

from ..capture.hwaccel import AUTO
from ..core.errors import FaceswapdError, MissingInputError, UsageError
from ..core.frame import Pixels
from ..core.meter import Meter
from ..sinks.picture import save
from .contact_sheet import ContactSheet
from .crew import Crew
from .film_frames import Told
from .film_job import FilmJob
from .jobs import Job
from .journal import sweep
from .ledger import Ledger, Origin
from .line import Shot
from .picture_job import PictureJob
from .process_report import FileReport, limit, stages_of
from .process_settings import film_options
from .progress import Bar
from .row import Row
from .studio import Studio

log = structlog.get_logger(__name__)

SHEET = ".preview.png"


@dataclass(slots=True)
class Run:
    """Runs jobs and keeps their reports."""

    studio: Studio
    args: argparse.Namespace
    bar: Bar
    alone: bool
    """There is one job: its error is the run's."""
    ledger: Ledger | None = None
    """What earlier runs made from what."""
    reports: list[FileReport] = field(default_factory=list)
    engine: dict[str, str] = field(default_factory=dict)
    """What served the models, at the end."""
    problems: tuple[str, ...] = ()
    """What of the settings the engines could not do, at the end."""
    exit_code: int = 0
    """Of the first job that failed."""
    _kept: dict[Path, Path] = field(default_factory=dict)
    """{target: folder for its frames}."""

    def all(self, jobs: list[Job]) -> None:
        """Every job; with `--dry-run` nothing is written. Raises FaceswapdError if it is the only one."""
        film_options(self.args)  # a wrong option is said at once
        if self.args.keep_frames is not None:
            self._kept = dict(
                zip((j.target for j in jobs), folders(self.args.keep_frames, jobs), strict=True)
            )
        for kind, group in groupby(jobs, key=lambda job: job.kind):
            todo = [job for job in group if not self._there(job)]
            if self.args.dry_run:
                for job in todo:
                    self._report(job, Meter(), lambda job=job: self._look(job))  # type: ignore[misc]
            elif kind == "film":
                for job in todo:
                    self._film(job)
            else:
                self._pictures(todo)

    def _there(self, job: Job) -> bool:
        """There is nothing to do: an interrupted run had finished this one, or made something else of that name."""
        if not self.args.resume or self.args.overwrite or not job.target.exists():
            return False
        try:
            note = self._finished(job)
        except UsageError as error:
            self._fail(job, error)
        else:
            if job.kind == "film" and not self.args.dry_run:
                sweep(job.target)
            self.reports.append(FileReport(str(job.source), str(job.target), notes=(note,)))
        return True

    def _finished(self, job: Job) -> str:
        """What is said of a file that is there. Raises UsageError for one that is not what this run would make."""
        there, wanted = self.ledger.origin(job.target) if self.ledger else None, self._origin(job)
        if there is None or wanted is None:
            return "was there already; by its name alone, for nothing says what it was made from"
        if there.source != wanted.source:
            raise UsageError(
                f"{job.target} exists, made from another file", "save elsewhere, or say --overwrite"
            )
        if there.how != wanted.how:
            raise UsageError(
                f"{job.target} exists, made with other options", "save elsewhere, or say --overwrite"
            )
        return "was there already"

    def _origin(self, job: Job) -> Origin | None:
        """What a job's file is made from; None where its original is not there."""
        how: object = self.args.video_quality
        if (
            job.kind == "film"
        ):  # neither what decodes nor how many frames at once is meant to change a picture
            how = msgspec.structs.replace(film_options(self.args), hwaccel=AUTO, batch=None)
        try:
            return Origin.of(job.source, {"chain": self.studio.chain.states, **self.studio.asked, "how": how})
        except OSError:
            return None

    def _look(self, job: Job) -> Told:
        if job.kind == "picture":
            if not job.source.is_file():
                raise MissingInputError(f"picture {job.source}", "there is no such file")
            return Told(total=1)
        film = FilmJob(job.source, job.target, self.studio, film_options(self.args), Meter())
        film.look()
        return film.told

    def _film(self, job: Job) -> None:
        meter, begun = Meter(), False
        sheet = ContactSheet(self.args.preview) if self.args.preview else None
        keep = self._kept.get(job.target)

        def tell(told: Told) -> None:
            nonlocal begun
            if not begun:
                begun = True
                self.bar.begin(job.source.name, told.total, told.resumed)
            self.bar.at(told.frames_out, told.total, limit(stages_of(meter), self.studio.pool.workers))

        def watch(shot: Shot[VideoFrame], before: Pixels, after: Pixels) -> None:
            if sheet is not None and sheet.wants(
                shot.n, film.told.total_in if self.args.interpolate else film.told.total
            ):
                sheet.add(shot.n, before, after)
            if keep is not None:
                save(keep / f"{shot.n:06}.png", after)

        film = FilmJob(
            job.source, job.target, self.studio, film_options(self.args), meter, self.args.resume,
            tell=tell, watch=watch,
        )  # fmt: skip

        def work() -> Told:
            if keep is not None:
                _folder(keep)
            told = film.run()
            if sheet is not None:
                try:
                    sheet.save(job.target.with_name(job.target.name + SHEET))
                except FaceswapdError as error:  # the film is there
                    told.notes = (*told.notes, str(error))
            return told

        self._report(job, meter, work)

    def _pictures(self, jobs: list[Job]) -> None:
        """As many at once as there are workers; reported in order. Ctrl-C is obeyed between two of them."""
        workers, meters = self.studio.pool.workers, [Meter() for _ in jobs]
        pictures = PictureJob(self.studio, self.args.video_quality)
        row = Row([partial(_picture, pictures, *todo) for todo in zip(jobs, meters, strict=True)])
        with Crew("picture", min(workers, len(jobs)), row.choose, row.changed) as crew:
            self.bar.begin(f"{len(jobs)} pictures", len(jobs))
            for n, (job, meter) in enumerate(zip(jobs, meters, strict=True)):
                self._report(job, meter, crew.until(partial(row.outcome, n)).result)
                self.bar.at(n + 1, len(jobs), limit(stages_of(meter), workers))

    def _report(self, job: Job, meter: Meter, work: Callable[[], Told]) -> None:
        began_s, origin = time.monotonic(), self._origin(job)
        try:
            if not self.args.dry_run:
                _folder(job.target.parent)
            told = work()
        except FaceswapdError as error:
            self._fail(job, error)
            return
        if self.ledger is not None and origin is not None and not self.args.dry_run:
            self.ledger.enter(job.target, origin)
        seconds, stages = max(1e-6, time.monotonic() - began_s), stages_of(meter)
        film = job.kind == "film"
        self.reports.append(FileReport(
            str(job.source),
            str(job.target),
            frames_in=told.frames_in,
            frames_out=told.frames_out,
            frames_expected=told.total,
            faces=told.faces,
            # A picture shares its time with others: the sum of its stages is what it cost.
            seconds=round(seconds if film else sum(stages.values()) / 1000, 3),
            fps=round((told.frames_out - told.resumed) / seconds, 2) if film else 0.0,
            stages_ms=stages,
            limit=limit(stages, self.studio.pool.workers) if stages else "",
            decoder=told.decoder,
            encoder=told.encoder,
            audio=told.audio,
            size=told.size,
            interpolated=told.interpolated,
            batch=told.batch if film else 0,
            resumed=told.resumed,
            notes=told.notes,
        ))  # fmt: skip

    def _fail(self, job: Job, error: FaceswapdError) -> None:
        """Notes it; the others go on. Raises it again if there are no others."""
        if self.alone:
            raise error
        log.info("file.failed", file=str(job.source), error=str(error))
        self.exit_code = self.exit_code or error.exit_code
        self.reports.append(FileReport(str(job.source), str(job.target), error=str(error)))


def folders(within: Path, jobs: list[Job]) -> list[Path]:
    """Where the frames of each job are kept: by its name, with a number where an earlier one has the same."""
    known: Counter[str] = Counter()
    found = []
    for job in jobs:
        name = job.source.stem
        known[name] += 1
        found.append(within / (name if known[name] == 1 else f"{name}-{known[name]}"))
    return found


def _picture(pictures: PictureJob, job: Job, meter: Meter) -> Told:
    _folder(job.target.parent)
    return pictures.run(job.source, job.target, meter)


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingInputError(f"folder {path} ({error.strerror})", "save elsewhere") from None
