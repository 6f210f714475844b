"""Which candidate serves a model: each is judged, the good ones are timed, and what samples chose real work confirms.

Everything here takes as long as its runs; it is called on the tuning thread.
"""

import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from ..core.errors import FaceswapdError
from .choices import Choice, Timed
from .contracts import Contract
from .engine import Runner, Tensor
from .quantise import Ranges, wider
from .referring import Content
from .served import Served
from .tuning import BEHIND, Sample, medians_ms, strays

log = structlog.get_logger(__name__)

WORTH = 0.9
"""Another engine takes over where it needs less than this share of the time; below that it is noise."""


class Kitchen(Protocol):
    """Makes runners. Raises FaceswapdError for one that cannot be made here."""

    def make(self, choice: Choice, contract: Contract, content: Content, ranges: Ranges | None) -> Runner:
        """A runner; `ranges` are for int8."""

    def ranges(
        self, choice: Choice, contract: Contract, content: Content, samples: Sequence[Sample]
    ) -> Ranges:
        """What the convolutions are given in these runs."""

    def careful(self, choice: Choice, content: Content, ranges: Ranges) -> Ranges:
        """The ranges without those that cost most where they cost anything."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a stage has found."""

    runner: Runner
    timed: Timed


class _Once:
    """A runner that runs each sample once: several candidates are judged by the same outputs of a slow model."""

    def __init__(self, runner: Runner, samples: Sequence[Sample]) -> None:
        self.model, self.engine = runner.model, runner.engine
        self._runner = runner
        self._samples = samples
        self._known: dict[int, tuple[Tensor, ...]] = {}

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        number = next(n for n, sample in enumerate(self._samples) if sample[0] is inputs[0])
        if number not in self._known:
            self._known[number] = self._runner.run(*inputs)
        return self._known[number]

    def close(self) -> None:
        self._known.clear()


def settle(served: Served, content: Content, kitchen: Kitchen, stop: threading.Event) -> Verdict | None:
    """Judges and times all candidates of one model; None where `stop` was set before the end."""
    contract, menu, samples = served.contract, served.menu, served.take()
    runners: dict[Choice, Runner] = {served.choice: served.runner}
    reference = _Once(served.runner, samples)
    refused: dict[str, str] = {}
    ranges: Ranges = {}
    behind: dict[Choice, float] = {}
    for choice in menu.candidates:
        if choice in runners or stop.is_set():
            continue
        try:
            if choice.precision == "int8":
                learned = kitchen.ranges(choice, contract, content, samples[::2])
                runner, ranges, reason = _eighths(
                    choice, contract, content, kitchen, learned, reference, samples[1::2]
                )
            else:
                runner = kitchen.make(choice, contract, content, None)
                reason = strays(contract, reference, runner, samples)
        except FaceswapdError as error:
            reason = str(error)
        if reason:
            refused[str(choice)] = reason
            _say(choice, served, reason)
        else:
            behind |= _let_go(runners, {choice: runner}, {served.choice, *menu.asked}, samples, stop)
    ms = medians_ms(runners, samples, stop)
    if not ms:
        return None
    asked = [choice for choice in ms if choice in menu.asked]
    best = min(asked or ms, key=lambda choice: ms[choice])
    if not asked and ms[best] > WORTH * ms[served.choice]:
        best = served.choice
    known = behind | ms
    words = {str(choice): round(known[choice], 3) for choice in menu.candidates if choice in known}
    log.info("engine.chosen", model=contract.model, engine=str(best), ms=words)
    kept = dict(ranges) if best.precision == "int8" else {}
    confirmed = best.precision == "fp32" or not served.primed
    return Verdict(runners[best], Timed(contract.model, best, words, kept, refused, confirmed))


