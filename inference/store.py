"""Where model files are, and the proof that they are the ones that were meant."""

import hashlib
import mmap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ModelError

WEIGHTS = Path(__file__).with_name("weights")
"""The bundled models; `manifest.toml` beside them says what each one is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model file."""

    model: str
    path: Path
    size: int
    """Bytes."""
    sha256: str
    licence: str
    """In one word, as SPDX has it."""
    origin: str


class Store:
    """The models of one folder, by name. Any thread may read."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        """Reads `manifest.toml` of `folder`. Raises ModelError when it is missing or broken."""
        path = folder / "manifest.toml"
        try:
            tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))
            self._entries = {
                name: Entry(name, folder / t["file"], t["size"], t["sha256"], t["licence"], t["origin"])
                for name, t in tables.items()
            }
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            raise ModelError(f"model manifest {path}: {error}", "reinstall faceswapd") from error

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All models, in the manifest's order."""
        return tuple(self._entries.values())

    def entry(self, model: str) -> Entry:
        """What the manifest says of a model. Raises ModelError for an unknown name."""
        try:
            return self._entries[model]
        except KeyError:
            raise ModelError(f"unknown model {model!r}", f"known are {', '.join(self._entries)}") from None

    def read(self, model: str) -> bytes:
        """The model file's content, its size and SHA-256 checked.

        Engines are given these bytes and not the path: what runs is what was checked.
        Raises ModelError for an unknown name, a missing file or a wrong hash.
        """
        entry = self.entry(model)
        try:
            content = entry.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"model {model}: cannot read {entry.path} ({error.strerror})", "reinstall faceswapd"
            ) from error
        if len(content) != entry.size:
            raise ModelError(
                f"model {model}: {entry.path} has {len(content)} bytes instead of {entry.size}",
                "the file is truncated or of another version; reinstall faceswapd",
            )
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise ModelError(
                f"model {model}: {entry.path} has a wrong SHA-256",
                "the file was changed; reinstall faceswapd",
            )
        return content


def mapped(path: Path) -> tuple[memoryview, str]:
    """The content of a file that is not empty, where the system has it, and its SHA-256. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), digest
