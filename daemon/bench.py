"""`bench`: how fast this machine does the main job, on bundled material, from memory to memory."""

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ..capture.pump import Pump
from ..capture.source import Shot
from ..capture.sources import make_source
from ..core.clock import SystemClock
from ..core.errors import UsageError
from ..core.frame import Frame, Pixels
from ..core.meter import Meter, Quantiles
from ..core.settings import AnalysisSettings, InferenceSettings, ProcessorSettings, Settings, Size
from ..core.slot import Slot
from ..inference.engine import Runner, Tensor
from ..inference.engines import Engines
from ..inference.pool import Pool
from ..inference.providers import cores
from ..processors.analysis import Analysis
from ..processors.chain import Chain, ChainBuilder
from ..processors.library import Library
from ..processors.processor import Workshop
from ..processors.registry import registry
from ..processors.track_faces import FaceTracker
from ..sinks.fanout import Fanout
from ..sinks.memory import MemorySink
from ..trust.disclosure import Disclosure
from ..trust.failclosed import Gate, Policy
from . import config, places
from .lag import watch_lag
from .live import Frames, Live
from .logs import configure
from .options import analysis_options, check_analysis
from .precheck import check_analysis_models
from .run import loop_factory
from .threads import share_cores

CLIP = 90
"""Frames of the moving portrait that are made before the clock starts: 250 MB at 1280x720."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is timed."""

    name: str
    processors: tuple[str, ...]
    size: Size = (1280, 720)
    faces: int = 1
    fps: float | None = None
    """The source's rate; None: the next frame is there as soon as there is room for it."""
    workers: int = 0
    """0: the provider's own number; below it: so many fewer than there are cores."""


CASES = (
    Case("anonymize", ("anonymize",)),
    Case("mesh_swap", ("mesh_swap",)),
    Case("mesh_swap 60 fps source", ("mesh_swap",), fps=60.0),
    Case("mesh_swap 4 faces", ("mesh_swap",), faces=4),
    Case("mesh_swap 1920x1080", ("mesh_swap",), size=(1920, 1080)),
    Case("mesh_swap one core free", ("mesh_swap",), workers=-1),
    Case("passthrough", ()),
)


class Result(msgspec.Struct, frozen=True):
    """The figures of one case."""

    case: str
    fps: float
    latency_ms: Quantiles
    stages_ms: dict[str, Quantiles]
    loop_lag_ms: Quantiles
    dropped: dict[str, int]
    face_share: float
    cpu_ms: float
    """CPU time of the whole process for one frame."""
    models_ms: float
    """Of it, in models: their runs for one frame x the CPU time of one run, timed alone afterwards."""
    render_ms: float
    """Of it, in the processors' own arithmetic: likewise."""
    rest_ms: float
    """What is left: hand-offs, sizes, crops, smoothing, badge, pacing and this program's own loop."""
    workers: int
    engine: dict[str, str]


def bench(args: argparse.Namespace) -> int:
    """Runs the cases one after another, each from a fresh start with settled engines."""
    wanted = [c for c in CASES if not args.only or any(c.name.startswith(w) for w in args.only.split(","))]
    if not wanted or args.seconds <= 0:
        known = "; ".join(c.name for c in CASES)
        raise UsageError(
            f"nothing to time with --only {args.only} --seconds {args.seconds:g}", f"known: {known}"
        )
    configure(logging.WARNING)
    chosen = config.of_line({"analysis": analysis_options(args)}).analysis
    check_analysis(args, chosen)
    check_analysis_models(chosen, places.data_dir() / "models")
    _settle_engines(chosen)
    results = [measure(case, args.seconds, chosen) for case in wanted]
    if args.json:
        sys.stdout.write(msgspec.json.encode(results).decode() + "\n")
    else:
        _show(results)
    return 0


