"""`doctor`: what is installed, what is missing and what to do about it."""

import argparse
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec
from rich.console import Console

from .. import __version__
from ..core.errors import FaceswapdError, ModelError, NoDeviceError
from .logs import configure
from .outputs import how_to_get_one

if TYPE_CHECKING:
    from ..inference.choices import Timed
    from ..inference.shelf import Shelf


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    level: Literal["ok", "warning", "error"]
    text: str
    remedy: str = ""


Check = Callable[[], Iterator[Finding]]


def doctor(args: argparse.Namespace) -> int:
    """Prints all findings; 0 unless one is an error, then 78."""
    configure(logging.WARNING)
    found = list(examine())
    if args.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        console = Console(soft_wrap=True)
        signs = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[red]error[/]"}
        for finding in found:
            console.print(f"{signs[finding.level]:>18}  {finding.name}: {finding.text}", highlight=False)
            if finding.remedy:
                console.print(f"{'':>9}{finding.remedy}", highlight=False)
    return 78 if any(f.level == "error" for f in found) else 0


def examine() -> Iterator[Finding]:
    """Every check in turn; one that fails in a way the user can mend becomes a finding of its own."""
    yield Finding(
        "faceswapd", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    for check in (_runtimes, _models, _cameras, _screens, _virtual_cameras):
        try:
            yield from check()
        except FaceswapdError as error:
            yield Finding(check.__name__.strip("_").replace("_", " "), "error", error.what, error.remedy)


def _runtimes() -> Iterator[Finding]:
    from ..inference.providers import check_installation, installed_runtimes

    check_installation()
    runtimes = installed_runtimes()
    if not runtimes:
        yield Finding("ONNX Runtime", "warning", "not installed", "pip install 'faceswapd[cpu]' or [cuda]")
        return
    import onnxruntime

    names = ", ".join(p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers())
    version = ", ".join(f"{name} {number}" for name, number in runtimes.items())
    yield Finding("ONNX Runtime", "ok", f"{version}; execution providers: {names}")


def _models() -> Iterator[Finding]:
    from ..core.settings import InferenceSettings
    from ..inference.choices import Choices
    from ..inference.contracts import CONTRACTS
    from ..inference.engines import Engines
    from . import places

    cache = places.cache_dir() / "engines.json"
    engines = Engines(InferenceSettings(), cache=cache)
    try:
        for name in CONTRACTS:
            engines.load(name)
        for name, engine in sorted(engines.serving().items()):
            yield Finding(f"model {name}", "ok", engine)
        for problem in engines.problems:
            yield Finding("engines", "warning", problem)
        known = Choices(cache).latest()
        for name in engines.shelf.names():
            yield _own_model(name, engines.shelf, known)
    finally:
        engines.close()


def _own_model(model: str, shelf: "Shelf", known: Mapping[str, "Timed"]) -> Finding:
    """A model of the user's: is its file there, and what was found to serve it best."""
    from ..inference.supply import UNTIMED

    name = f"model {model}"
    try:
        card = shelf.card(model)
    except ModelError as error:
        return Finding(name, "error", error.what.removeprefix(f"{name}: "), error.remedy)
    family = card.family
    if not shelf.whole(model):
        again = f"faceswapd models remove {model}, then pull or add it again"
        return Finding(name, "error", f"{family}; its file is missing or was cut off", again)
    if shelf.family(model).task in UNTIMED:
        return Finding(name, "ok", f"{family}; served by the first engine that is ready")
    # What serves in another's place was run under the other's name.
    timed = known.get(model) or known.get(card.serves)
    if timed is None:
        return Finding(name, "ok", f"{family}; not run for long enough yet to know its engine")
    ms = timed.ms.get(str(timed.choice))
    words = [family, str(timed.choice) if ms is None else f"{timed.choice}, {ms:g} ms a run"]
    words += [f"{choice} refused: {reason}" for choice, reason in timed.refused.items()]
    words += [] if timed.confirmed else ["chosen on the bundled portrait, to be confirmed by the next run"]
    return Finding(name, "ok", "; ".join(words))


def _cameras() -> Iterator[Finding]:
    from ..capture.devices import cameras

    found = cameras()
    if not found:
        yield Finding("cameras", "warning", "none", "plug one in, or use --source with a film or a URL")
    for camera in found:
        yield Finding("camera", "ok", f"{camera.name} ({camera.path})")


def _screens() -> Iterator[Finding]:
    from ..capture.desktop import desktop_windows, shown

    windows = len(desktop_windows())
    more = f"; {windows} window{'s' * (windows > 1)} of X11 (screen:window=TITLE)" if windows else ""
    try:
        yield Finding("screen", "ok", shown() + more)
    except NoDeviceError as error:  # a daemon without a desktop is in order
        yield Finding("screen", "warning", error.what + more, error.remedy)


def _virtual_cameras() -> Iterator[Finding]:
    from ..capture.devices import virtual_cameras

    found = virtual_cameras()
    if not found:
        yield Finding("virtual cameras", "warning", "none", how_to_get_one())
    for camera in found:
        yield Finding("virtual camera", "ok", f"{camera.name} ({camera.path})")
