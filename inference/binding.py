"""Buffers on the device that stay where they are: one set for each thread and batch bucket (ONNX Runtime).

Without them every run allocates its inputs and outputs anew, and no graph of a run can be recorded: a graph reads
and writes the very addresses that it was recorded with.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from .contracts import Contract, TensorSpec
from .engine import Tensor

BUCKETS = (1, 2, 4, 8, 16)
"""Batches that have buffers of their own; another is filled up to the next, a larger one is taken apart."""
_NO_GRAPH = "-1"


def bucket(count: int) -> int:
    """The smallest bucket that `count` fits in; `count` is from 1 to the largest."""
    return next(b for b in BUCKETS if b >= count)


def bindable(contract: Contract) -> bool:
    """All sizes but the batch are known before a run."""
    return all(n is not None for t in (*contract.inputs, *contract.outputs) for n in t.shape[1:])


class Gate:
    """Lets runs pass side by side, and who allocates or records alone.

    While one thread records a graph, CUDA refuses all others what it calls unsafe: to allocate, to copy, or to
    wait for the whole device. One gate serves all sessions of a device.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._running = 0
        self._recording = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Entered by any number of threads while nobody records."""
        with self._condition:
            self._condition.wait_for(lambda: not self._recording)
            self._running += 1
        try:
            yield
        finally:
            with self._condition:
                self._running -= 1
                self._condition.notify_all()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Entered by one thread, once nobody runs any more."""
        with self._condition:
            self._condition.wait_for(lambda: not self._recording)
            self._recording = True
            self._condition.wait_for(lambda: self._running == 0)
        try:
            yield
        finally:
            with self._condition:
                self._recording = False
                self._condition.notify_all()


@dataclass(slots=True)
class _Buffers:
    """One thread's inputs and outputs for one bucket."""

    binding: Any
    inputs: list[Any]
    outputs: list[Any]
    staging: list[Tensor | None]
    """In the host's memory, for inputs that do not fill their bucket."""
    options: Any
    recorded: bool


