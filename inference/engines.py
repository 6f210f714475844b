"""The models of a run, each served by the engine that suits it best on this machine."""

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog
from platformdirs import user_cache_path, user_data_path

from ..core.errors import ConfigError, FaceswapdError, ModelError
from ..core.settings import InferenceSettings
from . import ort
from .choices import Choice, Choices, key
from .contracts import CONTRACTS, Contract
from .engine import Runner
from .menu import Menu, chain, menu
from .openvino import OpenVino
from .ort import OnnxRuntime
from .providers import plan, provider
from .quantise import Ranges
from .referring import Content
from .served import Served, Stage
from .settling import confirm, settle
from .shelf import Shelf
from .store import Store
from .supply import Supply
from .tuning import Sample

log = structlog.get_logger(__name__)


class Engines:
    """Loads models by name (see `Models`). Any thread may call.

    The bundled ones are kept; live, one of the user's for as long as somebody holds its runner: who tries out
    swappers of half a gigabyte each does not end with all of them in memory.

    A model is served by the first engine that is ready, in fp32, or by the one that was chosen here before. After
    `tune()` the others are timed on inputs that the daemon itself has seen, or was given, one model at a time on a
    thread of its own; the fastest takes over between two runs and is remembered. A reduced precision, also one that
    the settings name, serves only where its outputs stay within the contract's tolerances.
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

        Where it is not `live`, a swapper or enhancer of which nothing is known is timed before its first run, by
        the thread that runs it, and nothing is changed after that.

        Any thread calls `changed` when `serving` changes.

        Raises ConfigError for settings that contradict each other.
        """
        settings = settings or InferenceSettings()
        self._settings = settings
        self._live = live
        self._store = store or Store()
        self.shelf = shelf or Shelf(user_data_path("faceswapd") / "models")
        self._contracts = contracts
        self._choices = Choices(cache or user_cache_path("faceswapd") / "engines.json")
        self._changed = changed
        self._cache = self._choices.folder
        self._chain = chain(settings, ort.available() if settings.provider == "auto" else ())
        self.plan = plan(self._chain[0], threads=settings.threads, live=live)
        """How many workers the pool of this run has."""
        self._lock = threading.RLock()  # the last holder of a model may let go of it anywhere
        self._makers: dict[tuple[str, str], OnnxRuntime | OpenVino | FaceswapdError] = {}
        self._making = threading.Lock()
        self._kept: dict[str, Served] = {}
        self._own: weakref.WeakValueDictionary[str, Served] = weakref.WeakValueDictionary()
        self._refusals: dict[str, str] = {}
        self._failures: dict[str, str] = {}
        """{model: why an engine before the one that serves it could not load it}."""
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
            served = self._kept.get(model) or self._own.get(model)
            if served is None:
                served = self._open(model)
                with self._lock:
                    if model in self._contracts or not self._live:
                        self._kept[model] = served
                    else:
                        self._own[model] = served
                        weakref.finalize(served, self._released).atexit = False
                self._changed()
        return served

    def serving(self) -> dict[str, str]:
        """{model: the engine that serves it now}, in words."""
        return {model: served.engine for model, served in self._loaded().items()}

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each engine that could have been used and did not start, and for each model that is not served
        as the settings ask."""
        loaded = self._loaded()
        told = [*self._failures.copy().items(), *self._refusals.copy().items()]
        of_models = [line for model, line in told if model in loaded]
        makers = list(self._makers.values())
        return (*(str(m) for m in makers if isinstance(m, FaceswapdError)), *of_models)

    @property
    def settled(self) -> bool:
        """No model that was loaded still waits for its timing: what serves now goes on serving."""
        return all(served.settled for served in self._loaded().values())

    def tune(self) -> None:
        """From now on, times the engines of each model that was run often enough; returns at once."""
        with self._lock:
            if self._tuner is None and not self._stop.is_set():
                self._tuner = ThreadPoolExecutor(1, thread_name_prefix="tune")
        for served in self._loaded().values():
            if served.sampled:
                self._sampled(served)

    def close(self) -> None:
        """Ends the timing, after the run it is at, and releases all models; no `run` may be under way."""
        self._stop.set()
        with self._lock:
            tuner, self._tuner = self._tuner, None
        if tuner is not None:
            tuner.shutdown(wait=True, cancel_futures=True)
        loaded = self._loaded()
        with self._lock:
            self._kept.clear()
            self._own.clear()
        for served in loaded.values():
            served.close()

    def _loaded(self) -> dict[str, Served]:
        with self._lock:
            return self._kept | dict(self._own.items())

    def _released(self) -> None:
        """Nobody holds one of the user's models any longer. On any thread."""
        if not self._stop.is_set():
            self._changed()

    def _open(self, model: str) -> Served:
        supply = self._supply(model)
        contract, content = supply.contract, supply.content
        found = menu(self._settings, self._chain, contract)
        self._check(found)
        fingerprint = key(supply.sha256, self.plan, found.candidates, found.asked)
        several = contract.timed and len(found.candidates) > 1
        known = self._choices.recall(fingerprint) if several else None
        exact = [c for c in found.candidates if c.precision == "fp32"]
        order = [known.choice, *exact] if known else exact
        failed: FaceswapdError | None = None
        for choice in order:
            try:
                runner = self.make(choice, contract, content, known.ranges if known else None)
            except FaceswapdError as error:
                if len(order) == 1:
                    raise
                log.warning("engine.not_ready", model=model, engine=str(choice), reason=str(error))
                failed = error
                continue
            stage: Stage = "settling" if several else "settled"
            if known is not None and choice == known.choice:
                stage = "settled" if known.confirmed else "confirming"
            log.info("model.loaded", model=model, engine=runner.engine, settled=stage != "settling")
            timed = known if stage != "settling" else None
            served = Served(contract, found, fingerprint, choice, runner, stage, timed, self._sampled)
            self._failures.pop(model, None)
            if isinstance(failed, ModelError):
                self._failures[model] = str(failed)
            self._complain(served)
            return served
        assert failed is not None, "fp32 is always a candidate"
        raise failed

    def _check(self, found: Menu) -> None:
        """Raises ConfigError where what the settings ask for cannot be had on this machine."""
        if len(self._chain) == 1 and not self._chain[0].exact:
            # What stays in fp32 runs elsewhere; that the device is there has to be known before.
            self._maker(Choice("openvino", self._chain[0].name, "fp16"))
        errors = []
        for choice in found.asked:
            maker = self._maker(choice)
            if choice.precision in maker.native:
                return
            errors.append(choice)
        if errors:
            where = " and ".join(sorted({f"{c.engine} {c.provider}" for c in errors}))
            raise ConfigError(
                f"precision {errors[0].precision} was asked for, which this machine has no instructions for ({where})",
                "ask for fp32 or auto",
            )

    def _supply(self, model: str) -> Supply:
        """A bundled model, or one of the user's."""
        contract = self._contracts.get(model)
        if contract is None:
            return self.shelf.supply(model)
        return Supply(contract, self._store.read(model), self._store.entry(model).sha256)

    def make(
        self, choice: Choice, contract: Contract, content: Content, ranges: Ranges | None = None
    ) -> Runner:
        """A runner; `ranges` are for int8, which is nothing without them. Raises FaceswapdError."""
        maker = self._maker(choice)
        if isinstance(maker, OpenVino):
            return maker.load(contract, content, choice.precision, ranges)
        try:
            return maker.load(contract, content, choice.precision)
        except ModelError:
            raise  # of this model: the next one has a file of its own
        except ConfigError as error:
            # The provider did not start: it will not for the next model either.
            if choice.precision == "fp32":
                with self._making:
                    self._makers[choice.engine, choice.provider] = error
            raise

    def ranges(
        self, choice: Choice, contract: Contract, content: Content, samples: Sequence[Sample]
    ) -> Ranges:
        """What int8 needs to know (`quantise`). Raises FaceswapdError."""
        return self._openvino(choice).ranges(contract, content, samples)

    def careful(self, choice: Choice, content: Content, ranges: Ranges) -> Ranges:
        """See `quantise.careful`."""
        return self._openvino(choice).careful(content, ranges)

    def _openvino(self, choice: Choice) -> OpenVino:
        maker = self._maker(choice)
        assert isinstance(maker, OpenVino), "int8 is offered for OpenVINO only"
        return maker

    def _maker(self, choice: Choice) -> OnnxRuntime | OpenVino:
        """The engine of a choice, made once; one that does not start is not tried again."""
        name = (choice.engine, choice.provider)
        with self._making:
            if name not in self._makers:
                chosen = provider(choice.provider)
                own = chosen.name == self.plan.provider.name
                share = self.plan if own else plan(chosen, threads=self.plan.workers)
                try:
                    kind = OpenVino if choice.engine == "openvino" else OnnxRuntime
                    self._makers[name] = kind(share, self._cache)
                except FaceswapdError as error:
                    self._makers[name] = error
            maker = self._makers[name]
        if isinstance(maker, FaceswapdError):
            # A traceback grows with each raising, and holds on to the file of each model.
            raise maker.with_traceback(None)
        return maker

    def _sampled(self, served: Served) -> None:
        if not self._live:
            # A film changes its engine before its first frame or not at all.
            if served.primed and not served.settled and served.claim():
                log.info(
                    "engine.timing", model=served.model, why="once on this machine, before the first frame"
                )
                self._try_settle(served)
            return
        with self._lock:
            if self._tuner is not None and served.claim():
                self._tuner.submit(self._settle_later, weakref.ref(served))

    def _settle_later(self, waiting: weakref.ref[Served]) -> None:
        """On the tuning thread, unless the model was let go of while it waited for others."""
        served = waiting()
        if served is not None:
            self._try_settle(served)

    def _try_settle(self, served: Served) -> None:
        stage: Stage = "settled"
        try:
            stage = self._settle(served)
        except FaceswapdError as error:  # what serves goes on serving
            log.warning("engine.timing_failed", model=served.model, reason=str(error))
        except Exception:  # nobody awaits this thread
            log.exception("engine.timing_failed", model=served.model)
        finally:
            served.go_on(stage)

    def _settle(self, served: Served) -> Stage:
        """Finds which candidate serves a model, or confirms it. Runs on the tuning thread."""
        supply = self._supply(served.model)
        content = supply.content
        if key(supply.sha256, self.plan, served.menu.candidates, served.menu.asked) != served.fingerprint:
            log.warning("engine.timing_failed", model=served.model, reason="its file was exchanged")
            return "settled"
        if served.stage == "settling":
            verdict = settle(served, content, self, self._stop)
        else:
            verdict = confirm(served, content, self)
        if verdict is None:
            return "settled"
        timed = verdict.timed
        served.replace(timed.choice, verdict.runner, timed)
        self._choices.remember(served.fingerprint, timed)
        self._complain(served)
        self._changed()
        return "settled" if timed.confirmed else "confirming"

    def _complain(self, served: Served) -> None:
        """Notes that a model is not served as the settings ask, once that is known."""
        asked, timed = served.menu.asked, served.timed
        if not asked or served.choice in asked or (timed is None and self._live):
            self._refusals.pop(served.model, None)
            return
        why = timed.refused if timed is not None else {}
        wait = "was not judged on this machine yet, which a live run does"
        reasons = "; ".join(
            why.get(str(c), wait if timed is None else "was slower") for c in sorted(asked, key=str)
        )
        wanted = " or ".join(sorted({f"{c.provider} {c.precision}" for c in asked}))
        self._refusals[served.model] = (
            f"model {served.model} stays on {served.engine}, {wanted} is refused: {reasons}"
        )
