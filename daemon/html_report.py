"""A page about a run: how fast it went, and where the time went. One file, no script, nothing from elsewhere."""

import os
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from ..core.errors import MissingInputError
from .process_report import STAGES, FileReport, ProcessReport
from .progress import Sample

_WIDTH, _HEIGHT = 720, 160
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem}"
    "body{color:#222;background:#fff}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}"
    "svg{width:100%;height:auto}.bad{color:#b00020}.dim{color:#767676}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}"
)


def check(path: Path) -> None:
    """Raises MissingInputError where the page cannot be written, before there is anything to write."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        reason = "that is a folder" if path.is_dir() else f"{folder} is no folder that can be written"
        raise MissingInputError(f"cannot write {path}: {reason}", "save elsewhere")


def write(path: Path, result: ProcessReport, samples: Sequence[Sample]) -> None:
    """Writes the page, replacing an old one. Raises MissingInputError when it cannot."""
    try:
        path.write_text(page(result, samples), encoding="utf-8")
    except OSError as error:
        raise MissingInputError(f"cannot write {path}: {error.strerror}", "save elsewhere") from None


def page(result: ProcessReport, samples: Sequence[Sample]) -> str:
    """The page as HTML; `samples` are the frames written at moments of the run."""
    engine = ", ".join(f"{m}: {e}" for m, e in sorted(result.engine.items())) or "none"
    facts = [
        ("frames", f"{result.frames_in} in, {result.frames_out} out, {result.dropped} dropped"),
        ("time", f"{result.seconds:.1f} s, {result.fps:.1f} frames per second"),
        ("work", f"{result.workers} workers, {result.cpu_seconds:.1f} s of processor time"),
        ("memory", f"at most {result.memory_mb:.0f} MB"),
        ("encoder", result.encoder or "none"),
        ("audio", result.audio),
        ("engine", engine),
    ]
    rows = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in facts)
    files = "".join(map(_file, result.files))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>faceswapd process</title><style>{_STYLE}</style><h1>{result.frames_out} frames</h1>"
        f"<table>{rows}</table><h2>Frames per second</h2>{_speed(samples)}"
        f"<h2>Milliseconds per frame</h2>{_stages(result)}<h2>Files</h2><table>{files}</table></html>\n"
    )


def _file(file: FileReport) -> str:
    name = escape(file.output if file.error is None else file.input)
    what = f"{file.frames_out} frames, {file.faces} faces, {file.encoder}" if file.encoder else "picture"
    if file.error is not None:
        what = f"<span class=bad>{escape(file.error)}</span>"
    notes = "".join(f"<br><span class=dim>{escape(note)}</span>" for note in file.notes)
    return f"<tr><td>{name}</td><td>{what}{notes}</td></tr>"


def _speed(samples: Sequence[Sample]) -> str:
    """Frames per second between one sample and the next, as a line over the time of the run."""
    rates = [
        (b.at_s, (b.frames - a.frames) / (b.at_s - a.at_s))
        for a, b in pairwise(samples)
        if b.at_s > a.at_s and b.frames >= a.frames
    ]
    if len(rates) < 2:
        return "<p class=dim>It was over too soon for a plot.</p>"
    end, most = rates[-1][0], max(rate for _, rate in rates) or 1.0
    points = " ".join(f"{t / end * _WIDTH:.1f},{_HEIGHT - r / most * (_HEIGHT - 10):.1f}" for t, r in rates)
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT + 20}' role=img aria-label='frames per second over time'>"
        f"<polyline points='{points}' fill=none stroke='#2a6fdb' stroke-width=2 />"
        f"<text x=0 y={_HEIGHT + 16} font-size=12 fill=gray>0 s</text>"
        f"<text x={_WIDTH} y={_HEIGHT + 16} font-size=12 fill=gray text-anchor=end>{end:.0f} s</text>"
        f"<text x=0 y=12 font-size=12 fill=gray>{most:.0f} fps</text></svg>"
    )


def _stages(result: ProcessReport) -> str:
    known = [(stage, result.stages_ms[stage]) for stage in STAGES if stage in result.stages_ms]
    most = max((ms for _, ms in known), default=0.0)
    if not most:
        return "<p class=dim>Nothing was processed.</p>"
    bars = "".join(
        f"<rect x=80 y={i * 26 + 4} width={ms / most * (_WIDTH - 160):.1f} height=18 rx=2 fill='#2a6fdb' />"
        f"<text x=0 y={i * 26 + 18} font-size=13 fill=gray>{stage}</text>"
        f"<text x={ms / most * (_WIDTH - 160) + 86:.1f} y={i * 26 + 18} font-size=12 fill=gray>{ms:.2f}</text>"
        for i, (stage, ms) in enumerate(known)
    )
    return (
        f"<svg viewBox='0 0 {_WIDTH} {26 * len(known)}' role=img aria-label='time of each stage'>{bars}</svg>"
    )
