"""What the jobs of one run share: models, workers, the chain, and how much memory there is."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..core.clock import Clock, SystemClock
from ..core.errors import UsageError
from ..core.settings import Settings
from ..inference.engine import Models
from ..inference.engines import Engines
from ..inference.pool import Pool
from ..processors.analysis import Analysis
from ..processors.chain import Chain, ChainBuilder
from ..processors.library import MASK, Library
from ..processors.processor import BatchRender, Workshop
from ..processors.registry import registry
from ..trust.disclosure import Disclosure
from .batch import Batch, ceiling
from .offline import Tracker
from .progress import free_mb, memory_mb
from .room import Room
from .thrift import Pressure, give_back_at_once

BYTES_PER_PIXEL = 9
"""Of a frame under way: decoded (1.5), BGR (3), the processors' copy (3) and for the encoder (1.5)."""

FREE_SHARE = 0.5
"""Of the machine's free memory that frames may take where no limit is set."""


@dataclass(slots=True)
class Studio:
    """Open while its `with` block lasts. `chain` is ready to work."""

    chain: Chain
    pool: Pool
    disclosure: Disclosure
    tracker: Callable[[], Tracker]
    """A new one, which knows no face yet."""
    engines: Callable[[], dict[str, str]] = dict
    """{model: what serves it}."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else the frames depend on: version, engines, and what is in `asked`."""
    asked: dict[str, Any] = field(default_factory=dict)
    """What the user chose beside the chain: badge, analysis, the worn photos and models by their content."""
    max_bytes: int | None = None
    models: Models | None = None
    """The user's too; None where a run has none."""
    clock: Clock = field(default_factory=SystemClock)
    problems: Callable[[], tuple[str, ...]] = tuple
    """See `Engines.problems`."""
    computes_on_cores: bool = False
    """The workers' own cores run the models: they are busy with one frame each."""

    def room(self, pixels: int, reserve: int = 0) -> tuple[Room, int]:
        """Room for frames of so many pixels beside `reserve` bytes of a codec, and what one takes in bytes."""
        frames, cost, most = 2 * self.pool.workers + 4, pixels * BYTES_PER_PIXEL, self.max_bytes
        if most is None:
            return Room(frames), cost
        left = most - reserve - round(memory_mb() * 1e6)
        return Room(frames, max(0, left), Pressure(most, lambda: memory_mb() * 1e6, give_back_at_once)), cost

    def batch(
        self, total: int | None, room: Room, cost: int, wanted: int | None = None, settled: int = 0
    ) -> Batch:
        """How many of `total` frames of `cost` bytes are rendered together: one where no processor gains by more,
        `wanted` of them where that is given, `settled` where an earlier run had found that, else what proves best.

        Cores gain nothing: 128-pixel swappers of 48 and 175 GMAC and a 512-pixel enhancer of 12 took 0.98 to 1.04
        times the processor time of a face with 2 or 4 at once. There the film would depend on what else the machine
        did while sizes were tried.
        """
        if not any(isinstance(step.render, BatchRender) for step in self.chain.enabled):
            return Batch()
        if self.computes_on_cores and wanted is None:
            return Batch()
        workers, bytes_ = self.pool.workers, room.limit_bytes
        if bytes_ is None:
            bytes_ = round(free_mb() * 1e6 * FREE_SHARE)
        fits = max(1, bytes_ // (cost * (workers + 1)))
        return Batch(min(wanted or ceiling(total, workers), fits), wanted or settled)


def open_studio(
    house: ExitStack,
    settings: Settings,
    library: Library,
    version: str,
    cache: Path,
    max_bytes: int | None = None,
) -> Studio:
    """Loads models and prepares the chain; `house` closes them. Raises as `ChainBuilder.build` does."""
    engines = Engines(settings.inference, cache=cache / "engines.json", live=False)
    house.callback(engines.close)
    pool = Pool("render", engines.plan.workers)
    house.callback(pool.close)
    analysis = Analysis(engines, settings.analysis, engines.plan)
    chain = ChainBuilder(registry(Workshop(engines, library, analysis=analysis))).build(settings.processors)
    asked: dict[str, Any] = {"badge": settings.badge, "faces": _photos(chain, library)}
    if chain.tracks:
        asked["analysis"] = msgspec.to_builtins(settings.analysis)
        analysis.tracker(settings.hold_s)  # loads what all the others share

    def serving() -> dict[str, str]:
        return {**engines.serving(), **analysis.serving()}

    own = set(engines.shelf.names())
    asked["models"] = {name: engines.shelf.card(name).sha256 for name in sorted(own & set(serving()))}
    facts = {**asked, "version": version, "engines": serving()}
    return Studio(
        chain,
        pool,
        Disclosure(settings.badge),
        lambda: analysis.tracker(settings.hold_s),
        serving,
        facts,
        asked,
        max_bytes,
        models=engines,
        problems=lambda: engines.problems,
        computes_on_cores=engines.plan.provider.computes_on_cores,
    )


def _photos(chain: Chain, library: Library) -> dict[str, str]:
    """{name: SHA-256} of the photos that are worn: another one may come to have the same name."""
    said = [getattr(step.params, key, "") for step in chain.enabled for key in ("face", "other_face")]
    found = {}
    for name in sorted({name for faces in said for name in faces.split("+")} - {MASK, ""}):
        try:
            found[name] = hashlib.sha256(library.photo(name).tobytes()).hexdigest()
        except UsageError:  # no face of the library: a chain that is built wears nothing of it
            continue
    return found
