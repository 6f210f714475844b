"""What a run tells when it ends: the same numbers as a table for people and as one object for programs."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from ..core.events import State, Stats
from ..core.meter import Quantiles

STAGES = ("source", "wait", "fit", "track", "queue", "render", "disclose", "order", "handed")
"""The stages of a frame, in its order; their times add up to the latency."""


class Report(msgspec.Struct, frozen=True):
    """The end of a run. The field names are an interface: `--json` prints them."""

    frames: int
    fps: float
    latency_ms: Quantiles
    stages_ms: dict[str, Quantiles]
    dropped: dict[str, int]
    face_share: float
    face_frames: int
    engine: dict[str, str]
    output: list[str]
    saved: str | None
    loop_lag_ms: Quantiles
    first_frame_s: float | None
    """From the start of the process's work to the first processed frame."""
    films: tuple[str, ...] = ()
    """All that was saved, oldest first: a recording may be cut into several; `saved` is the first."""


def report(state: State, stats: Stats, films: Sequence[str], first_frame_s: float | None) -> Report:
    """The report of a run from its last state, its numbers and what it saved."""
    return Report(
        frames=stats.frames,
        fps=stats.fps,
        latency_ms=stats.latency_run_ms,
        stages_ms=stats.stages_ms,
        dropped=stats.dropped,
        face_share=stats.face_share,
        face_frames=stats.face_frames,
        engine=state.engine,
        output=list(state.outputs),
        saved=films[0] if films else None,
        loop_lag_ms=stats.loop_lag_ms,
        first_frame_s=first_frame_s,
        films=tuple(films),
    )


def to_json(result: Report) -> str:
    """One line of JSON."""
    return msgspec.json.encode(result).decode()


def show(result: Report, console: Console) -> None:
    """The table for people."""
    table = Table(title=f"{result.frames} frames, {result.fps:.1f} fps", title_justify="left")
    table.add_column("ms per frame")
    for name in ("p50", "p95", "p99"):
        table.add_column(name, justify="right")
    known = [s for s in STAGES if s in result.stages_ms]
    for name in known:
        _row(table, name, result.stages_ms[name])
    table.add_section()
    _row(table, "taken to handed over", result.latency_ms, style="bold")
    others = sorted(set(result.stages_ms) - set(known))
    if others:
        table.add_section()
        for name in others:
            _row(table, name, result.stages_ms[name])
    _row(table, "event loop lag", result.loop_lag_ms)
    console.print(table)
    for label, text in _lines(result):
        console.print(f"{label:>10}  {text}", highlight=False)


def _lines(result: Report) -> list[tuple[str, str]]:
    dropped = ", ".join(f"{n} {cause}" for cause, n in sorted(result.dropped.items())) or "none"
    faces = f"processed in {result.face_share:.1%} of {result.face_frames} frames with a face"
    lines = [
        ("dropped", dropped),
        ("faces", faces if result.face_frames else "none to hide or replace"),
        ("engine", ", ".join(f"{m}: {e}" for m, e in sorted(result.engine.items())) or "none"),
        ("output", ", ".join(result.output) or "none"),
    ]
    if result.first_frame_s is not None:
        lines.append(("start", f"first processed frame after {result.first_frame_s:.2f} s"))
    return [*lines, *(("saved", film) for film in result.films)]


def _row(table: Table, name: str, times: Quantiles, style: str = "") -> None:
    table.add_row(name, *(f"{t:.2f}" for t in (times.p50, times.p95, times.p99)), style=style)
