"""`faceswapd models`: the neural models of the user, and those that are known and not here."""

import argparse
import logging
import sys
from datetime import date
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.table import Table

from ..core.errors import FaceswapdError, UsageError
from ..core.settings import AnalysisSettings
from ..inference import packs
from ..inference.catalogue import family_of, licence_text
from ..inference.download import pull
from ..inference.shelf import Card, Shelf
from ..trust.consent import parse_basis
from . import places
from .logs import configure


class Row(msgspec.Struct, frozen=True):
    """One model as `models list --json` tells it."""

    model: str
    family: str
    task: str
    licence: str
    state: str
    """here, pull (it can be pulled) or add (its file has to be added)."""
    size: int = 0
    sha256: str = ""
    needs: tuple[str, ...] = ()


def models(args: argparse.Namespace) -> int:
    """Runs one action; returns the exit code."""
    configure(logging.WARNING)
    shelf = Shelf(places.data_dir() / "models")
    match args.action:
        case "list":
            return _list(shelf, args.json)
        case "pull" if args.model in packs.PACKS:
            return _pull_pack(args)
        case "remove" | "verify" if args.model in packs.PACKS:
            place = packs.found(args.model)
            raise UsageError(
                f"pack {args.model} is insightface's own, in {place}",
                "it has no digests to verify, and other programs may use it: remove that folder yourself",
            )
        case "pull":
            return _say(_pull(shelf, args), shelf, args.json)
        case "add":
            basis = parse_basis(args.consent, str(args.file)) if args.consent else ""
            return _say(shelf.add(args.file, args.name, args.family, consent=basis), shelf, args.json)
        case "verify":
            return _verify(shelf, args.model, args.json)
        case "remove":
            shelf.remove(args.model)
            _print({"removed": args.model}, f"removed {args.model}", args.json)
        case "licence":
            word = _licence(shelf, args.model)
            found = {"model": args.model, "licence": word, "text": licence_text(word)}
            _print(found, f"{args.model}: {word}\n{licence_text(word)}", args.json)
        case unknown:
            raise UsageError(f"unknown action {unknown}", "one of list, pull, add, verify, remove, licence")
    return 0


def _list(shelf: Shelf, as_json: bool) -> int:
    cards = {c.model: c for c in shelf.cards()}
    rows = [_row(card, shelf) for card in cards.values()]
    for name, entry in shelf.known.items():
        if name not in cards:
            task, state = family_of(entry.family).task, "pull" if entry.url else "add"
            rows.append(Row(name, entry.family, task, entry.licence, state, 0, entry.sha256, entry.needs))
    for pack in packs.PACKS:
        place = packs.folder(pack)
        size = sum(p.stat().st_size for p in place.glob("*.onnx"))
        rows.append(Row(pack, "insightface", "analysis", packs.LICENCE, "here" if size else "pull", size))
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return 0
    table = Table(box=None)
    for column in ("model", "task", "licence", "state"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        state = f"here, {row.size / 1e6:.0f} MB" if row.state == "here" else f"models {row.state}"
        table.add_row(row.model, row.task, row.licence, state)
    Console(soft_wrap=True).print(table)
    return 0


def _row(card: Card, shelf: Shelf) -> Row:
    entry = shelf.known.get(card.model)
    task = family_of(card.family).task
    needs = entry.needs if entry else ()
    return Row(card.model, card.family, task, card.licence, "here", card.size, card.sha256, needs)


def _pull(shelf: Shelf, args: argparse.Namespace) -> Card:
    entry = shelf.known.get(args.model)
    if entry is None or not entry.url:
        return pull(shelf, args.model, "")  # it says why not
    if args.model not in {c.model for c in shelf.cards()}:
        _accept(args.model, entry.licence, args.accept_licence)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=args.json) as progress:
        task = progress.add_task(args.model, total=None)

        def show(here: int, total: int) -> None:
            progress.update(task, completed=here, total=total or None)

        return pull(shelf, args.model, date.today().isoformat(), show)


def _pull_pack(args: argparse.Namespace) -> int:
    """insightface downloads it itself, shows how far it is, and keeps it where its other users find it."""
    packs.check_new(args.model)
    _accept(args.model, packs.LICENCE, args.accept_licence)
    place = packs.pull(args.model)
    words = f"{args.model} is here: {place}, licence {packs.LICENCE}; use it with --analysis insightface"
    words += "" if args.model == AnalysisSettings().pack else f" --analysis-pack {args.model}"
    _print({"model": args.model, "folder": str(place), "licence": packs.LICENCE}, words, args.json)
    return 0


def _accept(model: str, licence: str, accepted: str | None) -> None:
    """Raises UsageError where the licence is not accepted."""
    if accepted is not None:
        if accepted != licence:
            raise UsageError(
                f"model {model} is under {licence}, not {accepted}", f"--accept-licence {licence}"
            )
        return
    remedy = f"read `faceswapd models licence {model}`, then --accept-licence {licence}"
    if not sys.stdin.isatty():
        raise UsageError(f"the licence of model {model} is not accepted", remedy)
    sys.stderr.write(f"{model} is under {licence}\n{licence_text(licence)}\nDo you accept it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError(f"the licence of model {model} was not accepted", remedy)


def _verify(shelf: Shelf, model: str | None, as_json: bool) -> int:
    """Reads each file anew; the exit code is that of the first fault."""
    faults: dict[str, str] = {}
    code = 0
    for name in [model] if model else [c.model for c in shelf.cards()]:
        try:
            shelf.read(name)
            if family_of(shelf.card(name).family).emap:
                shelf.emap(name)
            faults[name] = ""
        except FaceswapdError as error:
            faults[name] = str(error)
            code = code or error.exit_code
    lines = [f"{name}: {fault or 'ok'}" for name, fault in faults.items()] or ["no models are here"]
    _print(faults, "\n".join(lines), as_json)
    return code


def _licence(shelf: Shelf, model: str) -> str:
    if model in packs.PACKS:
        return packs.LICENCE
    entry = shelf.known.get(model)
    return entry.licence if entry else shelf.card(model).licence


def _say(card: Card, shelf: Shelf, as_json: bool) -> int:
    how = ", any number of faces in one run" if card.batch else ", one face in each run"
    if family_of(card.family).task == "detector":
        how = ""
    here = {c.model for c in shelf.cards()}
    entry = shelf.known.get(card.model)
    lacking = [str(shelf.missing(need)) for need in (entry.needs if entry else ()) if need not in here]
    words = f"{card.model} is here: family {card.family}, licence {card.licence}{how}"
    _print(card, "\n".join([words, *(f"it needs more: {line}" for line in lacking)]), as_json)
    return 0


def _print(value: Any, words: str, as_json: bool) -> None:
    sys.stdout.write((msgspec.json.encode(value).decode() if as_json else words) + "\n")