def measure(case: Case, seconds: float, analysis: AnalysisSettings | None = None) -> Result:
    """Times one case: a second of warm-up, then `seconds`."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_measure(case, seconds, analysis or AnalysisSettings()))


class _Memory:
    """Frames that are there as soon as somebody has room for them; also a paced source over the same clip."""

    def __init__(self, clip: Sequence[Pixels], fps: float) -> None:
        self.name, self.paced, self.fps = "memory", True, fps
        self.size = (clip[0].shape[1], clip[0].shape[0])
        self._clip = clip
        self._seq = 0
        self.until_ns = 0

    async def take(self) -> Frame | None:
        await asyncio.sleep(0)
        now_ns = time.monotonic_ns()
        if now_ns > self.until_ns:
            return None
        shot = self.read()
        return Frame(self._seq - 1, now_ns, shot.pixels)

    def open(self) -> None:
        """Nothing to open."""

    def read(self) -> Shot:
        """There and back through the clip, so that the movement never jumps."""
        n, self._seq = self._seq, self._seq + 1
        place = n % (2 * len(self._clip) - 2)
        return Shot(self._clip[min(place, 2 * len(self._clip) - 2 - place)], n / self.fps)

    def close(self) -> None:
        """Nothing to close."""


class _Counted:
    """Models whose runs are counted, with the last input of each kept to time it alone."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.shelf = engines.shelf
        self.runs: dict[str, int] = {}
        self.inputs: dict[str, tuple[Tensor, ...]] = {}

    def load(self, model: str, **options: Any) -> Runner:
        return _CountedRunner(self.engines.load(model, **options), self)

    def cpu_ms(self, model: str) -> float:
        """CPU time of one run, alone."""
        runner, inputs = self.engines.load(model), self.inputs[model]
        return _cpu_ms(lambda: runner.run(*inputs))


class _CountedRunner:
    def __init__(self, runner: Runner, counted: _Counted) -> None:
        self._runner, self._counted = runner, counted
        self.model = runner.model

    @property
    def engine(self) -> str:
        return self._runner.engine

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        c = self._counted
        c.runs[self.model] = c.runs.get(self.model, 0) + 1
        if self.model not in c.inputs:
            c.inputs[self.model] = tuple(x.copy() for x in inputs)
        return self._runner.run(*inputs)

    def close(self) -> None:
        self._runner.close()


def _cpu_ms(work: Any, count: int = 40) -> float:
    for _ in range(5):
        work()
    start = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - start) * 1e3 / count


def _clip(case: Case) -> list[Pixels]:
    source = make_source(
        f"portrait:{case.faces}" if case.faces > 1 else "portrait:", case.size, 30.0, loop=False
    )
    source.open()
    try:
        return [source.read().pixels for _ in range(CLIP)]
    finally:
        source.close()


async def _measure(case: Case, seconds: float, chosen: AnalysisSettings) -> Result:
    settings = Settings(size=case.size, fps=case.fps or 60.0)
    threads = case.workers if case.workers >= 0 else max(1, cores() + case.workers)
    engines = Engines(InferenceSettings(threads=threads), cache=places.cache_dir() / "engines.json")
    models = _Counted(engines)
    analysis = Analysis(models, chosen, engines.plan)
    workshop = Workshop(models, Library(places.data_dir()), analysis=analysis)
    chain = ChainBuilder(registry(workshop)).build([ProcessorSettings(name) for name in case.processors])
    tracker = analysis.tracker()
    share_cores(engines.plan)
    pool = Pool("infer", engines.plan.workers)
    memory = _Memory(_clip(case), case.fps or 30.0)
    try:
        await _play(case, settings, memory, chain, tracker, pool, 1.0)
        models.runs.clear()
        before_s = time.process_time()
        meter, fps = await _play(case, settings, memory, chain, tracker, pool, seconds)
        cpu_ms = (time.process_time() - before_s) * 1e3 / max(1, meter.frames)
        models_ms = sum(n / max(1, meter.frames) * models.cpu_ms(m) for m, n in models.runs.items())
        render_ms = _render_ms(memory, chain, tracker)
    finally:
        await pool.drain(2.0)
        pool.close()
        serving = {**engines.serving(), **analysis.serving()}
        engines.close()
    stages = meter.quantiles()
    faces = meter.counted("face_frames")
    return Result(
        case=case.name,
        fps=round(fps, 1),
        latency_ms=stages.pop("latency", Quantiles()),
        loop_lag_ms=stages.pop("loop_lag", Quantiles()),
        stages_ms=stages,
        dropped=meter.counted("dropped"),
        face_share=round(faces.get("processed", 0) / faces["seen"], 4) if faces.get("seen") else 1.0,
        cpu_ms=round(cpu_ms, 2),
        models_ms=round(models_ms, 2),
        render_ms=round(render_ms, 2),
        rest_ms=round(cpu_ms - models_ms - render_ms, 2),
        workers=engines.plan.workers,
        engine=serving,
    )


