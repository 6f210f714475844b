"""`devices`, `processors` and `face`: what is there."""

import argparse
import logging
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..core.errors import UsageError
from . import places
from .logs import configure
from .outputs import how_to_get_one

if TYPE_CHECKING:
    from ..capture.desktop import Monitor
    from ..capture.window import WindowInfo


def devices(args: argparse.Namespace) -> int:
    """Cameras and virtual cameras with their names, paths and formats; monitors and windows."""
    from ..capture.desktop import desktop_monitors, desktop_windows
    from ..capture.devices import cameras, virtual_cameras

    configure(logging.WARNING)
    found = {"cameras": cameras(), "virtual_cameras": virtual_cameras()}
    monitors, windows = desktop_monitors(), desktop_windows()
    if args.json:
        sys.stdout.write(
            msgspec.json.encode({**found, "monitors": monitors, "windows": windows}).decode() + "\n"
        )
        return 0
    console = Console(soft_wrap=True)
    for title, listed in found.items():
        table = Table(title=title.replace("_", " "), title_justify="left")
        for column in ("name", "path", "formats"):
            table.add_column(column)
        for device in listed:
            table.add_row(device.name, device.path, "\n".join(str(f) for f in device.formats))
        console.print(table if listed else f"{title.replace('_', ' ')}: none", highlight=False)
    _desktop(console, monitors, windows)
    if not found["virtual_cameras"]:
        console.print(how_to_get_one(), style="yellow", highlight=False)
    return 0


def _desktop(console: Console, monitors: "tuple[Monitor, ...]", windows: "tuple[WindowInfo, ...]") -> None:
    """What `--source screen:` can show."""
    if monitors:
        table = Table("source", "size", "at", title="monitors", title_justify="left")
        for monitor in monitors:
            size = (
                f"{monitor.size[0]}x{monitor.size[1]}"
                if any(monitor.size)
                else "chosen in the desktop's dialog"
            )
            table.add_row(monitor.name, size, f"{monitor.place[0]},{monitor.place[1]}")
        console.print(table)
    if windows:
        table = Table("title", "number", "size", title="windows (screen:window=TITLE)", title_justify="left")
        for window in windows:
            table.add_row(Text(window.title), window.number, f"{window.size[0]}x{window.size[1]}")
        console.print(table)


def processors(args: argparse.Namespace) -> int:
    """What can be in a chain, with parameters, defaults and ranges."""
    from ..processors.library import Library
    from . import tables
    from .precheck import known_processors

    infos = tables.named(
        known_processors(Library(places.data_dir()), places.data_dir() / "models"), args.name
    )
    if args.json:
        sys.stdout.write(msgspec.json.encode(infos).decode() + "\n")
    else:
        Console(highlight=False).print(tables.processors(infos))
    return 0


def face(args: argparse.Namespace) -> int:
    """Adds, lists and removes the faces that can be worn; a photo's face is found by what a run would use."""
    from ..inference.engines import Engines
    from ..processors.analysis import Analysis
    from ..processors.library import Library, face_finder
    from . import config
    from .precheck import check_models

    configure(logging.WARNING)
    console = Console(soft_wrap=True)
    library = Library(places.data_dir())
    match args.action:
        case "add":
            settings = config.load({}, args.config)
            check_models(settings, places.data_dir() / "models", args.config)
            engines = Engines(settings.inference, cache=places.cache_dir() / "engines.json")
            try:
                analysis = Analysis(engines, settings.analysis, engines.plan)
                library = Library(places.data_dir(), has_face=face_finder(analysis.tracker))
                added = library.add(args.photo, args.name, args.consent)
            finally:
                engines.close()
            console.print(f"added {added.name} (consent: {added.consent})", highlight=False)
        case "remove":
            library.remove(args.name)
            console.print(f"removed {args.name}, its photo and its record", highlight=False)
        case "list":
            if args.json:
                sys.stdout.write(msgspec.json.encode(library.list()).decode() + "\n")
                return 0
            table = Table()
            for column in ("name", "consent", "added"):
                table.add_column(column)
            for info in library.list():
                table.add_row(info.name, info.consent, "bundled" if info.bundled else info.added)
            console.print(table)
        case unknown:
            raise UsageError(f"unknown action {unknown}", "one of add, list, remove")
    return 0
