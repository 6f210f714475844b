"""ONNX Runtime as an engine: one session a model, on exactly the execution provider that was asked for."""

import threading
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import structlog

from ..core.errors import ConfigError, InferenceError, ModelError
from .binding import BUCKETS, Bound, Gate, bindable
from .contracts import Contract, Found, check
from .engine import Tensor
from .providers import Plan, Precision
from .referring import Content, Referring, whole

log = structlog.get_logger(__name__)

_WORDS = {
    "cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT", "directml": "DirectML", "migraphx": "MIGraphX",
    "rocm": "ROCm", "coreml": "CoreML", "openvino": "OpenVINO",
}  # fmt: skip


def available() -> tuple[str, ...]:
    """Full names of the execution providers of the installed ONNX Runtime; empty where there is none.

    That a provider is named here does not mean that its libraries and its device are there.
    """
    try:
        import onnxruntime  # late: only who runs a model pays for it
    except ImportError:
        return ()
    return tuple(onnxruntime.get_available_providers())


class OnnxRuntime:
    """Makes sessions on one execution provider. Any thread may load."""

    name = "onnxruntime"

    def __init__(self, plan: Plan, cache: Path | None = None) -> None:
        """`cache` is the user's own folder for what providers compile; None: nothing is kept.

        Raises ConfigError when ONNX Runtime is missing or does not have the provider.
        """
        provider = plan.provider
        there = available()
        if not there:
            raise ConfigError("ONNX Runtime is not installed", "uv sync, or pip install 'faceswapd[cpu]'")
        if provider.full not in there:
            raise ConfigError(
                f"execution provider {provider.name} is not in the installed ONNX Runtime",
                f"install {provider.distribution} in its place, or choose another provider"
                + (", or --engine openvino" if provider.name == "openvino" else ""),
            )
        import onnxruntime

        self._ort = onnxruntime
        self.plan = plan
        self._cache = cache
        self._gate = Gate()
        self._bound: AbstractContextManager[Any] = (
            threading.BoundedSemaphore(provider.bound) if provider.bound else nullcontext()
        )
        if provider.name in ("cuda", "tensorrt"):
            # The libraries that come as wheels lie where the system's loader does not look.
            onnxruntime.preload_dlls()

    @property
    def native(self) -> tuple[Precision, ...]:
        """The precisions that the provider offers, fp32 first."""
        return ("fp32", *self.plan.provider.precisions)

    def load(self, contract: Contract, content: Content, precision: Precision = "fp32") -> "OrtRunner":
        """A session on the model file's content.

        Where the provider has memory of its own, inputs and outputs stay in it (`binding`); where it can record
        runs as graphs and takes the whole model, it does.

        Raises ModelError when the file does not load or does not keep its contract, and ConfigError for a
        precision that the provider does not have, and when the session came up without the provider: ONNX Runtime
        goes on with the CPU by itself.
        """
        provider = self.plan.provider
        if precision not in self.native:
            raise ConfigError(
                f"precision {precision} is not there on execution provider {provider.name}",
                "ask for fp32 or auto",
            )
        told = self.told(contract, precision)
        binds = bool(provider.memory) and bindable(contract)
        graphs = binds and provider.graph is not None and self._graphs(contract)
        session = None
        if graphs:
            assert provider.graph is not None
            try:
                session = self.session(contract, content, told | {provider.graph.name: provider.graph.value})
            except ModelError as error:  # a part of the model runs elsewhere: it is run step by step
                log.info("engine.no_graph", model=contract.model, provider=provider.name, reason=error.what)
        if session is None:
            graphs = False
            session = self.session(contract, content, told)
        check(
            contract,
            [Found(t.name, _dtype(t.type), _shape(t.shape)) for t in session.get_inputs()],
            [Found(t.name, _dtype(t.type), _shape(t.shape)) for t in session.get_outputs()],
        )
        bound = (
            Bound(self._ort, contract, session, provider.memory, self._gate, graphs=graphs) if binds else None
        )
        words = f"onnxruntime {_WORDS.get(provider.name, provider.name)} {precision}{_elsewhere(session)}"
        return OrtRunner(contract, session, words, self._bound, self._gate, bound)

    def told(self, contract: Contract, precision: Precision = "fp32") -> dict[str, str]:
        """{option: value} for a model; the folders that are among them are made. Raises ConfigError."""
        told = self.plan.provider.told(precision, self._cache) | self._shapes(contract)
        self._make_folders(told)
        return told

    def session(self, contract: Contract, content: Content, told: dict[str, str]) -> Any:
        """A bare session, on the provider or not at all. Raises as `load`."""
        provider, options = self.plan.provider, self._options()
        try:
            # What other providers make of references was not tried.
            given = follow(options, content) if provider.name == "cpu" else whole(content)
            session = self._ort.InferenceSession(given, options, providers=[(provider.full, told)])
        except Exception as error:  # ONNX Runtime's own errors have no base in common
            raise ModelError(
                f"model {contract.model}: ONNX Runtime cannot load it on {provider.name} ({_line(error)})",
                contract.remedy,
            ) from error
        got = session.get_providers()
        if got[0] != provider.full:
            raise ConfigError(
                f"execution provider {provider.name} did not start, ONNX Runtime offers {got[0]} in its place",
                f"check the driver and its libraries, or ask for {'cpu' if provider.name != 'cpu' else 'auto'}",
            )
        session.disable_fallback()
        return session

    def _options(self) -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self.plan.intra_op
        options.inter_op_num_threads = 1
        options.execution_mode = self._ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3  # errors; warnings go to stderr past our log
        # A thread that spins for its next model takes the core that capture and output need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if not self.plan.provider.computes_on_cores:
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if self.plan.provider.name == "directml":
            options.enable_mem_pattern = False  # DirectML demands it
        return options

    def _graphs(self, contract: Contract) -> bool:
        """TensorRT has kept one graph for a session, whatever its inputs' sizes: only models of one size."""
        return self.plan.provider.name != "tensorrt" or not _open_batch(contract)

    def _shapes(self, contract: Contract) -> dict[str, str]:
        """The sizes that TensorRT builds its engine for; without them each new batch is minutes of building."""
        if self.plan.provider.name != "tensorrt" or not (_open_batch(contract) and bindable(contract)):
            return {}

        def shapes(batch: int) -> str:
            inputs = ((t.name, [batch if n is None else n for n in t.shape]) for t in contract.inputs)
            return ",".join(f"{name}:{'x'.join(map(str, sizes))}" for name, sizes in inputs)

        return {
            "trt_profile_min_shapes": shapes(1),
            "trt_profile_opt_shapes": shapes(1),
            "trt_profile_max_shapes": shapes(BUCKETS[-1]),
        }

    def _make_folders(self, told: dict[str, str]) -> None:
        """Providers write into their folders; none of them makes one."""
        if self._cache is None:
            return
        for value in told.values():
            if value.startswith(str(self._cache)):
                try:
                    Path(value).mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise ConfigError(f"{value} cannot be made", error.strerror or str(error)) from error