def _let_go(
    runners: dict[Choice, Runner],
    fresh: dict[Choice, Runner],
    kept: Set[Choice],
    samples: Sequence[Sample],
    stop: threading.Event,
) -> dict[Choice, float]:
    """Adds `fresh` to `runners`, and closes those that are far behind already: {choice: ms of one run}.

    Each of them holds the whole model: four of a large one are more than many a machine has memory for.
    """
    runners |= fresh
    ms = medians_ms(runners, samples, stop, 1)
    slow = {c: t for c, t in ms.items() if t > BEHIND * min(ms.values()) and c not in kept}
    for choice in slow:
        runners.pop(choice).close()
    return slow


def confirm(served: Served, content: Content, kitchen: Kitchen) -> Verdict:
    """Judges what serves by inputs of the daemon's own work, and finds another where it strays.

    int8 gets a second chance with ranges that hold these inputs, too.
    """
    contract, timed, samples = served.contract, served.timed, served.take()
    assert timed is not None, "what is to be confirmed was chosen"
    exact = next(c for c in served.menu.candidates if c.precision == "fp32")
    plain = kitchen.make(exact, contract, content, None)
    reference = _Once(plain, samples)
    failed = served.choice
    judged = samples[1::2] if failed.precision == "int8" else samples
    reason = _judged(contract, reference, served.runner, judged)
    if not reason:
        log.info("engine.confirmed", model=contract.model, engine=str(failed))
        return Verdict(served.runner, msgspec.structs.replace(timed, confirmed=True))
    if failed.precision == "int8":
        try:
            learned = wider(timed.ranges, kitchen.ranges(failed, contract, content, samples[::2]))
            runner, ranges, reason = _eighths(failed, contract, content, kitchen, learned, reference, judged)
        except FaceswapdError as error:
            reason = str(error)
        else:
            if not reason:
                log.info("engine.calibrated", model=contract.model, engine=str(failed))
                kept = msgspec.structs.replace(timed, ranges=dict(ranges), confirmed=True)
                return Verdict(runner, kept)
    _say(failed, served, reason)
    refused = {**timed.refused, str(failed): reason}
    timed_ms = timed.ms
    others = sorted(
        (c for c in served.menu.candidates if c != failed and str(c) in timed_ms),
        key=lambda c: timed_ms[str(c)],
    )
    choice, runner = exact, plain  # whatever else fails, what strays serves no longer
    for other in others:
        if other == exact:
            break
        if other.precision == "int8":
            continue
        try:
            made = kitchen.make(other, contract, content, None)
        except FaceswapdError as error:
            _say(other, served, str(error))
            continue
        if other.precision == "fp32" or not _judged(contract, reference, made, samples):
            choice, runner = other, made
            break
    log.info("engine.chosen", model=contract.model, engine=str(choice), ms=timed_ms)
    return Verdict(runner, Timed(contract.model, choice, timed_ms, {}, refused, confirmed=True))


def _judged(contract: Contract, reference: Runner, other: Runner, samples: Sequence[Sample]) -> str:
    """As `strays`; a runner that fails on a sample is refused for that."""
    try:
        return strays(contract, reference, other, samples)
    except FaceswapdError as error:
        return str(error)


def _eighths(
    choice: Choice,
    contract: Contract,
    content: Content,
    kitchen: Kitchen,
    learned: Ranges,
    reference: Runner,
    judged: Sequence[Sample],
) -> tuple[Runner, Ranges, str]:
    """(runner, its ranges, why it is refused). All convolutions are tried, then all but those that give pictures.

    What int8 is calibrated on says nothing about how good it is: `judged` are other samples.
    """
    runner = kitchen.make(choice, contract, content, learned)
    reason = strays(contract, reference, runner, judged)
    if reason:
        learned = kitchen.careful(choice, content, learned)
        runner = kitchen.make(choice, contract, content, learned)
        reason = strays(contract, reference, runner, judged)
    return runner, learned, reason


def _say(choice: Choice, served: Served, reason: str) -> None:
    """What was asked for and is refused is said louder than what was only tried."""
    say = log.warning if choice in served.menu.asked else log.info
    say("engine.refused", model=served.model, engine=str(choice), reason=reason)
