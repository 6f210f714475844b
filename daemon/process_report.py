"""What `process` tells at its end: a table for people, one object for programs."""

import msgspec
from rich.console import Console
from rich.table import Table

STAGES = ("decode", "convert", "detect", "swap", "encode")
"""Decoding waits for nothing; converting is colours, both ways; swap is all processors and the badge."""


class FileReport(msgspec.Struct, frozen=True):
    """One file. The field names are an interface: `--json` prints them."""

    input: str
    output: str
    frames_in: int = 0
    frames_out: int = 0
    dropped: int = 0
    """Always 0: files never drop."""
    faces: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    stages_ms: dict[str, float] = {}
    """Mean time of one frame in each stage; stages work side by side."""
    limit: str = ""
    """The stage that the others waited for."""
    encoder: str = ""
    audio: str = "none"
    size: tuple[int, int] = (0, 0)
    resumed: int = 0
    """Frames that an interrupted run had done."""
    notes: tuple[str, ...] = ()
    error: str | None = None
    """Why there is no output."""


class ProcessReport(msgspec.Struct, frozen=True):
    """A run over one or many files; sums of what its files have."""

    frames_in: int
    frames_out: int
    dropped: int
    seconds: float
    fps: float
    stages_ms: dict[str, float]
    encoder: str
    engine: dict[str, str]
    audio: str
    workers: int
    memory_mb: float
    """The most that the process ever held."""
    cpu_seconds: float
    files: tuple[FileReport, ...]
    failed: int


def to_json(result: ProcessReport) -> str:
    """One line of JSON."""
    return msgspec.json.encode(result).decode()


def limit(stages_ms: dict[str, float], workers: int) -> str:
    """The stage that is busiest: converting and the processors share the workers, the others have one thread."""
    shares = {
        "decode": stages_ms.get("decode", 0.0),
        "detect": stages_ms.get("detect", 0.0),
        "swap": (stages_ms.get("swap", 0.0) + stages_ms.get("convert", 0.0)) / max(1, workers),
        "encode": stages_ms.get("encode", 0.0),
    }
    return max(shares, key=lambda stage: shares[stage])


def show(result: ProcessReport, console: Console) -> None:
    """The table for people."""
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
            console.print(f"    failed  {file.input}: {file.error}", style="red", highlight=False)
            continue
        console.print(f"     saved  {file.output}", highlight=False)
        for note in file.notes:
            console.print(f"      note  {note}", highlight=False)
    lines = [
        ("frames", f"{result.frames_in} in, {result.frames_out} out, {result.dropped} dropped"),
        ("encoder", result.encoder or "none"),
        ("audio", result.audio),
        ("engine", ", ".join(f"{m}: {e}" for m, e in sorted(result.engine.items())) or "none"),
        ("work", f"{result.workers} workers, {result.cpu_seconds:.1f} s of processor time, "
                 f"at most {result.memory_mb:.0f} MB"),
    ]  # fmt: skip
    for label, text in lines:
        console.print(f"{label:>10}  {text}", highlight=False)
