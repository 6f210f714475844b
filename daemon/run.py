"""`run` and `demo`: from settings to one run of the app and its report."""

import argparse
import asyncio
import logging
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import structlog
from rich.console import Console

from .. import __version__
from ..capture.devices import first_virtual_camera
from ..capture.sources import make_source
from ..core.clock import SystemClock
from ..core.errors import UsageError
from ..core.loops import tell
from ..core.settings import ControlSettings, ProcessorSettings, Settings
from ..inference.providers import check_installation
from ..processors.library import Library
from ..sinks.orphans import Journal
from . import places
from .app import App, Ending
from .interruption import Interruption, Stopping
from .logs import Relay, configure
from .options import run_settings
from .outputs import how_to_get_one, make_outputs
from .precheck import check_chain, check_models
from .recorders import Recorders
from .report import Report, report, show, to_json
from .state import StateBoard

log = structlog.get_logger(__name__)

WEARERS = ("mesh_swap", "neural_swap")
"""Processors that wear a face."""


def run(args: argparse.Namespace) -> int:
    """The daemon. Without a virtual camera it ends with 69 unless another output is named."""
    # A signal is obeyed when all is read: foreign code may swallow a KeyboardInterrupt, or crash on it.
    with Interruption():
        relay = Relay()
        configure(logging.DEBUG if args.verbose else logging.INFO, relay)
        settings = run_settings(args)
        library = Library(places.data_dir())
        settings = wearing(settings, library, args.face, args.consent, chosen=args.processors is not None)
        check_chain(settings, library, places.data_dir() / "models", args.config)
        check_models(settings, places.data_dir() / "models", args.config)
        app = _app(settings, library, overwrite=args.overwrite)
        app.relay, app.on_ready, app.show_link = relay, _say_ready, sys.stderr.isatty()
    ending = serve(app)
    saved = [film for film in ending.films if Path(film).exists()]  # without a frame there is none
    result = report(ending.state, ending.stats, saved, ending.first_frame_s)
    _tell(result, as_json=args.json, quiet=settings.for_s is None)
    return 0


def demo(args: argparse.Namespace) -> int:
    """The main job on bundled material: a moving portrait wears the painted mask."""
    configure(logging.WARNING)  # the table at the end says it all
    if not (math.isfinite(args.for_s) and args.for_s > 0):
        raise UsageError(f"--for {args.for_s:g}", "give seconds above 0")
    with Interruption():  # as in `run`
        camera = first_virtual_camera()
        console = Console(stderr=args.json, soft_wrap=True)
        if camera is None:
            console.print(f"no virtual camera: {how_to_get_one()}", style="yellow", highlight=False)
        settings = Settings(
            source="portrait:",
            outputs=(*((camera.path,) if camera else ()), args.save),
            processors=(ProcessorSettings("mesh_swap"),),
            for_s=args.for_s,
            control=ControlSettings(enabled=False),
        )
        app = _app(settings, Library(places.data_dir()), overwrite=True)
    ending = serve(app)
    _tell(report(ending.state, ending.stats, [args.save], ending.first_frame_s), as_json=args.json)
    return 0


def serve(app: App) -> Ending:
    """One run of the app on the fastest event loop of this system; SIGINT, SIGTERM and SIGHUP end it in order."""
    with Stopping() as stopping, asyncio.Runner(loop_factory=loop_factory()) as runner:
        stopping.call(partial(tell, runner.get_loop(), app.stop.set))
        return runner.run(app.run())


def _app(settings: Settings, library: Library, *, overwrite: bool) -> App:
    check_installation()
    here = places.Places.of_the_user()
    recorders = Recorders(settings, SystemClock(), Journal(here.recordings))
    film = partial(recorders.film, overwrite=overwrite)
    return App(
        settings=settings,
        sinks=make_outputs(settings.outputs, settings.size, settings.fps, film, overwrite=overwrite),
        recorders=recorders,
        source=make_source(settings.source, settings.size, settings.fps, settings.loop),
        library=library,
        version=__version__,
        places=here,
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fastest event loop that is installed; None for the standard library's own."""
    try:
        if sys.platform == "win32":
            import winloop as fast
        else:
            import uvloop as fast
    except ImportError:  # asyncio's own loop does the same, slower
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = fast.new_event_loop
    return factory


def wearing(
    settings: Settings, library: Library, face: str | None, consent: str | None, *, chosen: bool
) -> Settings:
    """`--face`: a photo with its consent for this run, or a name of the library; it turns the swap on.

    `chosen`: the chain was named by the user, who is not to be contradicted.
    """
    if face is None:
        if consent is not None:
            raise UsageError("--consent without --face", "name the photo it is for")
        return settings
    name = face
    if not face:
        raise UsageError("--face without a name", "name a photo, or a face of `faceswapd face list`")
    if Path(face).suffix or Path(face).exists():
        name = library.with_photo(Path(face), consent)
    elif consent is not None:
        raise UsageError(
            f"--consent with the stored face {face}", "its consent was recorded when it was added"
        )
    chain = [
        msgspec.structs.replace(p, enabled=True, params={**p.params, "face": name})
        if p.name in WEARERS
        else p
        for p in settings.processors
    ]
    if not any(p.name in WEARERS for p in chain):
        if chosen:
            names = ", ".join(p.name for p in chain) or "none"
            raise UsageError(f"--face with --processors {names}", f"no face is worn there: add {WEARERS[0]}")
        # The default chain would hide the face again that was asked for.
        chain = [p for p in chain if p.name != "anonymize"]
        chain.insert(0, ProcessorSettings(WEARERS[0], params={"face": name}))
    return msgspec.structs.replace(settings, processors=tuple(chain))


def _say_ready(board: StateBoard) -> None:
    state = board.state()
    names = [p.name for p in state.processors if p.enabled]
    log.info("live", source=state.source, outputs=list(state.outputs), processors=names or "none")


def _tell(result: Report, *, as_json: bool, quiet: bool = False) -> None:
    if as_json:
        sys.stdout.write(to_json(result) + "\n")
    elif not quiet:
        show(result, Console(soft_wrap=True))
    else:
        log.info(
            "ended", frames=result.frames, dropped=sum(result.dropped.values()), saved=list(result.films)
        )
