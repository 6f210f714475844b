"""What the daemon tells, as tables for people."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ..core.errors import UsageError
from ..core.events import ProcessorInfo, State, Stats
from ..core.params import ParamInfo


def status(state: State) -> Table:
    """The state, a line each."""
    table = _grid()
    phase = state.phase + (", privacy" if state.privacy else "") + (", frozen" if state.frozen else "")
    style = "red" if state.problems or state.phase == "degraded" else "green"
    table.add_row("phase", Text(phase, style=style))
    table.add_row("showing", state.showing)
    table.add_row("source", state.source)
    table.add_row("output", ", ".join(state.outputs) or "none")
    table.add_row("picture", f"{state.size[0]}x{state.size[1]} at {state.fps:g}")
    for n, processor in enumerate(state.processors):
        values = " ".join(f"{k}={_text(v)}" for k, v in processor.params.items())
        mark = Text("on   ", style="green") if processor.enabled else Text("off  ", style="dim")
        table.add_row("" if n else "chain", mark + Text(f"{processor.name} {values}"))
    table.add_row("face", state.face)
    table.add_row("no face", state.on_no_face)
    table.add_row("engine", ", ".join(f"{m}: {e}" for m, e in state.engine.items()))
    for problem in state.problems:
        table.add_row(Text("problem", style="red"), problem)
    return table


def changed(state: State, words: Sequence[str]) -> Text:
    """What has become of the thing that was changed, in one line."""
    for processor in state.processors:
        if processor.name in words:
            values = " ".join(f"{k}={_text(v)}" for k, v in processor.params.items())
            return Text(f"{processor.name} {'on' if processor.enabled else 'off'} {values}".rstrip())
    if "privacy" in words:
        return Text(f"privacy {'on' if state.privacy else 'off'}")
    if "freeze" in words:
        return Text(f"freeze {'on' if state.frozen else 'off'}")
    return Text(f"revision {state.rev}")


def stats(now: Stats) -> Table:
    """Frame rate, latency by stage, drops by cause."""
    table = _grid()
    table.add_row("frames", f"{now.frames} in {now.uptime_s:.0f} s, {now.fps:.1f} fps")
    latencies = {"latency now": now.latency_ms, "of the run": now.latency_run_ms}
    for name, q in {**latencies, **now.stages_ms, "loop lag": now.loop_lag_ms}.items():
        table.add_row(name, f"p50 {q.p50:.2f}  p95 {q.p95:.2f}  p99 {q.p99:.2f} ms")
    table.add_row("dropped", " ".join(f"{cause}={n}" for cause, n in now.dropped.items()) or "none")
    table.add_row("faces treated", f"{now.face_share:.1%}")
    return table


def worn(state: State) -> Text:
    """What has become of a chosen face: it is seen only while a processor that wears it is on."""
    wearers = [p for p in state.processors if "face" in p.params]
    if any(p.enabled for p in wearers) or not wearers:
        return Text(f"wearing {state.face}")
    name = wearers[0].name
    return Text(f"{state.face} is worn as soon as {name} is on: faceswapd ctl toggle {name}")


def named(infos: Sequence[ProcessorInfo], name: str) -> tuple[ProcessorInfo, ...]:
    """The one of that name, or all of them where it is empty. Raises UsageError, which names those there are."""
    found = tuple(info for info in infos if name in ("", info.name))
    if not found:
        raise UsageError(f"no processor {name!r}", f"known are {', '.join(info.name for info in infos)}")
    return found


def processors(infos: Iterable[ProcessorInfo], state: State | None = None) -> Table:
    """Processors with their parameters: those of the chain of `state` with what they are set to, else the defaults."""
    chain = {p.name: p for p in state.processors} if state else {}
    table = Table.grid(padding=(0, 2))
    for n, info in enumerate(infos):
        if n:
            table.add_row()
        now = chain.get(info.name)
        enabled = _text(now.enabled) if now else "not in the chain" if state else ""
        table.add_row(Text(info.name, style="bold"), enabled, info.help)
        for param in info.params:
            value = now.params.get(param.name, param.default) if now else param.default
            shown = f"{_text(value)} {param.unit}".rstrip()
            may_be = f" ({_range(param)})" if _range(param) else ""
            table.add_row(f"  {param.name}", shown or Text("empty", style="dim"), Text(param.help + may_be))
    return table


def rows(items: Sequence[dict[str, Any]], *columns: str) -> Table:
    """A plain table of some keys."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for item in items:
        values = (item.get(c, "") for c in columns)
        table.add_row(*(("yes" if v else "") if isinstance(v, bool) else _text(v) for v in values))
    return table


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    return table


def _range(param: ParamInfo) -> str:
    if param.enum:
        return " | ".join(param.enum)
    if param.min is not None or param.max is not None:
        return f"{_text(param.min)} to {_text(param.max)}"
    return ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
