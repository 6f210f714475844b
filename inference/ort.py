"""ONNX Runtime as an engine: one session a model, on exactly the execution provider that was asked for."""

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..core.errors import ConfigError, InferenceError, ModelError
from .contracts import Contract, Found, check
from .engine import Tensor
from .providers import Plan


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

    def __init__(self, plan: Plan) -> None:
        """Raises ConfigError when ONNX Runtime is missing or does not have the provider."""
        provider = plan.provider
        there = available()
        if not there:
            raise ConfigError("ONNX Runtime is not installed", "uv sync, or pip install 'faceswapd[cpu]'")
        if provider.full not in there:
            raise ConfigError(
                f"execution provider {provider.name} is not in the installed ONNX Runtime",
                f"install {provider.distribution} in its place, or choose another provider",
            )
        import onnxruntime

        self._ort = onnxruntime
        self.plan = plan
        self._bound: AbstractContextManager[Any] = (
            threading.BoundedSemaphore(provider.bound) if provider.bound else nullcontext()
        )
        if provider.name in ("cuda", "tensorrt"):
            # The libraries that come as wheels lie where the system's loader does not look.
            onnxruntime.preload_dlls()

    def load(self, contract: Contract, content: bytes) -> "OrtRunner":
        """A session on the model file's content.

        Raises ModelError when the file does not load or does not keep its contract, and ConfigError when
        the session came up without the provider: ONNX Runtime goes on with the CPU by itself.
        """
        provider = self.plan.provider
        try:
            session = self._ort.InferenceSession(
                content, self._options(), providers=[(provider.full, dict(provider.options))]
            )
        except Exception as error:  # ONNX Runtime's own errors have no base in common
            raise ModelError(
                f"model {contract.model}: ONNX Runtime cannot load it on {provider.name} ({_line(error)})",
                "reinstall faceswapd, or choose another engine or provider",
            ) from error
        got = session.get_providers()
        if got[0] != provider.full:
            raise ConfigError(
                f"execution provider {provider.name} did not start, ONNX Runtime offers {got[0]} in its place",
                f"check the driver and its libraries, or ask for {'cpu' if provider.name != 'cpu' else 'auto'}",
            )
        session.disable_fallback()
        check(
            contract,
            [Found(t.name, _dtype(t.type), _shape(t.shape)) for t in session.get_inputs()],
            [Found(t.name, _dtype(t.type), _shape(t.shape)) for t in session.get_outputs()],
        )
        return OrtRunner(contract, session, provider.name, self._bound)

    def _options(self) -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self.plan.intra_op
        options.inter_op_num_threads = 1
        options.execution_mode = self._ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3  # errors; warnings go to stderr past our log
        # A thread that spins for its next model takes the core that capture and output need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self.plan.provider.name == "directml":
            options.enable_mem_pattern = False  # DirectML demands it
        return options


class OrtRunner:
    """A model in ONNX Runtime. `run` is for any number of threads; the GIL is free while it computes."""

    def __init__(
        self, contract: Contract, session: Any, provider: str, bound: AbstractContextManager[Any]
    ) -> None:
        self.model = contract.model
        words = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT", "directml": "DirectML"}
        self.engine = f"onnxruntime {words.get(provider, provider)} fp32"
        self._session = session
        self._bound = bound
        self._inputs = tuple(t.name for t in contract.inputs)
        self._outputs = [t.name for t in contract.outputs]

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See `Runner.run`; inputs that are not contiguous are copied."""
        try:
            with self._bound:
                return tuple(self._session.run(self._outputs, dict(zip(self._inputs, inputs, strict=True))))
        except Exception as error:  # ONNX Runtime's own errors have no base in common
            raise InferenceError(f"model {self.model} failed in {self.engine}: {_line(error)}") from error

    def close(self) -> None:
        """See `Runner.close`."""
        self._session = None


def _dtype(text: str) -> str:
    """`tensor(float)` -> `float32`."""
    inner = text.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _shape(shape: list[Any]) -> tuple[int | None, ...]:
    return tuple(n if isinstance(n, int) else None for n in shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