async def _play(
    case: Case,
    settings: Settings,
    memory: _Memory,
    chain: Chain,
    tracker: FaceTracker,
    pool: Pool,
    seconds: float,
) -> tuple[Meter, float]:
    meter, clock = Meter(), SystemClock()
    fanout = Fanout([MemorySink("memory:", keep=0)], settings.size, settings.fps, clock, meter)
    await fanout.start()
    slot: Slot[Frame] = Slot(asyncio.get_running_loop(), lambda _: meter.count("dropped", "stale"))
    frames: Frames = memory if case.fps is None else slot
    live = Live(settings, frames, tracker, pool, fanout, meter, clock, chain, Gate(Policy()), Disclosure())
    memory.until_ns = clock.now_ns() + round(seconds * 1e9)
    lag = asyncio.create_task(watch_lag(meter, clock))
    running = asyncio.create_task(live.run())
    if case.fps is not None:
        pump = Pump(memory, slot.offer, clock, meter)
        await asyncio.to_thread(pump.start)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(pump.stop)
        slot.end()
    await running
    lag.cancel()
    await fanout.close()
    return meter, meter.fps


def _render_ms(memory: _Memory, chain: Chain, tracker: FaceTracker) -> float:
    """CPU time of the chain alone on one frame with its faces, without the copy that the frame needs anyway."""
    if not chain.enabled:
        return 0.0
    pixels = memory.read().pixels
    tracker.reset()
    sighting = tracker.track(Frame(0, 0, pixels), every_frame=True)
    return _cpu_ms(lambda: chain.render(pixels, sighting)) - _cpu_ms(pixels.copy)


def _settle_engines(chosen: AnalysisSettings, limit_s: float = 30.0) -> None:
    """Lets `auto` time the engines once, on the clip, so that no case is measured while it still does."""
    engines = Engines(cache=places.cache_dir() / "engines.json")
    memory = _Memory(_clip(CASES[0]), 30.0)
    try:
        tracker = Analysis(engines, chosen, engines.plan).tracker()
        engines.tune()
        end_s = time.monotonic() + limit_s
        while not engines.settled and time.monotonic() < end_s:
            shot = memory.read()
            tracker.track(Frame(0, time.monotonic_ns(), shot.pixels), every_frame=True)
    finally:
        engines.close()


def _show(results: list[Result]) -> None:
    table = Table(
        title="memory to memory, in ms: latency p50 and p99, loop lag p99, CPU of a frame",
        title_justify="left",
        box=None,  # within 80 columns
        pad_edge=False,
        collapse_padding=True,
    )
    for column in (
        "case",
        "fps",
        "p50",
        "p99",
        "lag",
        "cpu",
        "models",
        "render",
        "rest",
        "faces",
    ):
        table.add_column(column, justify="left" if column == "case" else "right")
    for r in results:
        table.add_row(
            r.case, f"{r.fps:.1f}", f"{r.latency_ms.p50:.1f}", f"{r.latency_ms.p99:.1f}",
            f"{r.loop_lag_ms.p99:.2f}", f"{r.cpu_ms:.1f}", f"{r.models_ms:.1f}", f"{r.render_ms:.1f}",
            f"{r.rest_ms:.1f}", f"{r.face_share:.1%}",
        )  # fmt: skip
    Console(width=110).print(table)
