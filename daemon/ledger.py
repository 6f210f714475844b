"""What finished files were made from, noted in the daemon's own folder: nothing is added to the user's."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

log = structlog.get_logger(__name__)

_SPARE = 200
"""Lines that no longer count and may stay until the notes of a folder are written anew."""


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """What a file was made from, as digests: names and places stay where they are."""

    source: str
    """Of the original's name, length and time."""
    how: str
    """Of everything that was asked for."""

    @classmethod
    def of(cls, source: Path, how: Mapping[str, Any]) -> "Origin":
        """Raises OSError for an original that is not there."""
        stat = source.stat()
        return cls(
            _digest(os.fsencode(source.name), stat.st_size, stat.st_mtime_ns),
            _digest(msgspec.json.encode(how, enc_hook=str)),
        )


class _Line(msgspec.Struct, frozen=True, array_like=True):
    name: str
    size: int
    mtime_ns: int
    origin: Origin


class Ledger:
    """Notes for each folder, a line for a file. One thread; several processes may write."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when something is noted."""
        self._folder = folder
        self._known: dict[Path, dict[str, _Line]] = {}

    def origin(self, made: Path) -> Origin | None:
        """What a file was made from; None where nobody noted it, or the file has changed since."""
        line = self._lines(made.parent).get(_name(made))
        try:
            stat = made.stat()
        except OSError:
            return None
        same = line is not None and (line.size, line.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        return line.origin if line is not None and same else None

    def enter(self, made: Path, origin: Origin) -> None:
        """Notes what a file that is whole was made from. Without a place to write, it is not known later."""
        try:
            stat = made.stat()
            line = _Line(_name(made), stat.st_size, stat.st_mtime_ns, origin)
            self._lines(made.parent)[line.name] = line
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._notes(made.parent).open("ab") as notes:
                # Behind a line that a power cut has torn off, too.
                notes.write(b"\n" + msgspec.json.encode(line))
        except OSError as error:
            log.warning("ledger.unwritten", file=str(made), error=str(error))

    def _lines(self, folder: Path) -> dict[str, _Line]:
        folder = folder.resolve()
        if folder not in self._known:
            self._known[folder] = self._read(folder)
        return self._known[folder]

    def _read(self, folder: Path) -> dict[str, _Line]:
        notes, found, count = self._notes(folder), dict[str, _Line](), 0
        try:
            written = notes.read_bytes().splitlines()
        except OSError:
            return found
        for text in written:
            try:
                line = msgspec.json.decode(text, type=_Line)
            except msgspec.DecodeError:  # the power went while it was written
                continue
            found[line.name] = line
            count += 1
        there = {_name(path) for path in folder.glob("*")}
        kept = {name: line for name, line in found.items() if name in there}
        if count - len(kept) > _SPARE:
            fresh = notes.with_suffix(".new")
            try:
                fresh.write_bytes(b"\n".join(map(msgspec.json.encode, kept.values())))
                fresh.replace(notes)
            except OSError as error:
                log.warning("ledger.unwritten", file=str(notes), error=str(error))
        return kept

    def _notes(self, folder: Path) -> Path:
        return self._folder / f"{_digest(os.fsencode(folder.resolve()))}.jsonl"


def _name(path: Path) -> str:
    return _digest(os.fsencode(path.name))


def _digest(*parts: bytes | int) -> str:
    """Of several facts, 128 bits: enough to tell them apart."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
