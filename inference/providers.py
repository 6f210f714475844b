"""Which execution provider runs a model, with how many workers, and why: tables, and the check of the installation.

A provider is ONNX Runtime's word for the thing that computes. OpenVINO, used directly, counts as `cpu`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType

from ..core.errors import ConfigError

Workers = Callable[[int], int]
"""Cores -> workers."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One execution provider: how it is called and how many threads it bears."""

    name: str
    """As settings and command line have it."""
    full: str
    """As ONNX Runtime has it."""
    offline: Workers
    live: Workers
    reason: str
    """Why so many workers."""
    distribution: str
    """What brings it."""
    computes_on_cores: bool = False
    """Its work is done by the machine's cores, so workers and intra-op threads share them."""
    bound: int | None = None
    """At most so many runs at once, whoever calls; None: no limit of its own."""
    auto: bool = True
    """`auto` may choose it."""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def _one(_: int) -> int:
    return 1


def _few(cores: int) -> int:
    return min(cores, 2)


def _up_to_16(cores: int) -> int:
    return min(cores, 16)


def _most_cores(cores: int) -> int:
    return min(cores, max(4, cores - 2))


def _low_latency(cores: int) -> int:
    return min(cores, max(2, min(4, cores - 1)))


_CPU = (
    "offline: all cores but two, which decode and encode; never more than there are. Live: a frame is tracked "
    "while the one before it is rendered, and more than four frames side by side add delay, not frames; cores "
    "that are left go into each run"
)
_GPU = (
    "offline: batches fill the device, workers hide the copies; past four threads a large network gains nothing. "
    "Live: one frame is tracked while the one before it is rendered"
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        p.name: p
        for p in (
            Provider(
                "tensorrt", "TensorrtExecutionProvider", _up_to_16, _few, _GPU, "onnxruntime-gpu",
                auto=False,  # building its engines takes minutes: only for those who ask
            ),
            Provider(
                "cuda", "CUDAExecutionProvider", _up_to_16, _few, _GPU, "onnxruntime-gpu",
                options=MappingProxyType({
                    # The exhaustive search, its default, tries every algorithm at each new shape: seconds.
                    "cudnn_conv_algo_search": "HEURISTIC",
                    # Doubling the arena takes memory that other programs on the same device need.
                    "arena_extend_strategy": "kSameAsRequested",
                }),
            ),
            Provider(
                "directml", "DmlExecutionProvider", _one, _one,
                "a session must not be run by two threads at once", "onnxruntime-directml", bound=1,
            ),
            Provider(
                "migraphx", "MIGraphXExecutionProvider", _one, _one,
                "runs on one stream; a second thread waits", "onnxruntime-migraphx", bound=1,
            ),
            Provider(
                "rocm", "ROCMExecutionProvider", _one, _one,
                "runs on one stream; a second thread waits", "onnxruntime-rocm", bound=1,
            ),
            Provider(
                "coreml", "CoreMLExecutionProvider", _one, _one,
                "the system serialises what reaches the Neural Engine", "onnxruntime",
            ),
            Provider(
                "openvino", "OpenVINOExecutionProvider", _most_cores, _low_latency, _CPU,
                "onnxruntime-openvino", computes_on_cores=True,
                auto=False,  # OpenVINO itself is an engine of its own, a third of the size and as fast
            ),
            Provider(
                "cpu", "CPUExecutionProvider", _most_cores, _low_latency, _CPU, "onnxruntime",
                computes_on_cores=True,
            ),
        )
    }
)  # fmt: skip
"""By name, in the order in which `auto` tries them."""

RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-migraphx",
    "onnxruntime-rocm",
    "onnxruntime-qnn",
    "onnxruntime-training",
    "ort-nightly",
    "ort-nightly-gpu",
    "ort-nightly-directml",
)
"""Distributions that all write the same `onnxruntime` folder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the work of one provider is spread over threads."""

    provider: Provider
    workers: int
    """Threads of the pool."""
    intra_op: int
    """Threads inside one run."""


def threads_of_machine() -> int:
    """Hardware threads that this process may use: its affinity where the system has one, else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores(system: Path = Path("/sys/devices/system/cpu")) -> int:
    """Cores that this process may use. Two hardware threads of one core share what a model computes with.

    Known on Linux; elsewhere every hardware thread counts as a core.
    """
    if not hasattr(os, "sched_getaffinity"):
        return threads_of_machine()
    try:
        siblings = {
            (system / f"cpu{n}/topology/thread_siblings_list").read_text() for n in os.sched_getaffinity(0)
        }
    except OSError:  # a container without that part of /sys
        return threads_of_machine()
    return len(siblings)


def provider(name: str) -> Provider:
    """The provider of a short name. Raises ConfigError for an unknown one."""
    try:
        return PROVIDERS[name]
    except KeyError:
        raise ConfigError(
            f"unknown execution provider {name!r}", f"known are auto, {', '.join(PROVIDERS)}"
        ) from None


def preferred(available: Iterable[str]) -> Provider:
    """What `auto` means on a machine whose ONNX Runtime has `available` (full names): the first of the table.

    Without ONNX Runtime it is the processor, which OpenVINO serves.
    """
    there = set(available)
    return next((p for p in PROVIDERS.values() if p.auto and p.full in there), PROVIDERS["cpu"])


def plan(provider: Provider, *, threads: int = 0, live: bool = True, cores: int | None = None) -> Plan:
    """Workers and intra-op threads of a provider; `threads`, where it is not 0, takes the table's place.

    Where the cores compute, workers x intra-op threads never exceeds them, unless `threads` alone does.
    Raises ConfigError for a negative number.
    """
    if threads < 0:
        raise ConfigError(
            f"{threads} execution threads", "give a number above 0, or 0 for the provider's own"
        )
    own = _cores if provider.computes_on_cores else threads_of_machine
    n = own() if cores is None else cores
    workers = threads or (provider.live if live else provider.offline)(n)
    return Plan(provider, workers, max(1, n // workers) if provider.computes_on_cores else 1)


_cores = cores  # `plan` has a parameter of that name


def installed_runtimes() -> dict[str, str]:
    """{distribution: version} of every ONNX Runtime in this environment; reads metadata only, imports nothing."""
    found: dict[str, str] = {}
    for name in RUNTIMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def check_installation(installed: Mapping[str, str] | None = None) -> None:
    """Raises ConfigError when more than one ONNX Runtime is installed: they overwrite each other's files.

    None at all is no error here: OpenVINO serves every bundled model. `installed` takes the place of
    `installed_runtimes()`.
    """
    names = list(installed_runtimes() if installed is None else installed)
    if len(names) > 1:
        # Plain `onnxruntime` is what other packages drag in; the one beside it was chosen.
        keep = next((n for n in names if n != "onnxruntime"), names[0])
        others = " ".join(n for n in names if n != keep)
        raise ConfigError(
            f"{' and '.join(names)} are installed together and overwrite each other",
            f"keep one: `uv pip uninstall {others}`, then `uv sync --reinstall-package {keep}`",
        )
