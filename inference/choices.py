"""Which engine serves a model best on this machine: one choice, and the file that remembers it."""

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from .locks import in_turn
from .providers import Plan, Precision, installed_runtimes

log = structlog.get_logger(__name__)

_NEW = ".engines-"
"""How a file begins that is being written."""
_KEPT = 200
"""Entries in the file: old machines states and library versions fall out at the front."""


class Choice(msgspec.Struct, frozen=True):
    """One way to run a model."""

    engine: Literal["onnxruntime", "openvino"]
    provider: str
    precision: Precision

    def __str__(self) -> str:
        return f"{self.engine} {self.provider} {self.precision}"


class Timed(msgspec.Struct, frozen=True):
    """What timing a model has shown."""

    model: str
    choice: Choice
    ms: dict[str, float]
    """{choice in words: median of one run}."""
    ranges: dict[str, tuple[float, float]] = {}
    """For int8: what its convolutions are given, as it was seen here (`quantise`)."""
    refused: dict[str, str] = {}
    """{choice in words: why it was not taken}."""
    confirmed: bool = True
    """The daemon's own work has shown it; False for what only samples of the bundled portrait have."""


class Choices:
    """Remembers what timing has shown, in one JSON file of the user's cache folder. Any thread may call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said = ""
        """Why the file cannot be read: once, not for each model."""

    @property
    def folder(self) -> Path:
        """The cache folder that the file lies in."""
        return self._path.parent

    def recall(self, key: str) -> Timed | None:
        """What was found under this key; None if nothing was, or if the file cannot be read."""
        return self._read().get(key)

    def latest(self) -> dict[str, Timed]:
        """{model: what was found last}, whatever the circumstances were."""
        return {timed.model: timed for timed in self._read().values()}

    def remember(self, key: str, timed: Timed) -> None:
        """Writes the file anew, whole or not at all, and loses nothing that another process has found meanwhile.

        A folder that cannot be written, or has no room, is logged, no more.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with in_turn(self.folder) as nobody_else:
                for left in self.folder.glob(f"{_NEW}*") if nobody_else else ():
                    left.unlink()  # of a process that was ended while it wrote
                known = self._read()
                known.pop(key, None)
                known[key] = timed
                recent = dict(list(known.items())[-_KEPT:])
                self._write(msgspec.json.format(msgspec.json.encode(recent), indent=1))
        except OSError as error:
            log.warning("engine.choice_not_kept", path=str(self._path), reason=str(error))

    def _write(self, text: bytes) -> None:
        with tempfile.NamedTemporaryFile(prefix=_NEW, dir=self.folder, delete=False) as file:
            try:
                file.write(text)
                file.close()  # what is left in its buffer may not fit either
                Path(file.name).replace(self._path)
            except OSError:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise

    def _read(self) -> dict[str, Timed]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Timed])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            if self._said != str(error):
                self._said = str(error)
                log.warning("engine.choices_unreadable", path=str(self._path), reason=self._said)
            return {}


def key(sha256: str, plan: Plan, candidates: Sequence[Choice], asked: Iterable[Choice] = ()) -> str:
    """Everything that decides which engine is fastest, in one digest: a change of any of it is timed anew.

    The model (`sha256`), the processor, the plan of threads, the versions of the libraries and of faceswapd (how it
    quantises, and what it allows), what may be chosen and what of it was `asked` for.
    """
    facts = [
        sha256,
        *_processor(),
        plan.provider.name,
        plan.workers,
        plan.intra_op,
        sorted(installed_runtimes().items()),
        _version("openvino"),
        _version("faceswapd"),
        [str(c) for c in candidates],
        sorted(str(c) for c in asked),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _processor() -> tuple[str, str, str, int]:
    """Architecture, model name, instruction sets and the number of cores."""
    name, flags = platform.processor(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            title, _, value = line.partition(":")
            match title.strip():
                case "model name":
                    name = value.strip()
                case "flags" | "Features":
                    flags = value.strip()
                    break
    except OSError:  # not Linux: the name alone has to do
        flags = ""
    return platform.machine(), name, flags, os.cpu_count() or 1


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
