"""The models of a run, each served by the engine that suits it best on this machine."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog
from platformdirs import user_cache_path, user_data_path

from ..core.errors import ConfigError, FaceswapdError, InferenceError
from ..core.settings import InferenceSettings
from . import ort
from .choices import Choice, Choices, Timed, key
from .contracts import CONTRACTS, Contract
from .engine import Runner, Tensor
from .openvino import OpenVino
from .ort import OnnxRuntime
from .providers import PROVIDERS, Plan, plan, preferred, provider
from .quantise import Ranges
from .shelf import Shelf, Supply
from .store import Store
from .tuning import Sample, medians_ms, strays

log = structlog.get_logger(__name__)

_SAMPLES = 6
"""Inputs kept of a model for timing it, as they come by in the daemon's own work. They stay in memory, until
the timing is over."""
_EVERY = 5
"""Of so many runs one is kept: six frames in a row would show one picture."""
_WORTH = 0.9
"""Another engine takes over where it needs less than this share of the time; below that it is noise."""


class Engines:
    """Loads models by name (see `Models`) and keeps them. Any thread may call.

    With `engine = "auto"` a model is served by the first engine that is ready, or by the one that was fastest
    here before. After `tune()` the others are timed on inputs that the daemon itself has seen, one model at a
    time on a thread of its own; the fastest takes over between two runs and is remembered. A reduced precision
    is chosen only where its outputs stay within the contract's tolerances.
    """

    def __init__(
        self,
        settings: InferenceSettings | None = None,
        *,
        cache: Path | None = None,
        live: bool = True,
        store: Store | None = None,
        shelf: Shelf | None = None,
        contracts: Mapping[str, Contract] = CONTRACTS,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`cache` is the file of the choices, `shelf` the user's models (None: the user's own folders).

        Any thread calls `changed` when `serving` changes.

        Raises ConfigError for settings that contradict each other.
        """
        settings = settings or InferenceSettings()
        self._settings = settings
        self._store = store or Store()
        self.shelf = shelf or Shelf(user_data_path("faceswapd") / "models")
        self._contracts = contracts
        self._choices = Choices(cache or user_cache_path("faceswapd") / "engines.json")
        self._changed = changed
        self.plan = _plan(settings, live=live)
        """How many workers the pool of this run has."""
        self._lock = threading.Lock()
        self._makers: dict[tuple[str, str], OnnxRuntime | OpenVino | FaceswapdError] = {}
        self._making = threading.Lock()
        self._served: dict[str, _Served] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._tuner: ThreadPoolExecutor | None = None
        self._stop = threading.Event()

    def load(self, model: str, **options: Any) -> Runner:
        """See `Models.load`. Raises ConfigError where an engine or provider asked for is not there."""
        if options:
            raise TypeError(f"model {model} takes no options: {', '.join(options)}")
        with self._lock:
            loading = self._loading.setdefault(model, threading.Lock())
        with loading:
            served = self._served.get(model)
            if served is None:
                served = self._open(model)
                with self._lock:
                    self._served[model] = served
                self._changed()
        return served

    def serving(self) -> dict[str, str]:
        """{model: the engine that serves it now}, in words."""
        with self._lock:
            return {model: served.engine for model, served in self._served.items()}

    @property
    def problems(self) -> tuple[str, ...]:
        """Engines that `auto` would have tried and that did not start, a line each."""
        return tuple(str(m) for m in list(self._makers.values()) if isinstance(m, FaceswapdError))

    @property
    def settled(self) -> bool:
        """No model that was loaded still waits for its timing: what serves now goes on serving."""
        with self._lock:
            return all(served.settled for served in self._served.values())

    def tune(self) -> None:
        """From now on, times the engines of each model that was run often enough; returns at once."""
        with self._lock:
            if self._tuner is None and not self._stop.is_set():
                self._tuner = ThreadPoolExecutor(1, thread_name_prefix="tune")
            waiting = [s for s in self._served.values() if s.sampled]
        for served in waiting:
            self._sampled(served)

    def close(self) -> None:
        """Ends the timing, after the run it is at, and releases all models; no `run` may be under way."""
        self._stop.set()
        with self._lock:
            tuner, self._tuner = self._tuner, None
        if tuner is not None:
            tuner.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            served, self._served = list(self._served.values()), {}
        for one in served:
            one.close()

    def _open(self, model: str) -> "_Served":
        supply = self._supply(model)
        contract, content = supply.contract, supply.content
        candidates = self._candidates(contract)
        fingerprint = key(supply.sha256, self.plan, candidates)
        known = self._choices.recall(fingerprint) if len(candidates) > 1 else None
        order = [known.choice, *candidates] if known else candidates
        failed: FaceswapdError | None = None
        for choice in order:
            try:
                runner = self._make(choice, contract, content, known.ranges if known else None)
            except FaceswapdError as error:
                if len(candidates) == 1:
                    raise
                log.warning("engine.not_ready", model=model, engine=str(choice), reason=str(error))
                failed = error
                continue
            settled = len(candidates) == 1 or (known is not None and choice == known.choice)
            log.info("model.loaded", model=model, engine=runner.engine, settled=settled)
            wanted = 0 if settled else _SAMPLES
            return _Served(contract, choice, candidates, fingerprint, runner, wanted, self._sampled)
        assert failed is not None, "there is always a candidate"
        raise failed

    def _supply(self, model: str) -> Supply:
        """A bundled model, or one of the user's."""
        contract = self._contracts.get(model)
        if contract is None:
            return self.shelf.supply(model)
        return Supply(contract, self._store.read(model), self._store.entry(model).sha256)

    def _candidates(self, contract: Contract) -> list[Choice]:
        """What may serve a model under these settings, in the order of how soon it is ready."""
        s, found = self._settings, list[Choice]()
        reduced = s.precision == "bf16" or (s.precision == "auto" and contract.reducible)
        if s.engine != "openvino" and s.precision != "bf16":
            found.append(Choice("onnxruntime", self.plan.provider.name, "fp32"))
            if s.provider == "auto" and self.plan.provider.name != "cpu":
                found.append(Choice("onnxruntime", "cpu", "fp32"))
        if s.engine != "onnxruntime" and s.provider in ("auto", "cpu"):
            if s.precision != "bf16":
                found.append(Choice("openvino", "cpu", "fp32"))
            if reduced:
                found.append(Choice("openvino", "cpu", "bf16"))
            if s.precision == "auto" and contract.reducible and any(t.peak for t in contract.outputs):
                found.append(Choice("openvino", "cpu", "int8"))
        return found if contract.timed else found[:1]

    def _make(
        self, choice: Choice, contract: Contract, content: bytes, ranges: Ranges | None = None
    ) -> Runner:
        """`ranges` are for int8, which is nothing without them."""
        maker = self._maker(choice)
        if isinstance(maker, OpenVino):
            if choice.precision == "int8" and not ranges:
                raise InferenceError(f"model {contract.model} was not calibrated for int8 yet")
            return maker.load(contract, content, choice.precision, ranges)
        try:
            return maker.load(contract, content)
        except ConfigError as error:  # the provider did not start: it will not for the next model either
            with self._making:
                self._makers[choice.engine, choice.provider] = error
            raise

    def _ranges(
        self, choice: Choice, contract: Contract, content: bytes, samples: list[Sample]
    ) -> dict[str, tuple[float, float]]:
        maker = self._maker(choice)
        assert isinstance(maker, OpenVino), "int8 is offered for OpenVINO only"
        return maker.ranges(contract, content, samples)

    def _maker(self, choice: Choice) -> OnnxRuntime | OpenVino:
        """The engine of a choice, made once; one that does not start is not tried again."""
        name = (choice.engine, choice.provider)
        with self._making:
            if name not in self._makers:
                chosen = PROVIDERS[choice.provider]
                own = chosen is self.plan.provider
                share = self.plan if own else plan(chosen, threads=self.plan.workers)
                try:
                    self._makers[name] = (
                        OpenVino(share) if choice.engine == "openvino" else OnnxRuntime(share)
                    )
                except FaceswapdError as error:
                    self._makers[name] = error
            maker = self._makers[name]
        if isinstance(maker, FaceswapdError):
            raise maker
        return maker

    def _sampled(self, served: "_Served") -> None:
        with self._lock:
            if self._tuner is not None and served.claim():
                self._tuner.submit(self._try_settle, served)

    def _try_settle(self, served: "_Served") -> None:
        try:
            self._settle(served)
        except Exception:  # nobody awaits this thread; what serves goes on serving
            log.exception("engine.timing_failed", model=served.model)
        finally:
            served.settled = True

    def _settle(self, served: "_Served") -> None:
        """Times all candidates of one model and lets the fastest serve. Runs on the tuning thread."""
        contract, samples = served.contract, served.take()
        content = self._supply(contract.model).content
        runners: dict[Choice, Runner] = {served.choice: served.runner}
        ranges: dict[str, tuple[float, float]] = {}
        for choice in served.candidates:
            if choice in runners or self._stop.is_set():
                continue
            # What int8 is calibrated on says nothing about how good it is: it is judged by the other samples.
            judged = samples
            try:
                if choice.precision == "int8":
                    ranges = self._ranges(choice, contract, content, samples[::2])
                    judged = samples[1::2]
                runner = self._make(choice, contract, content, ranges)
                reason = strays(contract, served.runner, runner, judged)
            except FaceswapdError as error:
                reason = str(error)
            if reason:
                log.info("engine.refused", model=contract.model, engine=str(choice), reason=reason)
            else:
                runners[choice] = runner
        ms = medians_ms(runners, samples, self._stop)
        if not ms:
            return
        best = min(ms, key=lambda choice: ms[choice])
        if ms[best] > _WORTH * ms[served.choice]:
            best = served.choice
        words = {str(choice): round(t, 3) for choice, t in ms.items()}
        log.info("engine.chosen", model=contract.model, engine=str(best), ms=words)
        served.replace(best, runners[best])
        kept = ranges if best.precision == "int8" else {}
        self._choices.remember(served.fingerprint, Timed(contract.model, best, words, kept))
        self._changed()


