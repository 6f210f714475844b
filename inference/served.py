"""A model as processors hold it: the runner behind it may change between two runs."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal

from .choices import Choice, Timed
from .contracts import Contract
from .engine import Runner, Tensor
from .menu import Menu
from .tuning import Sample

SAMPLES = 6
"""Inputs kept of a model for timing it, as they come by in the daemon's own work. They stay in memory, until
the timing is over."""
_EVERY = 5
"""Of so many runs one is kept: six frames in a row would show one picture."""

Stage = Literal["settling", "confirming", "settled"]
"""Its candidates are still to be timed; what was chosen on made-up inputs is still to be seen on real ones; done."""


class Served:
    """A `Runner` that collects samples for its own timing. Any thread may call."""

    def __init__(
        self,
        contract: Contract,
        menu: Menu,
        fingerprint: str,
        choice: Choice,
        runner: Runner,
        stage: Stage,
        timed: Timed | None,
        ready: Callable[["Served"], None],
    ) -> None:
        """`timed` is what is known of it; whichever thread completes its samples calls `ready`."""
        self.contract = contract
        self.menu = menu
        self.fingerprint = fingerprint
        self.choice = choice
        self.runner = runner
        self.stage: Stage = stage
        self.timed = timed
        self.primed = False
        """Its samples did not come from the daemon's own work."""
        self.offering = threading.Lock()
        """Held while made-up samples are handed over."""
        self._ready = ready
        self._lock = threading.Lock()
        self._wanted = 0 if stage == "settled" else SAMPLES
        self._runs = 0
        self._samples: list[Sample] = []

    @property
    def model(self) -> str:
        """See `Runner.model`."""
        return self.contract.model

    @property
    def engine(self) -> str:
        """What serves it now."""
        return self.runner.engine

    @property
    def settled(self) -> bool:
        """Its engine is chosen; False while it is still to be timed."""
        return self.stage != "settling"

    @property
    def sampled(self) -> bool:
        """All samples that it waits for are there."""
        return 0 < self._wanted <= len(self._samples)

    @property
    def wants_samples(self) -> bool:
        """Samples that are made up would be of use: nothing is known of it yet."""
        return self.stage == "settling" and self._wanted > 0 and not self.sampled

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `Runner.run`."""
        if self._wanted:
            self._keep(inputs)
        return self.runner.run(*inputs)

    def close(self) -> None:
        """See `Runner.close`."""
        self.runner.close()

    def offer(self, samples: Sequence[Sample]) -> None:
        """Takes made-up samples in place of those that it waits for; what they choose is confirmed later."""
        with self._lock:
            if not self.wants_samples:
                return
            self._samples = list(samples)[: self._wanted]
            self.primed = full = self.sampled
        if full:
            self._ready(self)

    def claim(self) -> bool:
        """True once for each stage: whoever gets it does the timing."""
        with self._lock:
            if not self.sampled:
                return False
            self._wanted = 0
            return True

    def take(self) -> list[Sample]:
        """The samples, which are not kept any longer."""
        with self._lock:
            samples, self._samples = self._samples, []
            return samples

    def replace(self, choice: Choice, runner: Runner, timed: Timed) -> None:
        """Lets another runner serve. The one before it lives on in the runs that are under way."""
        self.choice, self.runner, self.timed = choice, runner, timed

    def go_on(self, stage: Stage) -> None:
        """To the next stage; to be confirmed it collects samples anew."""
        with self._lock:
            self.stage = stage
            self._runs, self._samples = 0, []
            self._wanted = SAMPLES if stage == "confirming" else 0

    def _keep(self, inputs: Sample) -> None:
        with self._lock:
            self._runs += 1
            if self._runs % _EVERY or len(self._samples) >= self._wanted:
                return
            self._samples.append(tuple(x.copy() for x in inputs))
            full = self.sampled
        if full:
            self._ready(self)


def offer(runner: Runner, make: Callable[[], Sequence[Sample]]) -> None:
    """Gives a runner made-up samples, where it has use for them; `make` is called only then.

    Where it is settled at once, as for files, every thread waits here until it is.
    """
    if isinstance(runner, Served) and not runner.settled:
        with runner.offering:
            if runner.wants_samples:
                runner.offer(make())
