"""Tries out, on the processor and once for each model, that a changed graph computes what its file does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import ModelError
from .contracts import Found
from .engine import Tensor
from .onnx_file import Graph
from .ort import follow
from .ov_core import ov_core, read
from .referring import Content
from .surgery import cut, image_half

_CLOSE = 1e-3
"""How far two runs of one network may lie apart, by the largest value of the output: rounding, in another order
of adding. A graph that mixes up its batch is wrong by the size of the values themselves."""
_FREE = 64
"""What is taken for a size that the file leaves open."""


class Trial:
    """A model as it runs in whichever engine is there, in fp32."""

    def __init__(self, content: Content, what: str) -> None:
        """Raises ModelError, naming `what`, where no engine loads the model."""
        self._run: Callable[[dict[str, Any]], dict[str, Any]]
        errors: list[Exception] = []
        for load in (self._onnxruntime, self._openvino):
            try:
                load(content)
                return
            except Exception as error:  # noqa: BLE001 - neither engine has a base for its errors
                errors.append(error)
        # That one of them is not installed says nothing of the file.
        failed = min(errors, key=lambda error: isinstance(error, ImportError))
        text = " ".join(str(failed).split())[:200]
        raise ModelError(
            f"{what} does not load ({text})", "the file is damaged, or of a newer ONNX"
        ) from failed

    def _openvino(self, content: Content) -> None:
        core = ov_core()
        compiled = core.compile_model(read(core, content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        names = [port.get_any_name() for port in compiled.outputs]
        self._run = lambda fed: dict(zip(names, compiled(fed).to_tuple(), strict=True))

    def _onnxruntime(self, content: Content) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.enable_cpu_mem_arena = False  # it would keep what a run of the largest enhancers took
        given = follow(options, content)
        session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        outputs = [o.name for o in session.get_outputs()]
        self._run = lambda fed: dict(zip(outputs, session.run(outputs, fed), strict=True))

    def run(self, fed: Mapping[str, Any]) -> dict[str, Any]:
        """{output: value}. Raises ModelError."""
        try:
            return self._run(dict(fed))
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise ModelError(f"the model fails on a sample ({text})", "the file is damaged") from error


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model may be run here: proven, not assumed."""

    edges: tuple[Found, ...]
    """What goes from the identity half to the image half; empty where the model stays in one."""
    batch: bool
    """Any number of pictures in one run give what single runs give."""


def prove(
    read: Callable[[], Graph],
    source: str | None,
    inputs: Sequence[Found] | None = None,
    what: str = "the file",
) -> Recipe:
    """Cuts off the half that depends on the input `source` alone and opens the batch, each if it changes nothing.

    `read` gives the file's graph anew each time. `inputs` are those of the file with the sizes that they are given
    here, where it leaves them open. Raises ModelError, naming `what`, for a file that no engine loads.
    """
    whole = Trial(read().encode(), what)
    inputs = read().inputs if inputs is None else inputs
    found = _edges(read, source, inputs, whole) if source else ()
    return Recipe(found, _batches(read, source, found, inputs, whole))


def derived(graph: Graph, source: str | None, edges: Sequence[Found], *, batch: bool) -> Content:
    """The model that is run for each frame; changes the graph. Raises ModelError where it cannot be cut there."""
    if edges:
        halves = cut(graph, source or "")
        if halves is None:
            raise ModelError(f"the graph cannot be cut at {source!r}", "add the model again")
        graph = halves.image
    return image_half(graph, edges, batch=batch)


def _edges(
    read: Callable[[], Graph], source: str, inputs: Sequence[Found], whole: Trial
) -> tuple[Found, ...]:
    halves = cut(read(), source)
    if halves is None:
        return ()
    sample = _sample(inputs, 1)
    given = {source: sample.pop(source)}
    try:
        styles = Trial(halves.identity, "file").run(given)
        found = tuple(Found(name, styles[name].dtype.name, styles[name].shape) for name in halves.edges)
        got = Trial(image_half(halves.image, found, batch=False), "file").run({**sample, **styles})
        want = whole.run({**sample, **given})
    except ModelError:
        return ()
    return found if all(_same(got[name], value) for name, value in want.items()) else ()


def _batches(
    read: Callable[[], Graph],
    source: str | None,
    edges: Sequence[Found],
    inputs: Sequence[Found],
    whole: Trial,
) -> bool:
    samples = [_sample(inputs, seed) for seed in (1, 2)]
    shared: dict[str, Any] = {}
    if edges and source:
        halves = cut(read(), source)
        assert halves is not None, "it was cut there a moment ago"
        shared = Trial(halves.identity, "file").run({source: samples[0][source]})
        for sample in samples:
            sample[source] = samples[0][source]
    together = dict(shared)
    for found in inputs:
        if not (edges and found.name == source):
            values = [s[found.name] for s in samples]
            together[found.name] = np.concatenate(values) if values[0].ndim > 1 else values[0]
            for sample in samples:  # what has no batch is the same for all
                sample[found.name] = sample[found.name] if values[0].ndim > 1 else values[0]
    try:
        got = Trial(derived(read(), source, edges, batch=True), "file").run(together)
        singles = [whole.run(sample) for sample in samples]
    except ModelError:
        return False
    for n, single in enumerate(singles):
        for name, value in single.items():
            if got[name].shape[:1] != (len(samples),) or not _same(got[name][n : n + 1], value):
                return False
    return True


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    scale = max(float(np.abs(other).max(initial=0)), 1e-6)
    return bool(np.abs(one.astype(np.float32) - other.astype(np.float32)).max(initial=0) <= _CLOSE * scale)


def _sample(inputs: Sequence[Found], seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    sizes = {f.name: [1 if i == 0 else n or _FREE for i, n in enumerate(f.shape)] for f in inputs}
    return {f.name: random.random(sizes[f.name]).astype(f.dtype) for f in inputs}