class _Served:
    """The runner that a processor holds: the engine behind it may change between two runs."""

    def __init__(
        self,
        contract: Contract,
        choice: Choice,
        candidates: list[Choice],
        fingerprint: str,
        runner: Runner,
        wanted: int,
        ready: Callable[["_Served"], None],
    ) -> None:
        self.contract = contract
        self.choice = choice
        self.candidates = candidates
        self.fingerprint = fingerprint
        self.runner = runner
        self.settled = wanted == 0
        """Its engine is chosen; False while it is still to be timed."""
        self._wanted = wanted
        self._ready = ready
        self._lock = threading.Lock()
        self._runs = 0
        self._samples: list[Sample] = []

    @property
    def model(self) -> str:
        return self.contract.model

    @property
    def engine(self) -> str:
        return self.runner.engine

    @property
    def sampled(self) -> bool:
        return 0 < self._wanted <= len(self._samples)

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self._wanted:
            self._keep(inputs)
        return self.runner.run(*inputs)

    def close(self) -> None:
        self.runner.close()

    def claim(self) -> bool:
        """True once: whoever gets it does the timing."""
        with self._lock:
            if not self.sampled:
                return False
            self._wanted = 0
            return True

    def take(self) -> list[Sample]:
        """The samples, which are not kept any longer."""
        with self._lock:
            samples, self._samples = self._samples, []
            return samples

    def replace(self, choice: Choice, runner: Runner) -> None:
        """Lets another runner serve. The one before it lives on in the runs that are under way."""
        self.choice, self.runner = choice, runner

    def _keep(self, inputs: Sample) -> None:
        with self._lock:
            self._runs += 1
            if self._runs % _EVERY or len(self._samples) >= self._wanted:
                return
            self._samples.append(tuple(x.copy() for x in inputs))
            full = self.sampled
        if full:
            self._ready(self)


def _plan(settings: InferenceSettings, *, live: bool) -> Plan:
    """The plan of the settings' provider. Raises ConfigError where they contradict each other."""
    chosen = (
        provider(settings.provider)
        if settings.provider != "auto"
        else PROVIDERS["cpu"]
        if settings.engine == "openvino" or settings.precision == "bf16"
        else preferred(ort.available())
    )
    if chosen.name != "cpu" and settings.engine == "openvino":
        raise ConfigError(
            f"engine openvino does not run on execution provider {chosen.name}",
            "ask for provider cpu or auto, or for engine onnxruntime",
        )
    if settings.precision == "bf16" and (settings.engine == "onnxruntime" or chosen.name != "cpu"):
        raise ConfigError(
            "precision bf16 is there only in engine openvino on the processor",
            "ask for engine openvino or auto and provider cpu or auto, or for precision auto",
        )
    return plan(chosen, threads=settings.threads, live=live)
