"""What `process` tells at its end: a table for people, one object for programs."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from ..core.meter import Meter

STAGES = ("decode", "convert", "detect", "swap", "motion", "interpolate", "encode")
"""Decoding waits for nothing; converting is colours, both ways; swap is all processors and the badge; motion is
looked for once between two frames, each frame between them is one of interpolate."""


class FileReport(msgspec.Struct, frozen=True):
    """One file. The field names are an interface: `--json` prints them."""

    input: str
    output: str
    frames_in: int = 0
    frames_out: int = 0
    frames_expected: int | None = None
    """As the file says, before it is read."""
    dropped: int = 0
    """Always 0: files never drop."""
    faces: int = 0
    """Hidden or replaced, over all frames; one that is only restored or drawn upon does not count."""
    seconds: float = 0.0
    fps: float = 0.0
    stages_ms: dict[str, float] = {}
    """Mean time of one frame in each stage; stages work side by side."""
    limit: str = ""
    """The stage that the others waited for."""
    decoder: str = ""
    """What decoded the film, its device in brackets; empty for pictures."""
    encoder: str = ""
    audio: str = "none"
    size: tuple[int, int] = (0, 0)
    interpolated: int = 0
    """Frames that were drawn between two others."""
    batch: int = 0
    """Frames of a film that were rendered together, at its end."""
    resumed: int = 0
    """Frames that an interrupted run had done."""
    notes: tuple[str, ...] = ()
    error: str | None = None
    """Why there is no output."""


class ProcessReport(msgspec.Struct, frozen=True):
    """A run over one or many files; sums of what its files have."""

    frames_in: int
    frames_out: int
    interpolated: int
    dropped: int
    seconds: float
    fps: float
    stages_ms: dict[str, float]
    decoder: str
    encoder: str
    engine: dict[str, str]
    audio: str
    workers: int
    memory_mb: float
    """The most that the process ever held."""
    cpu_seconds: float
    files: tuple[FileReport, ...]
    failed: int
    problems: tuple[str, ...] = ()
    """Models that were not served as the settings ask, and engines that did not start."""


def stages_of(meter: Meter) -> dict[str, float]:
    """The mean time of a frame in each stage that there was, in ms."""
    means = {stage: meter.mean_ms(stage) for stage in STAGES}
    return {stage: round(ms, 3) for stage, ms in means.items() if ms}


def summed(
    files: Sequence[FileReport],
    engine: dict[str, str],
    workers: int,
    seconds: float,
    cpu_seconds: float,
    memory_mb: float,
    problems: tuple[str, ...] = (),
) -> ProcessReport:
    """The report of a run from those of its files."""
    done = [r for r in files if r.error is None]
    frames = sum(r.frames_out for r in done)
    stages = {
        stage: round(sum(r.stages_ms.get(stage, 0.0) * r.frames_out for r in done) / max(1, frames), 3)
        for stage in STAGES
        if any(stage in r.stages_ms for r in done)
    }
    return ProcessReport(
        frames_in=sum(r.frames_in for r in done),
        frames_out=frames,
        interpolated=sum(r.interpolated for r in done),
        dropped=sum(r.dropped for r in done),
        seconds=round(seconds, 3),
        fps=round((frames - sum(r.resumed for r in done)) / max(1e-6, seconds), 2),
        stages_ms=stages,
        decoder=", ".join(dict.fromkeys(r.decoder for r in done if r.decoder)),
        encoder=", ".join(dict.fromkeys(r.encoder for r in done if r.encoder)),
        engine=engine,
        audio=", ".join(dict.fromkeys(r.audio for r in done)) or "none",
        workers=workers,
        memory_mb=round(memory_mb, 1),
        cpu_seconds=round(cpu_seconds, 3),
        files=tuple(_printable(r) for r in files),
        failed=len(files) - len(done),
        problems=problems,
    )


def to_json(result: ProcessReport) -> str:
    """One line of JSON."""
    return msgspec.json.encode(result).decode()


def limit(stages_ms: dict[str, float], workers: int) -> str:
    """The stage that is busiest: converting and the processors share the workers, the others have one thread."""
    shares = {
        "decode": stages_ms.get("decode", 0.0),
        "detect": stages_ms.get("detect", 0.0),
        "swap": (stages_ms.get("swap", 0.0) + stages_ms.get("convert", 0.0)) / max(1, workers),
        "interpolate": (stages_ms.get("interpolate", 0.0) + stages_ms.get("motion", 0.0)) / max(1, workers),
        "encode": stages_ms.get("encode", 0.0),
    }
    return max(shares, key=lambda stage: shares[stage])


def printable(text: str) -> str:
    """A text that names files, as it can be printed and sent: bytes in it that are no UTF-8 as `\\udcff`."""
    return text.encode(errors="backslashreplace").decode()


def _printable(file: FileReport) -> FileReport:
    return msgspec.structs.replace(
        file,
        input=printable(file.input),
        output=printable(file.output),
        error=None if file.error is None else printable(file.error),
    )


def failure(file: FileReport) -> str:
    """Why a file failed, in one line that names it once."""
    error = file.error or ""
    return error if file.input in error else f"{file.input}: {error}"


def _plan(files: Sequence[FileReport], console: Console) -> None:
    for file in files:
        if file.error is not None:
            console.print(f"would fail  {failure(file)}", style="red", highlight=False)
            continue
        what = [f"{file.size[0]}x{file.size[1]}", f"{file.frames_expected or '?'} frames", file.encoder]
        film = f" ({', '.join(what)})" if file.encoder else ""
        notes = f" {'; '.join(file.notes)}" if file.notes else ""
        console.print(f"would write  {file.output}  from {file.input}{film}{notes}", highlight=False)


def show(result: ProcessReport, console: Console, *, dry: bool = False) -> None:
    """The table for people; `dry` tells what would be done."""
    if dry:
        _plan(result.files, console)
        return
    table = Table(
        title=f"{result.frames_out} frames in {result.seconds:.1f} s, {result.fps:.1f} fps",
        title_justify="left",
    )
    table.add_column("stage")
    table.add_column("ms per frame", justify="right")
    for stage in STAGES:
        if stage in result.stages_ms:
            table.add_row(stage, f"{result.stages_ms[stage]:.2f}")
    if result.frames_out:
        console.print(table)
    for file in result.files:
        if file.error is not None:
            console.print(f"    failed  {failure(file)}", style="red", highlight=False)
            continue
        console.print(f"     saved  {file.output}", highlight=False)
        for note in file.notes:
            console.print(f"      note  {note}", highlight=False)
    lines = [
        ("frames", f"{result.frames_in} in, {result.frames_out} out, {result.dropped} dropped"),
        ("decoder", result.decoder or "none"),
        ("encoder", result.encoder or "none"),
        ("audio", result.audio),
        ("engine", ", ".join(f"{m}: {e}" for m, e in sorted(result.engine.items())) or "none"),
        ("work", f"{result.workers} workers, {result.cpu_seconds:.1f} s of processor time, "
                 f"at most {result.memory_mb:.0f} MB"),
        *(("problem", text) for text in result.problems),
    ]  # fmt: skip
    for label, text in lines:
        console.print(f"{label:>10}  {text}", highlight=False)
