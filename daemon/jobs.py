"""Which file becomes which: inputs as users name them, turned into jobs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..capture.picture import format_of, is_still
from ..core.errors import MissingInputError, UsageError
from ..core.picture_format import READABLE_SUFFIXES, WRITABLE, WRITABLE_SUFFIXES, PictureFormat
from ..sinks.video import CONTAINERS

Kind = Literal["film", "picture"]

FILMS = frozenset({
    ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
    ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
"""What a folder is searched for; a file that is named may have any suffix."""
FILM = ".mp4"
"""The suffix of a film whose own kind cannot be written."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file into another."""

    source: Path
    target: Path
    kind: Kind


def plan(
    inputs: Iterable[str],
    output: Path | None,
    *,
    folder: bool = False,
    overwrite: bool = False,
    resume: bool = False,
) -> list[Job]:
    """The jobs for files, folders and lists (`@FILE`, a path a line), in order.

    A folder gives the pictures and films in it and below, which keep their places in the output folder. `folder`: the
    output is meant as one, whatever its name. What a link points to is written, not the link.
    Raises UsageError for an output that cannot be meant, or that exists and may not be overwritten;
    MissingInputError for a folder or list that is not there or has nothing for us. A file that is not there
    is left to its own job, so that the others are done.
    """
    words = [word for given in inputs for word in _listed(given)]
    if not words or output is None:
        raise UsageError(f"no {'output' if words else 'input'}", "write it as: process INPUT... -o OUT")
    for word in words:
        if "://" in word:
            raise UsageError(
                f"{word} is an address", "process takes files: save it as one first, or `run` it"
            )
    if output == Path("-"):
        raise UsageError("-o -", "process writes files: name one, or a folder")
    folders = any(Path(word).is_dir() for word in words)
    several, into = len(words) > 1 or folders, folder or output.is_dir()
    if several and output.suffix.lower() in READABLE_SUFFIXES | FILMS | set(CONTAINERS) and not into:
        raise UsageError(f"{output} names a file", "several inputs need a folder")
    many = several or into or not (output.suffix or output.exists())
    jobs: list[Job] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            found = _outside(path, output)
            if not found:
                raise MissingInputError(f"folder {path}", "there is no picture and no film in it")
            jobs += [_job(p, output / p.relative_to(path)) for p in found]
        elif path.exists() and not path.is_file():
            raise UsageError(
                f"{path} is a pipe or a device", "process reads more than once: save it as a file first"
            )
        else:
            jobs.append(_job(path, output / path.name) if many else _exact(path, output))
    if many:
        jobs = _apart(jobs)
    jobs = [replace(job, target=_pointed(job.target)) for job in jobs]
    _check(jobs, output, many=many, overwrite=overwrite or resume)
    return jobs


def kind_of(path: Path) -> Kind:
    """What a file is taken for; a picture that moves is a film."""
    return "picture" if is_still(path) else "film"


def _listed(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    try:
        lines = Path(word[1:]).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"list {word[1:]}", getattr(error, "strerror", None) or str(error)) from None
    paths = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not paths:
        raise MissingInputError(f"list {word[1:]}", "it names no file")
    yield from paths


def _found(folder: Path) -> list[Path]:
    paths = (p for p in folder.rglob("*") if p.suffix.lower() in READABLE_SUFFIXES | FILMS)
    hidden = (p for p in paths if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(p for p in hidden if p.is_file())


def _outside(folder: Path, output: Path) -> list[Path]:
    """What there is in a folder, without what earlier runs wrote into an output folder within it."""
    root, out = folder.resolve(), output.resolve()
    if root == out:
        raise UsageError(f"{output} is the input itself", "save elsewhere")
    paths = _found(folder)
    if not out.is_relative_to(root):
        return paths
    within = folder / out.relative_to(root)
    return [p for p in paths if not p.is_relative_to(within)]


def _job(source: Path, target: Path) -> Job:
    kind = kind_of(source)
    if kind == "film" and target.suffix.lower() not in CONTAINERS:
        target = target.with_suffix(FILM)
    if kind == "picture" and target.suffix.lower() not in WRITABLE_SUFFIXES:
        named = target.suffix.lower() in READABLE_SUFFIXES | FILMS
        target = target.with_name((target.stem if named else target.name) + _suffix(source))
    return Job(source, target, kind)


def _suffix(picture: Path) -> str:
    """Of what is written for a picture whose own name does not tell or cannot be kept."""
    kind = format_of(picture)
    return (kind if kind in WRITABLE else PictureFormat.JPEG).suffixes[0]


def _apart(jobs: list[Job]) -> list[Job]:
    """`a.avi` beside `a.mp4` becomes `a.avi.mp4`: a name that is not the file's own gives way. `A.JPG` and `a.jpg` are
    the same to some systems."""

    def name(job: Job) -> str:
        return str(job.target).casefold()

    own = {name(job) for job in jobs if job.target.name == job.source.name}
    made = Counter(name(job) for job in jobs if job.target.name != job.source.name)
    return [
        replace(job, target=job.target.with_name(job.source.name + job.target.suffix))
        if job.target.name != job.source.name and (name(job) in own or made[name(job)] > 1)
        else job
        for job in jobs
    ]


def _pointed(target: Path) -> Path:
    """What is written: a new file takes the name of the old one, and would take that of a link to it."""
    if not target.is_symlink():
        return target
    try:
        found = target.resolve()
    except (OSError, RuntimeError):
        raise UsageError(f"{target} is a link that leads nowhere", "give another name") from None
    if found.suffix.lower() != target.suffix.lower():
        raise UsageError(
            f"{target} is a link to {found}, which is called otherwise", "name what is to be written"
        )
    return found


def _exact(source: Path, target: Path) -> Job:
    kind = kind_of(source)
    known = CONTAINERS if kind == "film" else WRITABLE_SUFFIXES
    if target.suffix.lower() not in known:
        raise UsageError(
            f"{target} is no kind of {kind}", f"its name ends with {', '.join(sorted(known))}, or is a folder"
        )
    return Job(source, target, kind)


def _check(jobs: list[Job], output: Path, *, many: bool, overwrite: bool) -> None:
    if many and output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file", "several inputs need a folder")
    seen: dict[Path, Path] = {}
    for job in jobs:
        if job.target in seen:
            raise UsageError(
                f"{job.source} and {seen[job.target]} would both become {job.target}", "process them apart"
            )
        seen[job.target] = job.source
        if job.target.exists() and job.source.exists() and job.target.samefile(job.source):
            raise UsageError(f"{job.target} is the input itself", "save elsewhere")
        if job.target.exists() and (not overwrite or not job.target.is_file()):
            raise UsageError(f"{job.target} exists", "give another name, or say --overwrite")