class Bound:
    """A session with its buffers. `run` is for any number of threads."""

    def __init__(
        self, ort: Any, contract: Contract, session: Any, memory: str, gate: Gate, *, graphs: bool = False
    ) -> None:
        """`memory` is ONNX Runtime's word for where the buffers lie: `cpu`, `cuda`.

        With `graphs` the first run of a thread in a bucket is recorded, and later ones replay it. The session must
        have been made with the provider's option for it, and is then never run by two threads at once, which
        ONNX Runtime does not allow.
        """
        assert bindable(contract), f"{contract.model} has sizes that only a run tells"
        self._ort = ort
        self._contract = contract
        self._session = session
        self._memory = memory
        self._gate = gate
        self._graphs = graphs
        self._replaying = threading.Lock()
        self._mine = threading.local()
        self._open = any(t.shape and t.shape[0] is None for t in contract.inputs)
        self._count = 0
        self._counting = threading.Lock()

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `Runner.run`; a batch beyond the largest bucket is several runs. Raises what ONNX Runtime raises."""
        count = self._batch(inputs)
        most = BUCKETS[-1]
        if count <= most:
            return self._run(inputs, count)
        parts = [
            self._run(self._part(inputs, n, n + most), min(most, count - n)) for n in range(0, count, most)
        ]
        return tuple(
            np.concatenate(found) if self._is_open(spec) else found[0]
            for spec, found in zip(self._contract.outputs, zip(*parts, strict=True), strict=True)
        )

    def close(self) -> None:
        """Lets the buffers of all threads go; no `run` may be under way."""
        self._mine = threading.local()
        self._session = None

    def _run(self, inputs: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
        size = bucket(count) if self._open else 1
        buffers = self._buffers.get(size)
        if buffers is None or (self._graphs and not buffers.recorded):
            with self._gate.recording():
                buffers = buffers or self._make(size)
                outputs = self._filled(buffers, inputs, count)
                buffers.recorded = True
                return outputs
        with self._gate.running():
            return self._filled(buffers, inputs, count)

    def _filled(self, buffers: _Buffers, inputs: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
        """Copies in, runs, copies out."""
        for n, (spec, value) in enumerate(zip(self._contract.inputs, inputs, strict=True)):
            buffers.inputs[n].update_inplace(self._whole(buffers, n, spec, value))
        with self._replaying if self._graphs else nullcontext():
            self._session.run_with_iobinding(buffers.binding, buffers.options)
        found = [value.numpy() for value in buffers.outputs]
        if self._memory == "cpu":  # that is the buffer itself, and the next run would write over it
            found = [value.copy() for value in found]
        pairs = zip(self._contract.outputs, found, strict=True)
        return tuple(value[:count] if self._is_open(spec) else value for spec, value in pairs)

    @property
    def _buffers(self) -> dict[int, _Buffers]:
        """{bucket: buffers} of this thread."""
        mine: dict[int, _Buffers] | None = getattr(self._mine, "buffers", None)
        if mine is None:
            mine = self._mine.buffers = {}
        return mine

    def _batch(self, inputs: tuple[Tensor, ...]) -> int:
        found = {len(x) for spec, x in zip(self._contract.inputs, inputs, strict=True) if self._is_open(spec)}
        if len(found) > 1 or 0 in found:
            raise ValueError(f"inputs have batches of {', '.join(map(str, sorted(found)))}")
        return found.pop() if found else 1

    def _part(self, inputs: tuple[Tensor, ...], start: int, stop: int) -> tuple[Tensor, ...]:
        pairs = zip(self._contract.inputs, inputs, strict=True)
        return tuple(x[start:stop] if self._is_open(spec) else x for spec, x in pairs)

    def _whole(self, buffers: _Buffers, n: int, spec: TensorSpec, value: Tensor) -> Tensor:
        """The value as its buffer takes it: contiguous, and with as many rows as the bucket."""
        shape = tuple(buffers.inputs[n].shape())
        if tuple(value.shape[1:]) != shape[1:] or (not self._is_open(spec) and value.shape != shape):
            raise ValueError(f"input {spec.name!r} is {list(value.shape)}, not {list(shape)}")
        if value.dtype != np.dtype(spec.dtype):
            raise TypeError(f"input {spec.name!r} is {value.dtype}, not {spec.dtype}")
        if value.shape == shape:
            return np.ascontiguousarray(value)
        staging = buffers.staging[n]
        if staging is None:
            # Rows beyond the batch keep what was in them: rows do not see each other.
            staging = buffers.staging[n] = np.zeros(shape, value.dtype)
        staging[: len(value)] = value
        return staging

    def _make(self, size: int) -> _Buffers:
        binding = self._session.io_binding()

        def value(spec: TensorSpec) -> Any:
            shape = [size if n is None else n for n in spec.shape]
            return self._ort.OrtValue.ortvalue_from_shape_and_type(shape, np.dtype(spec.dtype), self._memory)

        inputs, outputs = [], []
        for spec in self._contract.inputs:
            inputs.append(value(spec))
            binding.bind_ortvalue_input(spec.name, inputs[-1])
        for spec in self._contract.outputs:
            outputs.append(value(spec))
            binding.bind_ortvalue_output(spec.name, outputs[-1])
        options = self._ort.RunOptions()
        with self._counting:
            self._count += 1
            # A graph belongs to these buffers alone, whether ONNX Runtime keeps it for a thread or for a session.
            graph = str(self._count) if self._graphs else _NO_GRAPH
        options.add_run_config_entry("gpu_graph_id", graph)
        made = _Buffers(binding, inputs, outputs, [None] * len(inputs), options, recorded=False)
        self._buffers[size] = made
        return made

    @staticmethod
    def _is_open(spec: TensorSpec) -> bool:
        return bool(spec.shape) and spec.shape[0] is None