class OrtRunner:
    """A model in ONNX Runtime. `run` is for any number of threads; the GIL is free while it computes."""

    def __init__(
        self,
        contract: Contract,
        session: Any,
        engine: str,
        limit: AbstractContextManager[Any],
        gate: Gate,
        bound: Bound | None,
    ) -> None:
        self.model = contract.model
        self.engine = engine
        self._session = session
        self._limit = limit
        self._gate = gate
        self._bound = bound
        self._inputs = tuple(t.name for t in contract.inputs)
        self._outputs = [t.name for t in contract.outputs]

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `Runner.run`; inputs that are not contiguous are copied."""
        try:
            with self._limit:
                if self._bound is not None:
                    return self._bound.run(*inputs)
                fed = dict(zip(self._inputs, inputs, strict=True))
                with self._gate.running():
                    return tuple(self._session.run(self._outputs, fed))
        except Exception as error:  # ONNX Runtime's own errors have no base in common
            raise InferenceError(f"model {self.model} failed in {self.engine}: {_line(error)}") from error

    def close(self) -> None:
        """See `Runner.close`."""
        if self._bound is not None:
            self._bound.close()
        self._bound = self._session = None


def follow(options: Any, content: Content) -> bytes:
    """What a session on the processor is given; its `options` are told where the weights lie."""
    if not isinstance(content, Referring):
        return content
    folder = str(content.file.parent)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    return content.graph


def _open_batch(contract: Contract) -> bool:
    return any(t.shape and t.shape[0] is None for t in contract.inputs)


def _elsewhere(session: Any) -> str:
    """How much of a model its provider left to the processor, in words; "" where it took all, or none says."""
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # noqa: BLE001 - it was not recorded, or this ONNX Runtime cannot: nothing to say
        return ""
    counts = Counter[str]()
    for part in parts:
        counts[part.ep_name] += len(part.get_nodes())
    left = counts["CPUExecutionProvider"]
    own = session.get_providers()[0] == "CPUExecutionProvider"
    return f", {left} of {counts.total()} operations on the processor" if left and not own else ""


def _dtype(text: str) -> str:
    """`tensor(float)` -> `float32`."""
    inner = text.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _shape(shape: list[Any]) -> tuple[int | None, ...]:
    return tuple(n if isinstance(n, int) else None for n in shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
