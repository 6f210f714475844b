"""OpenVINO as an engine, on the processor or on Intel's devices: a compiled model, a request for each run under way."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.errors import ConfigError, InferenceError, ModelError
from . import quantise
from .contracts import Contract, Found, check
from .engine import Tensor
from .ov_core import ov_core, read
from .providers import Plan, Precision
from .referring import Content
from .tuning import Sample

_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""For the processor. There is no f16: without instructions for it the hint is many times slower than f32."""
_CAPABILITIES: dict[str, Precision] = {"FP32": "fp32", "FP16": "fp16", "BF16": "bf16", "INT8": "int8"}


class OpenVino:
    """Compiles models for one device. Any thread may load."""

    name = "openvino"

    def __init__(self, plan: Plan, cache: Path | None = None) -> None:
        """`cache` is the user's own folder for what devices compile; None: nothing is kept.

        Raises ConfigError when OpenVINO is missing, or the device, or the plan is for neither.
        """
        provider = plan.provider
        if provider.name != "cpu" and provider.engine != "openvino":
            raise ConfigError(
                f"engine openvino does not run on execution provider {provider.name}",
                "ask for provider cpu, openvino:gpu, openvino:npu or auto, or for engine onnxruntime",
            )
        try:
            import openvino

            self._core = ov_core()
        except ImportError as error:
            raise ConfigError("OpenVINO is not installed", "uv sync, or pip install openvino") from error
        self._ov = openvino
        self.plan = plan
        self.device = provider.device
        """`CPU`, `GPU`, `GPU.1`, `NPU`."""
        self._cache = cache
        there = self._core.available_devices
        if self.device not in {name for d in there for name in (d, d.partition(".")[0])}:
            raise ConfigError(
                f"OpenVINO finds no device {self.device}, only {', '.join(there)}",
                "install its driver, or choose another provider",
            )

    @property
    def native(self) -> tuple[Precision, ...]:
        """The precisions that the device has instructions for and our table offers, fp32 first."""
        capabilities = self._core.get_property(self.device, "OPTIMIZATION_CAPABILITIES")
        found = [p for name, p in _CAPABILITIES.items() if name in capabilities]
        provider = self.plan.provider
        if self.device != "CPU":
            return tuple(p for p in found if p in provider.precisions or (p == "fp32" and provider.exact))
        return ("fp32", *(p for p in found if p in ("bf16", "int8")))

    def ranges(
        self, contract: Contract, content: Content, samples: Sequence[Sample]
    ) -> dict[str, tuple[float, float]]:
        """What the model's convolutions are given in these runs: what `load` needs for int8.

        Raises InferenceError, and ConfigError for a processor without int8.
        """
        if "int8" not in self.native:
            raise ConfigError(f"{self._what} has no instructions for int8")
        names = [t.name for t in contract.inputs]
        try:
            return quantise.ranges(self._core, content, [dict(zip(names, s, strict=True)) for s in samples])
        except (RuntimeError, OSError) as error:
            raise InferenceError(
                f"model {contract.model}: its ranges cannot be found ({_line(error)})"
            ) from error

    def careful(self, content: Content, ranges: quantise.Ranges) -> dict[str, tuple[float, float]]:
        """See `quantise.careful`."""
        return quantise.careful(self._core, content, ranges)

    def load(
        self,
        contract: Contract,
        content: Content,
        precision: Precision = "fp32",
        ranges: quantise.Ranges | None = None,
    ) -> "OpenVinoRunner":
        """Compiles the model file's content; int8 needs the `ranges` of its convolutions.

        Raises ModelError when the file does not load or does not keep its contract, ConfigError for a precision
        that the device would only imitate, and InferenceError for int8 without ranges.
        """
        if precision not in self.native:
            raise ConfigError(
                f"precision {precision} was asked for, which {self._what} has no instructions for",
                "ask for fp32 or auto",
            )
        if precision == "int8" and not ranges:  # nothing would be quantised, and it would be called int8
            raise InferenceError(f"model {contract.model} was not calibrated for int8 yet")
        # The neural processor takes no open sizes.
        single = self.device.startswith("NPU") and any(None in t.shape[:1] for t in contract.inputs)
        try:
            if precision == "int8":
                model = quantise.quantised(self._core, content, ranges or {})
            else:
                model = read(self._core, content)
            if single:
                model.reshape({t.name: [1 if n is None else n for n in t.shape] for t in contract.inputs})
            compiled = self._core.compile_model(model, self.device, self._config(precision))
        except (RuntimeError, OSError) as error:
            raise ModelError(
                f"model {contract.model}: OpenVINO cannot load it on {self.device} ({_line(error)})",
                contract.remedy,
            ) from error
        check(
            contract,
            _found(contract, compiled.inputs, "inputs"),
            _found(contract, compiled.outputs, "outputs"),
        )
        return OpenVinoRunner(contract, compiled, f"openvino {self.device} {precision}", single=single)

    def _config(self, precision: Precision) -> dict[str, Any]:
        plan = self.plan
        if self.device != "CPU":
            return dict(plan.provider.told(precision, self._cache))
        return {
            # Always set: without it a processor with AMX computes in bf16 by itself.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            # A stream for each worker: with one, runs from two threads wait for each other.
            "NUM_STREAMS": plan.workers,
            "INFERENCE_NUM_THREADS": plan.workers * plan.intra_op,
            # Several models share the cores with capture and output, and pinned threads of two models meet on
            # one core: left to the system, two models at once ran 1.2 times as fast.
            "ENABLE_CPU_PINNING": False,
        }

    @property
    def _what(self) -> str:
        return "this processor" if self.device == "CPU" else self.device


