"""`process`: pictures, films and folders through the same chain, as fast as the machine can."""

import argparse
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import cv2
import msgspec
import structlog
from rich.console import Console

from .. import __version__
from ..core.errors import FaceswapdError, MissingInputError, UsageError
from ..inference.providers import check_installation
from ..processors.library import Library
from . import places
from .html_report import check, write
from .interruption import Interruption
from .jobs import plan
from .ledger import Ledger
from .logs import configure
from .precheck import check_chain, check_models
from .process_options import add_process_options
from .process_report import FileReport, failure, show, summed, to_json
from .process_run import Run
from .process_settings import max_bytes, process_settings
from .progress import Bar, peak_mb
from .studio import open_studio

log = structlog.get_logger(__name__)


def process(args: argparse.Namespace) -> int:
    """Does all jobs; one that fails does not stop the rest.

    Returns the first failure's exit code, 130 after an interruption, else 0.
    """
    try:
        return _process(args)
    except KeyboardInterrupt:
        sys.stderr.write("faceswapd: interrupted; the same command with --resume goes on\n")
        return 130


def _process(args: argparse.Namespace) -> int:
    configure(logging.INFO if args.verbose else logging.ERROR)
    if not args.verbose:  # what is wrong with a picture is said in a line of ours
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    check_installation()
    library = Library(places.data_dir())
    if args.report and not (
        args.output and args.report.is_relative_to(args.output)
    ):  # that folder may yet come
        check(args.report)
    calls = [args] if args.jobs is None else calls_of(args)
    signal.signal(signal.SIGTERM, _interrupt)
    began_s, cpu_s = time.monotonic(), time.process_time()
    reports: list[FileReport] = []
    engine: dict[str, str] = {}
    problems: dict[str, None] = {}
    exit_code = workers = 0
    made: set[Path] = set()
    with Bar(_console(stderr=True), quiet=args.quiet or args.dry_run) as bar:
        for call in calls:
            try:
                run = _call(call, library, bar, made, alone=len(calls) == 1)
            except FaceswapdError as error:
                if len(calls) == 1:
                    raise
                exit_code = exit_code or error.exit_code
                names = ", ".join([*call.input, *call.inputs])
                reports.append(FileReport(names, call.output or "", error=str(error)))
                continue
            reports += run.reports
            exit_code = exit_code or run.exit_code
            workers = max(workers, run.studio.pool.workers)
            engine |= run.engine
            problems |= dict.fromkeys(run.problems)
            if limit := run.studio.max_bytes:
                problems |= dict.fromkeys(over(limit / 1e6, peak_mb()))
    seconds, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    result = summed(reports, engine, workers, seconds, cpu_s, peak_mb(), tuple(problems))
    if args.json:
        sys.stdout.write(to_json(result) + "\n")
    elif not args.quiet:
        show(result, _console(soft_wrap=True), dry=args.dry_run)
    if args.quiet:  # an exit code alone says nothing
        for file in (r for r in reports if r.error is not None):
            sys.stderr.write(f"faceswapd: {failure(file)}\n")
    if args.report:
        write(args.report, result, bar.samples)
    return exit_code


def _console(**more: Any) -> Console:
    """One that prints names of files as they are: brackets and `:smile:` mean nothing."""
    return Console(markup=False, emoji=False, **more)


def over(limit_mb: float, peak_mb: float) -> tuple[str, ...]:
    """What is said where models and one frame alone take more memory than the limit."""
    if peak_mb <= limit_mb:
        return ()
    return (f"--max-memory: needed {peak_mb:.0f} MB, the limit is {limit_mb:.0f} MB",)


def _call(args: argparse.Namespace, library: Library, bar: Bar, made: set[Path], *, alone: bool) -> Run:
    """One run. `made`: what earlier ones have written, which `--overwrite` does not mean."""
    overwrite = args.overwrite or args.dry_run
    if not (args.input or args.inputs):
        raise UsageError("no input", "name pictures, films or folders")
    output = Path(args.output) if args.output else None
    folder = bool(args.output) and args.output.endswith(("/", os.sep))
    inputs = [*args.input, *args.inputs]
    jobs = plan(inputs, output, folder=folder, overwrite=overwrite, resume=args.resume)
    targets = {job.target.resolve(): job.target for job in jobs}
    if twice := made & set(targets):
        raise UsageError(f"{targets[min(twice)]} is what an earlier job makes", "give each its own output")
    made |= set(targets)
    with ExitStack() as house:
        with Interruption():  # foreign code that is loaded may swallow a KeyboardInterrupt, or crash on it
            settings, limit = process_settings(args, library), max_bytes(args.max_memory)
            check_chain(settings, library, places.data_dir() / "models", args.config)
            check_models(settings, places.data_dir() / "models", args.config)
            studio = open_studio(house, settings, library, __version__, places.cache_dir(), limit)
        run = Run(studio, args, bar, alone and len(jobs) == 1, Ledger(places.state_dir() / "made"))
        run.all(jobs)
        run.engine, run.problems = studio.engines(), studio.problems()
    return run


def calls_of(args: argparse.Namespace) -> list[argparse.Namespace]:
    """The runs that `--jobs` names, each with the options of its table; what it leaves out is as on the command line.

    Raises MissingInputError for a file that is not there, UsageError for one that says nothing usable, and for inputs
    on the command line that no job takes.
    """
    calls = []
    tables = _tables(args.jobs)
    if (given := [*args.input, *args.inputs]) and all(_INPUTS & set(table) for table in tables):
        raise UsageError(
            f"{given[0]} beside --jobs {args.jobs}",
            "every job names its own input: give it a job, or leave it out",
        )
    for n, table in enumerate(tables):
        words: list[str] = []
        inputs: list[str] = []
        usual = {**vars(args), "jobs": None}
        if _INPUTS & set(table):
            usual |= {"input": [], "inputs": []}
        for key, value in table.items():
            if key == "input":
                inputs += ["--", *([value] if isinstance(value, str) else map(str, value))]
            elif value is True:
                words.append(f"--{key.replace('_', '-')}")
            elif isinstance(value, list):
                words += [f"--{key.replace('_', '-')}", *map(str, value)]
            elif value is not False:  # one word, so that `trim = "-1:00"` is no option
                words.append(f"--{key.replace('_', '-')}={value}")
        try:
            call = _parser().parse_args(words + inputs, argparse.Namespace(**usual))
        except UsageError as error:
            raise UsageError(
                f"{args.jobs}, job {n + 1}: {error.what}", "its keys are options of process"
            ) from None
        calls.append(call)
    return calls


_INPUTS = frozenset({"input", "target"})
"""Keys of a job that name what it is made from."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="job", add_help=False, argument_default=argparse.SUPPRESS)
    add_process_options(parser)
    for action in parser._actions:
        action.default = argparse.SUPPRESS  # what a table leaves out stays as the command line has it
    return parser


def _tables(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"jobs {file}", getattr(error, "strerror", None) or str(error)) from None
    try:
        found = msgspec.json.decode(text) if file.suffix.lower() == ".json" else msgspec.toml.decode(text)
    except msgspec.DecodeError as error:
        raise UsageError(f"jobs {file}: {error}", "mend the line it names") from None
    tables = found.get("job") if isinstance(found, dict) else found
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise UsageError(f"jobs {file}", "write [[job]] tables with input and output, or a list of objects")
    return tables


def _interrupt(_number: int, _frame: Any) -> None:
    """SIGTERM ends a job as Ctrl-C does: what is done is kept."""
    raise KeyboardInterrupt
