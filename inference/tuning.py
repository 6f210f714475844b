"""The measurements behind `engine = "auto"`: how fast a runner is beside others, and how far it strays."""

import math
import statistics
import threading
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from .contracts import MIN_PSNR_DB, Contract
from .engine import Runner, Tensor

Sample = tuple[Tensor, ...]
"""One real set of inputs."""

K = TypeVar("K", bound=Hashable)

ROUNDS = 12
"""Timed runs of each candidate, after two that are not."""
_FIRST = 3
"""Rounds that all candidates run."""
BEHIND = 1.5
"""Who takes so many times the fastest one's time will not be chosen, whatever the other rounds show."""
BUDGET_S = 10.0
"""After so long three of them have to do: a large model needs seconds for one run."""


def medians_ms(
    runners: Mapping[K, Runner], samples: Sequence[Sample], stop: threading.Event, rounds: int = ROUNDS
) -> dict[K, float]:
    """{key: median of one run in ms}; empty when `stop` was set before the end.

    The runners take turns on the same sample, so that whatever else the machine does meets all of them. Where
    that takes longer than `BUDGET_S`, three rounds are enough; after three, who is far behind runs no more.
    """
    times: dict[K, list[float]] = {key: [] for key in runners}
    running = dict(runners)
    since = time.perf_counter()
    for n in range(-2, rounds):
        if n >= _FIRST and time.perf_counter() - since > BUDGET_S:
            break
        if n == _FIRST:
            medians = {key: statistics.median(ms) for key, ms in times.items()}
            near = BEHIND * min(medians.values())
            running = {key: runner for key, runner in runners.items() if medians[key] <= near}
        sample = samples[n % len(samples)]
        for key, runner in running.items():
            if stop.is_set():
                return {}
            begun = time.perf_counter()
            runner.run(*sample)
            if n >= 0:
                times[key].append((time.perf_counter() - begun) * 1e3)
    return {key: statistics.median(ms) for key, ms in times.items()}


def strays(contract: Contract, reference: Runner, other: Runner, samples: Sequence[Sample]) -> str:
    """Which output of `other` is farther from `reference` than its tolerance, in words; "" if none is.

    Judged by the mean absolute difference over all samples, a picture by its mean squared one; a value that is
    no number strays always.
    """
    gaps: list[list[float]] = [[] for _ in contract.outputs]
    squares: list[list[float]] = [[] for _ in contract.outputs]
    for sample in samples:
        pairs = zip(reference.run(*sample), other.run(*sample), strict=True)
        for gap, square, (right, given) in zip(gaps, squares, pairs, strict=True):
            gap.append(float(np.abs(right - given).mean()))
            square.append(float(np.square(right - given).mean()))
    for spec, gap, square in zip(contract.outputs, gaps, squares, strict=True):
        if spec.peak is not None:
            found = psnr_db(statistics.fmean(square), spec.peak)
            if not found >= MIN_PSNR_DB:
                return f"{spec.name} is within {found:.1f} dB, asked are {MIN_PSNR_DB:g}"
        if spec.tolerance is not None and not statistics.fmean(gap) <= spec.tolerance:
            return f"{spec.name} moves by {statistics.fmean(gap):.3g}, allowed {spec.tolerance:g}"
    return ""


def psnr_db(mean_square: float, peak: float) -> float:
    """Peak signal to noise ratio; infinite where nothing differs, no number where the difference is none."""
    if mean_square == 0:
        return math.inf
    return 10 * math.log10(peak * peak / mean_square) if math.isfinite(mean_square) else math.nan