class OpenVinoRunner:
    """A model in OpenVINO. `run` is for any number of threads; the GIL is free while it computes."""

    def __init__(self, contract: Contract, compiled: Any, engine: str, *, single: bool = False) -> None:
        """With `single` the compiled model takes one of a batch: they are run one after the other."""
        self.model = contract.model
        self.engine = engine
        self._contract = contract
        self._single = single
        self._compiled = compiled
        self._inputs = _positions(compiled.inputs, [t.name for t in contract.inputs])
        self._outputs = _positions(compiled.outputs, [t.name for t in contract.outputs])
        # A request serves one run at a time. As many are made as runs were ever under way at once.
        self._idle: deque[Any] = deque([compiled.create_infer_request()])

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `Runner.run`; inputs that are not contiguous or not writable are copied, all others shared."""
        opened = [n for n, t in enumerate(self._contract.inputs) if t.shape[:1] == (None,)]
        if self._single and len(inputs) == len(self._contract.inputs) and len(inputs[opened[0]]) != 1:
            count = len(inputs[opened[0]])
            runs = [
                self.run(*(x[i : i + 1] if n in opened else x for n, x in enumerate(inputs)))
                for i in range(count)
            ]
            return tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            fed = dict(zip(self._inputs, inputs, strict=True))
            results = request.infer(fed, share_inputs=True, share_outputs=False)
            return tuple(results[i] for i in self._outputs)
        except (RuntimeError, TypeError, ValueError) as error:
            raise InferenceError(f"model {self.model} failed in {self.engine}: {_line(error)}") from error
        finally:
            self._idle.append(request)

    def close(self) -> None:
        """See `Runner.close`."""
        self._idle.clear()
        self._compiled = None


def _positions(ports: list[Any], names: list[str]) -> tuple[int, ...]:
    return tuple(next(i for i, port in enumerate(ports) if name in port.get_names()) for name in names)


def _found(contract: Contract, ports: list[Any], role: Literal["inputs", "outputs"]) -> list[Found]:
    """What a compiled model has. A port goes by several names: the one in the contract is taken where it is."""
    wanted = {t.name for t in getattr(contract, role)}
    return [
        Found(
            next((n for n in sorted(p.get_names()) if n in wanted), p.get_any_name()),
            {"f32": "float32", "f16": "float16", "f64": "float64", "i64": "int64", "i32": "int32"}.get(
                p.get_element_type().get_type_name(), p.get_element_type().get_type_name()
            ),
            tuple(None if d.is_dynamic else d.get_length() for d in p.get_partial_shape()),
        )
        for p in ports
    ]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
