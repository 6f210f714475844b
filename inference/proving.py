"""Tries out, on the processor and once for each model, that a changed graph computes what its file does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import ModelError
from .contracts import Found
from .engine import Tensor
from .onnx_file import Graph
from .ov_core import ov_core
from .surgery import cut, image_half

_CLOSE = 1e-3
"""How far two runs of one network may lie apart, by the largest value of the output: rounding, in another order
of adding. A graph that mixes up its batch is wrong by the size of the values themselves."""
_FREE = 64
"""What is taken for a size that the file leaves open."""


class Trial:
    """A model as it runs in whichever engine is there, in fp32."""

    def __init__(self, content: bytes, what: str) -> None:
        """Raises ModelError, naming `what`, where the model does not load."""
        self._run: Callable[[dict[str, Any]], dict[str, Any]]
        try:
            self._load(content)
        except Exception as error:  # neither engine has a base for its errors
            text = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{what} does not load ({text})", "the file is damaged, or of a newer ONNX"
            ) from error

    def _load(self, content: bytes) -> None:
        try:
            import onnxruntime
        except ImportError:
            core = ov_core()
            compiled = core.compile_model(
                core.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
            )
            names = [port.get_any_name() for port in compiled.outputs]
            self._run = lambda fed: dict(zip(names, compiled(fed).to_tuple(), strict=True))
            return
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
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


def prove(content: bytes, source: str | None) -> Recipe:
    """Cuts off the half that depends on the input `source` alone and opens the batch, each if it changes nothing."""
    found = _edges(content, source) if source else ()
    return Recipe(found, _batches(content, source, found))


def derived(content: bytes, source: str | None, edges: Sequence[Found], *, batch: bool) -> bytes:
    """The model that is run for each frame. Raises ModelError for a file that cannot be cut there."""
    graph = Graph(content)
    if edges:
        halves = cut(graph, source or "")
        if halves is None:
            raise ModelError(f"the graph cannot be cut at {source!r}", "add the model again")
        graph = halves.image
    return image_half(graph, edges, batch=batch)


def _edges(content: bytes, source: str) -> tuple[Found, ...]:
    halves = cut(Graph(content), source)
    if halves is None:
        return ()
    sample = _sample(Graph(content).inputs, 1)
    given = {source: sample.pop(source)}
    try:
        styles = Trial(halves.identity, "file").run(given)
        found = tuple(Found(name, styles[name].dtype.name, styles[name].shape) for name in halves.edges)
        got = Trial(image_half(halves.image, found, batch=False), "file").run({**sample, **styles})
    except ModelError:
        return ()
    whole = Trial(content, "file").run({**sample, **given})
    return found if all(_same(got[name], value) for name, value in whole.items()) else ()


def _batches(content: bytes, source: str | None, edges: Sequence[Found]) -> bool:
    inputs = Graph(content).inputs
    samples = [_sample(inputs, seed) for seed in (1, 2, 3)]
    shared: dict[str, Any] = {}
    if edges and source:
        halves = cut(Graph(content), source)
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
        single = Trial(content, "file")
        got = Trial(derived(content, source, edges, batch=True), "file").run(together)
    except ModelError:
        return False
    for n, sample in enumerate(samples):
        for name, value in single.run(sample).items():
            if got[name].shape[:1] != (len(samples),) or not _same(got[name][n : n + 1], value):
                return False
    return True


def _same(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    scale = max(float(np.abs(other).max(initial=0)), 1e-6)
    return bool(np.abs(one.astype(np.float32) - other.astype(np.float32)).max(initial=0) <= _CLOSE * scale)


def _sample(inputs: list[Found], seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    sizes = {f.name: [1 if i == 0 else n or _FREE for i, n in enumerate(f.shape)] for f in inputs}
    return {f.name: random.random(sizes[f.name]).astype(f.dtype) for f in inputs}
