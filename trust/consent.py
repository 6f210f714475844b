"""Who allowed a face to be worn: one record for each photo, kept beside it.

A record is evidence and a moment to think, not a lock: whoever owns the machine can write another one. What it
does do: no photo is worn without a basis that somebody has named, and a photo that was exchanged or changed
afterwards is not covered by the record of the one before.
"""

import hashlib
import os
import tempfile
from datetime import date
from pathlib import Path
from typing import TypeAlias, get_args

import msgspec

from ..core.abilities import Consent
from ..core.errors import BadInputError, UsageError
from ..core.frame import Pixels

Basis: TypeAlias = Consent
BASES: tuple[str, ...] = get_args(Basis)
"""It is my own face; its owner has allowed it; it is free for all; nobody was born with it."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one photo."""

    basis: Basis
    given: date
    file_sha256: str
    """Of the file as it was brought, byte for byte: what `check` compares."""
    pixels_sha256: str
    """Of the upright BGR pixels with their shape: finds the same picture in another file. Not compared later,
    since two versions of a JPEG decoder may differ in a bit."""


def parse_basis(text: str | None, photo: str) -> Basis:
    """The basis that a user has named. Raises UsageError when there is none, or one that means nothing."""
    if not text:
        raise UsageError(f"no consent is named for {photo}", f"say --consent {'|'.join(BASES)}")
    try:
        basis: Basis = msgspec.convert(text, Basis)
    except msgspec.ValidationError:
        raise UsageError(f"consent {text!r} means nothing", f"say --consent {'|'.join(BASES)}") from None
    return basis


def grant(basis: Basis, content: bytes, pixels: Pixels, today: date) -> Record:
    """The record of a photo: its file's content and the picture in it, BGR."""
    picture = hashlib.sha256(repr(pixels.shape).encode())
    picture.update(pixels.tobytes())
    return Record(basis, today, hashlib.sha256(content).hexdigest(), picture.hexdigest())


def check(record: Record, content: bytes, face: str) -> None:
    """Raises BadInputError when the record of a face is not about this file."""
    if hashlib.sha256(content).hexdigest() != record.file_sha256:
        raise BadInputError(
            f"the photo of {face!r} is not the one that its consent was given for",
            f"faceswapd face remove {face}, then add it again",
        )


def write(path: Path, record: Record) -> None:
    """Keeps a record, readable for its owner only. Raises OSError."""
    keep(path, msgspec.json.format(msgspec.json.encode(record)) + b"\n")


def read(path: Path, face: str) -> Record:
    """The record of a face. Raises UsageError when there is none, BadInputError when it cannot be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        raise UsageError(
            f"there is no consent record for the face {face!r}",
            f"faceswapd face remove {face}, then add it with --consent {'|'.join(BASES)}",
        ) from None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"the consent record of {face!r} cannot be read ({error})",
            f"faceswapd face remove {face}, then add it again",
        ) from None


def keep(path: Path, content: bytes) -> None:
    """Writes a file as a whole or not at all, mode 0600, on the disk when it returns. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # is 0600 from the start
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes names in a folder survive a loss of power; Windows does so itself."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
