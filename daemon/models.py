"""`faceswapd models`: the neural models of the user, and those that are known and not here."""

import argparse
import logging
import sys
from datetime import date
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn
from rich.table import Table

from ..core.errors import FaceswapdError, ModelError, UsageError
from ..core.settings import AnalysisSettings
from ..inference import packs
from ..inference.card import Card
from ..inference.catalogue import family_of, licence_text
from ..inference.download import pull
from ..inference.shelf import Shelf
from ..trust.consent import parse_basis
from . import places
from .logs import configure

State = Literal["here", "broken", "pull", "add"]


class Row(msgspec.Struct, frozen=True):
    """One model as `models list --json` tells it."""

    model: str
    family: str
    task: str
    licence: str
    state: State
    """here, broken (`models verify` says why), pull (it can be pulled) or add (its file has to be added)."""
    size: int = 0
    """Bytes of its file: of the one that is here, else as they are stated of it; 0 where nobody states them."""
    sha256: str = ""
    needs: tuple[str, ...] = ()
    serves: str = ""
    """The known model in whose place it serves."""


def models(args: argparse.Namespace) -> int:
    """Runs one action; returns the exit code."""
    configure(logging.WARNING)
    shelf = Shelf(places.data_dir() / "models")
    shelf.sweep()
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
            return _say(_add(shelf, args, basis), shelf, args.json)
        case "verify":
            return _verify(shelf, args.model, args.json)
        case "remove":
            _check_name(shelf, args.model)
            shelf.remove(args.model)
            _print({"removed": args.model}, f"removed {args.model}", args.json)
        case "licence":
            word = _licence(shelf, args.model)
            text, usual = licence_text(word), _usual(shelf, args.model)
            if usual:
                text = f"Nothing is known of this file's own licence. {usual}"
            found = {"model": args.model, "licence": word, "text": text}
            _print(found, f"{args.model}: {word}\n{text}", args.json)
        case unknown:
            raise UsageError(f"unknown action {unknown}", "one of list, pull, add, verify, remove, licence")
    return 0


def _list(shelf: Shelf, as_json: bool) -> int:
    cards = {c.model: c for c in shelf.cards()}
    rows = [_row(cards[name], shelf) if name in cards else _unreadable(name, shelf) for name in shelf.names()]
    here = {row.model for row in rows}
    for name, entry in shelf.known.items():
        if name not in here:
            task = family_of(entry.family).task
            state: State = "pull" if entry.url else "add"
            about = (entry.licence, state, entry.size, entry.sha256, entry.needs)
            rows.append(Row(name, entry.family, task, *about))
    for pack in packs.PACKS:
        place = packs.folder(pack)
        size = sum(p.stat().st_size for p in place.glob("*.onnx"))
        rows.append(Row(pack, "insightface", "analysis", packs.LICENCE, "here" if size else "pull", size))
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return 0
    table = Table(box=None, pad_edge=False)
    for column in ("model", "task", "licence", "state"):
        table.add_column(column, no_wrap=column != "state")
    for row in rows:
        table.add_row(row.model, row.task, row.licence, _state_words(row))
    # As wide as it is: a narrow terminal breaks a line, where rich would leave the last column out.
    Console(soft_wrap=True, width=200).print(table)
    return 0


def _state_words(row: Row) -> str:
    match row.state:
        case "here":
            return f"here, {row.size / 1e6:.0f} MB" + (f", serves as {row.serves}" if row.serves else "")
        case "broken":
            return f"broken: models verify {row.model}"
        case "pull" if row.size:
            return f"models pull, {row.size / 1e6:.0f} MB"
    return f"models {row.state}"


def _row(card: Card, shelf: Shelf) -> Row:
    task, needs = family_of(card.family).task, shelf.needs(card)
    state: State = "here" if shelf.whole(card.model) else "broken"
    return Row(
        card.model, card.family, task, card.licence, state, card.size, card.sha256, needs, card.serves
    )  # fmt: skip


def _unreadable(name: str, shelf: Shelf) -> Row:
    entry = shelf.known.get(name)
    if entry is None:
        return Row(name, "", "", "", "broken")
    return Row(name, entry.family, family_of(entry.family).task, entry.licence, "broken")


def _add(shelf: Shelf, args: argparse.Namespace, basis: str) -> Card:
    return shelf.add(args.file, args.name, args.family, consent=basis, serves=args.serves or "")


def _pull(shelf: Shelf, args: argparse.Namespace) -> Card:
    _check_name(shelf, args.model)
    entry = shelf.known.get(args.model)
    if entry is None or not entry.url:
        return pull(shelf, args.model, "")  # it says why not
    if (there := _there(shelf, args.model)) is not None:
        return there
    shelf.check_free(args.model)
    _accept(args.model, entry.licence, args.accept_licence)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=args.json, transient=True) as progress:
        task = progress.add_task(args.model, total=entry.size or None)

        def show(here: int, total: int) -> None:
            progress.update(task, completed=here, total=total or None)

        return pull(shelf, args.model, date.today().isoformat(), show)


def _there(shelf: Shelf, model: str) -> Card | None:
    """The very model that would be pulled, where it is here: whoever asks twice has what he asked for."""
    try:
        card = shelf.card(model)
    except ModelError:
        return None
    same = card.model == model and card.sha256 == shelf.known[model].sha256
    return card if same and shelf.whole(model) else None


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
    for name in [model] if model else shelf.names():
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
    _check_name(shelf, model)
    entry = shelf.known.get(model)
    return entry.licence if entry else shelf.card(model).licence


def _usual(shelf: Shelf, model: str) -> str:
    """What the known models of the same family are under, where an own file says nothing of a licence; else empty."""
    if model in shelf.known or model in packs.PACKS:
        return ""
    family = shelf.card(model).family
    words = dict.fromkeys(k.licence for k in shelf.known.values() if k.family == family)
    words.pop("unknown", None)
    return f"Known models of its family are under {' or '.join(words)}: ask its makers." if words else ""


def _check_name(shelf: Shelf, model: str) -> None:
    """Raises UsageError for a name that nobody knows."""
    if model not in shelf.known and shelf.lacks(model):
        raise UsageError(f"no model is called {model!r}", "see `faceswapd models list`")


def _say(card: Card, shelf: Shelf, as_json: bool) -> int:
    how = ", any number of faces in one run" if card.batch else ", one face in each run"
    if family_of(card.family).task == "detector":
        how = ""
    lacking = [str(shelf.missing(need)) for need in shelf.lacking(card)]
    words = f"{card.model} is here: family {card.family}, licence {card.licence}{how}"
    words += f", serves as {card.serves}" if card.serves else ""
    _print(card, "\n".join([words, *(f"it needs more: {line}" for line in lacking)]), as_json)
    return 0


def _print(value: Any, words: str, as_json: bool) -> None:
    sys.stdout.write((msgspec.json.encode(value).decode() if as_json else words) + "\n")
