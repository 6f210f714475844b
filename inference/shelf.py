"""The models that a user has brought: one folder each, with its file and a card that says what it is."""

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import structlog

from ..core.errors import ConfigError, MissingInputError, ModelError, UsageError
from . import proving, surgery
from .card import Card
from .catalogue import Known, family_of, known
from .contracts import Found
from .engine import Tensor
from .families import FAMILIES, Family
from .file_kind import HEAD, check_kind
from .locks import alone, at_work
from .onnx_file import Graph
from .packs import PACKS
from .recognition import Fit, fit, no_emap, recognise
from .referring import LEFTOVER
from .store import mapped
from .supply import IDENTITY, Supply, supplied

log = structlog.get_logger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}")
_MODEL, _CARD, _EMAP = "model.onnx", "card.json", "emap.npy"
_NEW = ".new-"
_STALE_S = 3600


class Shelf:
    """The models of one folder. Any thread may read; one at a time adds or removes."""

    def __init__(self, folder: Path, catalogue: Mapping[str, Known] | None = None) -> None:
        """`folder` is made when the first model comes; `catalogue` takes the place of the house's own."""
        self.folder = folder
        self.known = known() if catalogue is None else catalogue
        """The models that have a name before they are here."""

    def names(self) -> tuple[str, ...]:
        """What lies in the folder, by name, whether its card can be read or not.

        Raises ModelError for a folder that is not ours to read, as `sudo -u` leaves it in HOME.
        """
        try:
            found = list(self.folder.iterdir()) if self.folder.is_dir() else []
        except OSError as error:
            what = f"the models in {self.folder} cannot be read: {error.strerror}"
            raise ModelError(what, "make the folder yours; is HOME right?") from None
        return tuple(sorted(p.name for p in found if _NAME.fullmatch(p.name) and p.is_dir()))

    def cards(self) -> tuple[Card, ...]:
        """All models, by name; one whose card cannot be read is left out and logged."""
        found = []
        for name in self.names():
            try:
                found.append(self.card(name))
            except ModelError as error:
                log.warning("model.unreadable", model=name, reason=str(error))
        return tuple(found)

    def card(self, model: str) -> Card:
        """Raises ModelError with the command that brings it, for one that is not here."""
        home = self._home(model)
        if not home.is_dir():
            raise self.missing(model)
        try:
            card = msgspec.json.decode((home / _CARD).read_bytes(), type=Card)
        except (OSError, msgspec.DecodeError) as error:
            raise ModelError(
                f"model {model}: its card cannot be read ({error})", _again(home.name)
            ) from error
        if card.family not in FAMILIES:
            raise ModelError(
                f"model {model} is of the family {card.family}, which this version does not know",
                f"update faceswapd, or faceswapd models remove {home.name}",
            )
        return card

    def family(self, model: str) -> Family:
        """Raises ModelError."""
        return family_of(self.card(model).family)

    def add(
        self,
        path: Path,
        name: str | None = None,
        family: str | None = None,
        *,
        file: str = "",
        origin: str = "",
        accepted: str = "",
        consent: str = "",
        serves: str = "",
        take: bool = False,
    ) -> Card:
        """Takes a model file in; what it is, its hash or its tensors say, or `family` where several fit.

        It is copied; with `take` the file itself is moved, which lies in this very folder.

        A model that is itself somebody's face is told on what basis it may be worn: `consent`. `serves` is a known
        model that the file stands in for wherever it is asked for and not here.
        Raises MissingInputError, UsageError for that basis missing or a name that is taken or unknown, and ModelError
        for a file that fits no family, naming the tensor.
        """
        if serves:
            self._check_serves(serves, family)
            name, family = name or f"{serves}.own", self.known[serves].family
        elif family is not None and family not in FAMILIES:
            raise UsageError(f"no family is called {family!r}", f"known are {', '.join(FAMILIES)}")
        try:
            with path.open("rb") as opened:
                check_kind(opened.read(HEAD), str(path))  # before gigabytes of something else are read
                opened.seek(0)
                content = opened.read()
        except OSError as error:
            raise MissingInputError(f"{path} cannot be read", error.strerror or str(error)) from error
        graph = Graph(content, str(path), file=path)
        digest = hashlib.sha256(content).hexdigest()
        by_hash = next((n for n, k in self.known.items() if k.sha256 == digest), None)
        by_file = next((n for n, k in self.known.items() if k.file == path.name), None)
        emap = surgery.emap(graph)
        kind = self._kind(graph, path, emap is not None, by_hash or by_file, family)
        name = name or by_hash or by_file or path.stem.lower().replace(" ", "_")
        entry = self.known.get(name, Known(kind.name, path.name, "unknown"))
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name for a model", "use a-z, 0-9, _, . and -: --name NAME")
        if name in PACKS:
            raise UsageError(f"{name} is the name of a pack of insightface's", "choose another: --name NAME")
        if entry.url and entry.sha256 != digest:
            raise ModelError(
                f"{path} has the SHA-256 {digest}, {name} has {entry.sha256}",
                "it is another version, or damaged: give it a name of its own with --name, "
                f"or have it stand in for {name} with --serves {name}",
            )
        self.check_free(name)
        if kind.task == "swapper" and kind.identity == "none" and not consent:
            raise UsageError(
                f"{path} holds somebody's face, and nobody says that it may be worn",
                "say --consent self|permission|public-domain|synthetic",
            )
        ports = fit(kind, graph.inputs, graph.outputs)
        sizes = _sizes(kind, ports)
        side = _side(kind, sizes)
        if not side and kind.template:
            raise ModelError(f"{path} leaves the size of its picture open", "save it with one")
        if kind.emap and emap is not None and not (np.isfinite(emap).all() and emap.any()):
            raise ModelError(
                f"{path} has an emap (its initializer [512, 512]) that is no matrix of numbers",
                "the file is damaged: get it anew",
            )
        source = ports.inputs["source"].name if "source" in ports.inputs else None
        anew = partial(Graph, content, str(path), file=path)
        recipe = proving.prove(anew, source, list(sizes.values()), str(path))
        card = Card(
            model=name,
            family=kind.name,
            file=file or path.name,
            size=len(content),
            sha256=digest,
            licence=entry.licence,
            origin=origin or str(path),
            side=side,
            roles=tuple(ports.inputs),
            scalars=tuple(role for role, found in ports.inputs.items() if not found.shape),
            consent=consent,
            accepted=accepted,
            edges=recipe.edges,
            batch=recipe.batch,
            emap_sha256="" if emap is None else hashlib.sha256(emap.tobytes()).hexdigest(),
            serves=serves,
        )
        self._put(card, path if take else content, emap if kind.emap else None)
        log.info("model.added", model=name, family=kind.name, batch=recipe.batch, cut=bool(recipe.edges))
        return card

    def check_free(self, name: str) -> None:
        """Raises UsageError for a name that is taken."""
        if self._own(name).exists():
            raise UsageError(f"a model is called {name} already", f"faceswapd models remove {name}")

    def part(self, model: str) -> Path:
        """The file of a download that is under way, or was broken off."""
        return self.folder / f".part-{model}"

    def remove(self, model: str) -> None:
        """With what a broken download has left. Raises ModelError for one of which nothing is here."""
        home, part = self._own(model), self.part(model)
        if not home.is_dir() and not (model in self.known and part.is_file()):
            raise self.missing(model)
        try:
            part.unlink(missing_ok=True)
            if not home.is_dir():
                return
            with at_work(self.folder):
                grave = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.folder))
                home.rename(grave / model)
                shutil.rmtree(grave)
        except OSError as error:
            raise ConfigError(
                f"model {model} cannot be removed from {self.folder}", str(error.strerror)
            ) from error

    def read(self, model: str) -> memoryview:
        """The model's file, its size and SHA-256 checked; it is mapped, not copied. Raises ModelError."""
        card = self.card(model)
        path = self._home(model) / _MODEL
        try:
            size = path.stat().st_size
            if size != card.size:
                raise ModelError(
                    f"model {model}: {path} has {size} bytes instead of {card.size}", _again(model)
                )
            content, digest = mapped(path)
        except OSError as error:
            raise ModelError(
                f"model {model}: {path} cannot be read ({error.strerror})", _again(model)
            ) from error
        if digest != card.sha256:
            raise ModelError(
                f"model {model}: {path} has the SHA-256 {digest} instead of {card.sha256}", _again(model)
            )
        return content

    def whole(self, model: str) -> bool:
        """Its file is there and has its size: what can be said at once. `read` says whether it is the same file."""
        try:
            return (self._home(model) / _MODEL).stat().st_size == self.card(model).size
        except OSError:
            return False

    def needs(self, card: Card) -> tuple[str, ...]:
        """The models that it does nothing without; an unknown swapper needs what the known ones of its family do."""
        name = card.serves or card.model
        like = [self.known[name]] if name in self.known else []
        if not like and family_of(card.family).task == "swapper":
            like = [entry for entry in self.known.values() if entry.family == card.family]
        return like[0].needs if like else ()

    def lacks(self, model: str) -> bool:
        """Neither it nor one that serves in its place is here."""
        return not self._home(model).is_dir()

    def emap(self, model: str) -> Tensor:
        """The matrix of the latent that `model` is told of a face: its own, or that of the first model with one.

        512 x 512, float32, its SHA-256 checked. Raises ModelError.
        """
        owner = model if family_of(self.card(model).family).emap else ""
        owner = owner or next((c.model for c in self.cards() if family_of(c.family).emap), "")
        if not owner:
            raise ModelError(
                f"model {model} needs the emap of inswapper_128", self.missing("inswapper_128").remedy
            )
        try:
            emap = np.load(self._home(owner) / _EMAP, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ModelError(f"model {owner}: its emap cannot be read ({error})", _again(owner)) from error
        if hashlib.sha256(emap.tobytes()).hexdigest() != self.card(owner).emap_sha256:
            raise ModelError(f"model {owner}: its emap was changed", _again(owner))
        return np.asarray(emap, np.float32)

    def supply(self, model: str) -> Supply:
        """What is run under this name: the whole model or its image half, or with `:identity` its other half.

        Raises ModelError.
        """
        name = model.removesuffix(IDENTITY)
        graph = Graph(self.read(name), name, file=self._home(name) / _MODEL)
        return supplied(model, self.card(name), graph)

    def lacking(self, card: Card) -> tuple[str, ...]:
        """What it needs and is not here. Where it is the emap alone, any model that has one will do."""
        out = []
        for need in self.needs(card):
            entry = self.known.get(need)
            emap = entry is not None and family_of(entry.family).emap
            if self.lacks(need) and not (emap and any(family_of(c.family).emap for c in self.cards())):
                out.append(need)
        return tuple(out)

    def missing(self, model: str, chosen_by: str = "") -> ModelError:
        """What is said of a model that is not here, with the command that brings it or one of its family.

        `chosen_by` is the option by which another model can be chosen in its place, as it is typed before its name.
        """
        name = model.removesuffix(IDENTITY)
        entry = self.known.get(name)
        if entry is None:
            return ModelError(f"model {name} is not here", f"faceswapd models add FILE --name {name}")
        what = f"model {name} is not here"
        if entry.url:
            return ModelError(what, f"faceswapd models pull {name}")
        ways = [f"faceswapd models add {entry.file}"]
        if family_of(entry.family).task != "expression":  # a part of three does not replace another three's
            other = next((c.model for c in self.cards() if c.family == entry.family), "")
            if chosen_by and other:
                return ModelError(f"{what}, {other} is", f"{chosen_by}{other}")
            offered = next((n for n, k in self.known.items() if k.url and k.family == entry.family), "")
            choose = f" and choose it ({chosen_by}{offered})" if chosen_by else ""
            ways[:0] = [f"faceswapd models pull {offered}{choose}"] if offered else []
        return ModelError(what, ", or ".join(ways))

    def _kind(self, graph: Graph, path: Path, emap: bool, like: str | None, family: str | None) -> Family:
        if family is not None or like is not None:
            kind = family_of(family or self.known[like or ""].family)
            fit(kind, graph.inputs, graph.outputs)
            if kind.emap and not emap:
                raise no_emap(kind)
            return kind
        fitting = recognise(graph.inputs, graph.outputs, emap)
        if len(fitting) > 1:
            names = ", ".join(f.name for f in fitting)
            raise UsageError(f"{path} fits several families: {names}", "say which it is with --family NAME")
        return fitting[0]

    def sweep(self) -> None:
        """Clears what a process that was ended in the middle of adding or removing has left."""
        with alone(self.folder) as nobody_else:
            for left in self.folder.glob(f"{_NEW}*") if nobody_else else ():
                log.info("model.leftover_cleared", path=str(left))
                shutil.rmtree(left, ignore_errors=True)  # in a folder that is only read it may lie
        for left in self.folder.glob(f"*/{LEFTOVER}*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_S:  # else an engine may just be reading it
                    left.unlink()

    def _put(self, card: Card, source: Path | bytes, emap: Tensor | None) -> None:
        """Fills the folder under another name, then renames it: a model is here whole or not at all."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with at_work(self.folder):
                home = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.folder))
                try:
                    if emap is not None:
                        np.save(home / _EMAP, emap)
                    (home / _CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1))
                    if isinstance(source, bytes):
                        (home / _MODEL).write_bytes(source)
                    else:  # last: whatever fails before it, the file is where it was
                        source.rename(home / _MODEL)
                    home.rename(self._own(card.model))
                except BaseException:
                    with suppress(OSError):
                        shutil.rmtree(home)
                    raise
        except OSError as error:
            self.check_free(card.model)  # somebody else was faster
            raise ConfigError(f"{self.folder} cannot be written", error.strerror or str(error)) from error

    def _check_serves(self, model: str, family: str | None) -> None:
        entry = self.known.get(model)
        if entry is None:
            raise UsageError(f"no model is called {model!r}", "see `faceswapd models list`")
        if family not in (None, entry.family):
            raise UsageError(f"model {model} is of the family {entry.family}", "leave --family out")
        other = next((c.model for c in self.cards() if c.serves == model), "")
        if other:
            raise UsageError(f"{other} serves as {model} already", f"faceswapd models remove {other}")

    def _home(self, model: str) -> Path:
        """Its own folder, or that of the model that serves in its place."""
        own = self._own(model)
        if own.is_dir() or model not in self.known:
            return own
        return next((self._own(c.model) for c in self.cards() if c.serves == model), own)

    def _own(self, model: str) -> Path:
        return self.folder / model if _NAME.fullmatch(model) else self.folder / ".none"


def _again(model: str) -> str:
    return f"faceswapd models remove {model}, then pull or add it again"


def _sizes(family: Family, ports: Fit) -> dict[str, Found]:
    """{role: input}, each with its family's sizes where the file leaves them open."""
    known = {port.role: port.shape for port in family.inputs}
    return {
        role: replace(found, shape=tuple(own or n for own, n in zip(found.shape, known[role], strict=False)))
        for role, found in ports.inputs.items()
    }


def _side(family: Family, sizes: Mapping[str, Found]) -> int:
    shape = sizes[family.inputs[0].role].shape
    return (shape[2] or 0) if len(shape) == 4 else 0
