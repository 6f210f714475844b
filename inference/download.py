"""Brings a model file from the network: under another name until it is whole and its SHA-256 is right."""

import hashlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import structlog

from ..core.errors import ConfigError, MissingInputError, ModelError, NoDeviceError
from .catalogue import Known
from .shelf import Card, Shelf

log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]
"""Bytes that are here, bytes in all (0: not known)."""
_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def pull(shelf: Shelf, model: str, accepted: str, progress: Progress = lambda _here, _all: None) -> Card:
    """Downloads a model of the catalogue and adds it; what an earlier try has left is gone on with.

    `accepted` is the day on which its licence was accepted. Blocks. Raises ModelError for a name that cannot be
    pulled or a file with a wrong SHA-256 (which is thrown away), MissingInputError when the network fails,
    NoDeviceError where no server is reached.
    """
    entry = shelf.known.get(model)
    if entry is None:
        offered = ", ".join(n for n, k in shelf.known.items() if k.url)
        raise ModelError(f"no model is called {model!r}", f"known are {offered}")
    if not entry.url or not entry.sha256:
        raise shelf.missing(model)
    shelf.check_free(model)
    part = shelf.folder / f".part-{model}"
    try:
        shelf.folder.mkdir(parents=True, exist_ok=True)
        _fetch(entry, part, progress)
        digest = _digest(part)
        if digest != entry.sha256:
            part.unlink()
            raise ModelError(
                f"model {model}: {entry.url} gave a file with the SHA-256 {digest} instead of {entry.sha256}",
                "it was thrown away; try again later, or `models add` a file that you trust",
            )
        card = shelf.add(part, model, entry.family, file=entry.file, origin=entry.url, accepted=accepted)
        part.unlink()
    except OSError as error:
        raise ConfigError(f"{shelf.folder} cannot be written", error.strerror or str(error)) from error
    return card


def _fetch(entry: Known, part: Path, progress: Progress) -> None:
    """Fills `part`, from where it ends. Raises MissingInputError."""
    here = part.stat().st_size if part.exists() else 0
    request = Request(entry.url, headers={"Range": f"bytes={here}-"} if here else {})  # noqa: S310 - checked below
    _check(entry.url)
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            _check(answer.url)
            if answer.status != 206:
                here = 0  # the server sends it from the start
            length = answer.headers.get("Content-Length")
            total = here + int(length) if length else 0
            with part.open("ab" if here else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    here += file.write(chunk)
                    progress(here, total)
    except HTTPError as error:
        if error.code == 416 and here:  # nothing is left to be sent
            return
        raise _failed(entry, f"the server says {error.code} {error.reason}") from error
    except URLError as error:  # nobody was reached
        raise NoDeviceError(
            f"{urlsplit(entry.url).hostname} cannot be reached", "check the network, then try again"
        ) from error
    except (OSError, HTTPException) as error:
        raise _failed(entry, str(getattr(error, "reason", None) or error)) from error
    if total and here < total:
        raise _failed(entry, f"it ended after {here} of {total} bytes")


def _failed(entry: Known, reason: str) -> MissingInputError:
    return MissingInputError(
        f"{entry.url}: {reason}", "try again: what is here already is kept and gone on with"
    )


def _check(url: str) -> None:
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise ModelError(f"{url} is no https address", "models are only pulled over https")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
