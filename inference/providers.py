"""Which execution provider runs a model, with how many workers and which options, and why: one table.

A provider is ONNX Runtime's word for the thing that computes. OpenVINO, used directly, counts as `cpu` on the
processor; on another device it is a provider of its own.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from ..core.errors import ConfigError

Workers = Callable[[int], int]
"""Cores -> workers."""
Precision = Literal["fp32", "tf32", "fp16", "bf16", "int8"]
"""What a model computes in. tf32 is fp32 with the mantissa of fp16, in the multiplications of NVIDIA's devices."""
CACHE = "{cache}"
"""In an option's value: the provider's own folder in the user's cache."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a provider, by its maker's name."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Provider:
    """One execution provider: how it is called, how many threads it bears, what it is told."""

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
    options: tuple[Option, ...] = ()
    """What it is told for every model, in fp32."""
    precisions: Mapping[Precision, tuple[Option, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The precisions below fp32 that it offers, each with what it is told in place of or beside `options`."""
    exact: bool = True
    """It computes in fp32; else only in one of `precisions`."""
    memory: str = ""
    """ONNX Runtime's word for its own memory, in which a model's inputs and outputs can stay; "": the host's."""
    graph: Option | None = None
    """What records a run as one graph and replays it, where its inputs stay in one place."""
    engine: Literal["onnxruntime", "openvino"] = "onnxruntime"

    def told(self, precision: Precision = "fp32", cache: Path | None = None) -> dict[str, str]:
        """{option: value} for a precision that it offers. Without a `cache` folder nothing is kept on the disk."""
        options = {o.name: o.value for o in (*self.options, *self.precisions.get(precision, ()))}
        if cache is None:
            return {name: value for name, value in options.items() if CACHE not in value}
        folder = str(cache / self.name.replace(":", "-"))
        return {name: value.replace(CACHE, folder) for name, value in options.items()}

    @property
    def device(self) -> str:
        """OpenVINO's word for the device: `CPU`, `GPU`, `GPU.1`, `NPU`."""
        return self.name.partition(":")[2].upper() or "CPU"


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
    "offline: a batch fills the device, workers hide the copies and lay the faces back; of a large network four runs "
    "at once are as fast as sixteen, so no more are let in. "
    "Live: one frame is tracked while the one before it is rendered"
)

_GRAPH = "a recorded run starts with one call in place of one for each operation"


def _options(*rows: tuple[str, str, str]) -> tuple[Option, ...]:
    return tuple(Option(*row) for row in rows)


def _one_of(**rows: tuple[Option, ...]) -> Mapping[Precision, tuple[Option, ...]]:
    return MappingProxyType(rows)  # type: ignore[arg-type]  # the keywords are precisions


PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        p.name: p
        for p in (
            Provider(
                "tensorrt", "TensorrtExecutionProvider", _up_to_16, _few, _GPU, "onnxruntime-gpu", bound=4,
                auto=False,  # building its engines takes minutes: only for those who ask
                options=_options(
                    ("trt_engine_cache_enable", "1", "an engine takes minutes to build: once for a model"),
                    ("trt_engine_cache_path", CACHE, "the user's cache, not the folder one happens to be in"),
                    ("trt_timing_cache_enable", "1", "the next engine is built from what this one timed"),
                    ("trt_timing_cache_path", CACHE, "beside the engines"),
                    ("trt_builder_optimization_level", "3", "its default, said: another builds all engines anew"),
                ),
                precisions=_one_of(
                    fp16=_options(("trt_fp16_enable", "1", "the tensor cores' own size")),
                    bf16=_options(("trt_bf16_enable", "1", "the range of fp32 where fp16 overflows")),
                ),
                memory="cuda", graph=Option("trt_cuda_graph_enable", "1", _GRAPH),
            ),
            Provider(
                "cuda", "CUDAExecutionProvider", _up_to_16, _few, _GPU, "onnxruntime-gpu", bound=4,
                options=_options(
                    (
                        "cudnn_conv_algo_search", "HEURISTIC",
                        "the exhaustive search, its default, tries every algorithm at each new shape: seconds",
                    ),
                    (
                        "arena_extend_strategy", "kSameAsRequested",
                        "doubling the arena takes memory that other programs on the device need",
                    ),
                    (
                        "do_copy_in_default_stream", "1",
                        "copies in the stream that computes: in one of their own they can race it",
                    ),
                    ("use_ep_level_unified_stream", "0", "a stream for each worker: one copies, one computes"),
                    ("use_tf32", "0", "fp32 means fp32; tf32 is a precision that is judged like the others"),
                ),
                precisions=_one_of(
                    tf32=_options(("use_tf32", "1", "the tensor cores take fp32 without 13 bits of its mantissa")),
                ),
                memory="cuda", graph=Option("enable_cuda_graph", "1", _GRAPH),
            ),
            Provider(
                "directml", "DmlExecutionProvider", _one, _one,
                "a session must not be run by two threads at once", "onnxruntime-directml", bound=1,
                options=_options(
                    (
                        "performance_preference", "high_performance",
                        "of two graphics processors the fast one, not the first",
                    ),
                    ("device_filter", "gpu", "a neural processor would take few of the models"),
                ),
            ),
            Provider(
                "migraphx", "MIGraphXExecutionProvider", _one, _one,
                "runs on one stream; a second thread waits", "onnxruntime-migraphx", bound=1,
                options=_options(
                    ("migraphx_model_cache_dir", CACHE, "a model is compiled for minutes: once"),
                    ("migraphx_arena_extend_strategy", "kSameAsRequested", "as for cuda"),
                ),
                precisions=_one_of(
                    fp16=_options(("migraphx_fp16_enable", "1", "the matrix cores' own size")),
                    bf16=_options(("migraphx_bf16_enable", "1", "the range of fp32 where fp16 overflows")),
                ),
            ),
            Provider(
                "rocm", "ROCMExecutionProvider", _one, _one,
                "runs on one stream; a second thread waits", "onnxruntime-rocm", bound=1,
                options=_options(
                    ("arena_extend_strategy", "kSameAsRequested", "as for cuda"),
                ),
            ),
            Provider(
                "coreml", "CoreMLExecutionProvider", _one, _one,
                "the system serialises what reaches the Neural Engine", "onnxruntime",
                options=_options(
                    ("ModelFormat", "MLProgram", "the older format casts to fp16 unasked"),
                    ("MLComputeUnits", "CPUAndGPU", "the Neural Engine computes in fp16 only"),
                    ("ModelCacheDirectory", CACHE, "a model is compiled at each start otherwise"),
                ),
                precisions=_one_of(
                    fp16=_options(
                        ("MLComputeUnits", "ALL", "with the Neural Engine"),
                        ("AllowLowPrecisionAccumulationOnGPU", "1", "the graphics processor may add in fp16"),
                    ),
                ),
            ),
            Provider(
                "openvino", "OpenVINOExecutionProvider", _most_cores, _low_latency, _CPU,
                "onnxruntime-openvino", computes_on_cores=True,
                auto=False,  # OpenVINO itself is an engine of its own, a third of the size and as fast
            ),
            Provider(
                "openvino:gpu", "", _few, _few,
                "one run computes while the next one's inputs are copied", "openvino",
                auto=False, engine="openvino",
                options=_options(
                    ("INFERENCE_PRECISION_HINT", "f32", "left alone it computes in fp16"),
                    ("PERFORMANCE_HINT", "LATENCY", "a frame waits for its run; batches come from us"),
                    ("CACHE_DIR", CACHE, "kernels are compiled at each start otherwise"),
                ),
                precisions=_one_of(
                    fp16=_options(("INFERENCE_PRECISION_HINT", "f16", "the graphics processor's own size")),
                ),
            ),
            Provider(
                "openvino:npu", "", _one, _one,
                "the driver queues; a second thread waits", "openvino",
                auto=False, engine="openvino", exact=False,
                options=_options(
                    ("PERFORMANCE_HINT", "LATENCY", "a frame waits for its run"),
                    ("CACHE_DIR", CACHE, "a model is compiled at each start otherwise"),
                ),
                precisions=_one_of(
                    fp16=_options(("INFERENCE_PRECISION_HINT", "f16", "it has no fp32")),
                ),
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
    """The provider of a short name; `openvino:gpu.1` is the second of several.

    Raises ConfigError for an unknown one.
    """
    row = PROVIDERS.get(re.sub(r"\.\d+$", "", name) if name.startswith("openvino:") else name)
    if row is None:
        raise ConfigError(f"unknown execution provider {name!r}", f"known are auto, {', '.join(PROVIDERS)}")
    return row if row.name == name else replace(row, name=name)


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
