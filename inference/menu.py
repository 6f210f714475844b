"""What may serve a model under the settings: providers, engines and precisions, as a list. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..core.errors import ConfigError
from ..core.settings import InferenceSettings
from .choices import Choice
from .contracts import Contract
from .providers import PROVIDERS, Precision, Provider, preferred, provider

_OF_OPENVINO: tuple[Precision, ...] = ("bf16", "int8")
"""What OpenVINO has below fp32 on a processor with the instructions."""


@dataclass(frozen=True, slots=True)
class Menu:
    """The candidates for one model, in the order of how soon each is ready."""

    candidates: tuple[Choice, ...]
    asked: frozenset[Choice] = frozenset()
    """Those of them that the settings name: where one is proven, it serves whether it is faster or not."""


def chain(settings: InferenceSettings, available: Iterable[str]) -> tuple[Provider, ...]:
    """The providers of the settings: the first is meant, each later one may take its place where it fails.

    `tensorrt,cuda` says so; `auto` is what suits the installed ONNX Runtime (`available`, full names) and the
    precision. Raises ConfigError for settings that contradict each other.
    """
    wanted: str = settings.precision
    if settings.provider == "auto":
        there = set(available)
        able = [p for p in PROVIDERS.values() if p.auto and p.full in there and wanted in p.precisions]
        reduced = wanted not in ("auto", "fp32")
        first = (
            PROVIDERS["cpu"]
            if settings.engine == "openvino" or (reduced and not able)
            else able[0]
            if reduced
            else preferred(there)
        )
        found = [first]
    else:
        found = [provider(name.strip()) for name in settings.provider.split(",")]
    for p in found:
        if settings.engine == "openvino" and p.name != "cpu" and p.engine != "openvino":
            raise ConfigError(
                f"engine openvino does not run on execution provider {p.name}",
                "ask for provider cpu, openvino:gpu, openvino:npu or auto, or for engine onnxruntime",
            )
        if settings.engine == "onnxruntime" and p.engine == "openvino":
            raise ConfigError(
                f"engine onnxruntime does not run on execution provider {p.name}",
                "ask for engine openvino or auto",
            )
    if wanted not in ("auto", "fp32") and not any(wanted in offered(p, settings.engine) for p in found):
        where = " and ".join(p.name for p in found)
        engine = f" in engine {settings.engine}" if settings.engine != "auto" else ""
        able_names = [p.name for p in PROVIDERS.values() if wanted in offered(p, "auto")]
        raise ConfigError(
            f"precision {wanted} is not there on execution provider {where}{engine}",
            f"it is there on {', '.join(able_names)}; or ask for precision auto",
        )
    return tuple(found)


def offered(provider: Provider, engine: str) -> Collection[str]:
    """The precisions below fp32 that a provider has in an engine (`auto`: in any)."""
    if provider.name == "cpu":
        return _OF_OPENVINO if engine != "onnxruntime" else ()
    return provider.precisions


def menu(settings: InferenceSettings, providers: tuple[Provider, ...], contract: Contract) -> Menu:
    """What may serve a model. A precision below fp32 only where the contract bears one, int8 only for pictures."""
    wanted: str = settings.precision
    pictures = any(t.peak for t in contract.outputs)

    def reduced(p: Provider) -> list[Precision]:
        if not contract.reducible or wanted == "fp32":
            return []
        names = _OF_OPENVINO if p.name == "cpu" else tuple(p.precisions)
        return [n for n in names if wanted in ("auto", n) and (n != "int8" or pictures)]

    found: list[Choice] = []
    for p in (*providers, *_processor(settings, providers)):
        if p.engine == "openvino":
            found += [Choice("openvino", p.name, "fp32")] if p.exact else []
            found += [Choice("openvino", p.name, n) for n in reduced(p)]
            continue
        if settings.engine != "openvino":
            found.append(Choice("onnxruntime", p.name, "fp32"))
            found += [Choice("onnxruntime", p.name, n) for n in reduced(p)] if p.name != "cpu" else []
        if settings.engine != "onnxruntime" and p.name == "cpu":
            found.append(Choice("openvino", "cpu", "fp32"))
            found += [Choice("openvino", "cpu", n) for n in reduced(p)]
    if not any(c.precision == "fp32" for c in found):  # nothing could be judged, nor serve until it is
        found.insert(0, Choice("openvino", "cpu", "fp32"))
    if not contract.timed:  # the first that loads it serves
        return Menu(tuple(c for c in found if c.precision == "fp32"))
    inexact = {p.name for p in providers if not p.exact}
    asked = (
        [c for c in found if c.precision == wanted]
        if wanted not in ("auto", "fp32")
        else [c for c in found if c.provider in inexact]
    )
    return Menu(tuple(found), frozenset(asked))


def _processor(settings: InferenceSettings, providers: tuple[Provider, ...]) -> list[Provider]:
    """The processor beside a device that nobody asked for by name."""
    cpu = PROVIDERS["cpu"]
    return [cpu] if settings.provider == "auto" and cpu not in providers else []
