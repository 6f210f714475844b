"""Brings a model file from the network: under another name until it is whole and its SHA-256 is right."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from io import SEEK_END, FileIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import structlog

from ..core.errors import ConfigError, MissingInputError, ModelError, NoDeviceError
from .card import Card
from .catalogue import Known
from .locks import held
from .shelf import Shelf

log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]
"""Bytes that are here, bytes in all (0: not known)."""
_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_GONE = (401, 403, 404, 410)
"""Answers that another try will not change."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def pull(shelf: Shelf, model: str, accepted: str, progress: Progress = lambda _here, _all: None) -> Card:
    """Downloads a model of the catalogue and adds it; what an earlier try has left is gone on with.

    `accepted` is the day on which its licence was accepted. Blocks. Raises ModelError for a name that cannot be
    pulled, a file with a wrong SHA-256 (which is thrown away) or a server that offers another size than the
    catalogue's, MissingInputError when the network fails, NoDeviceError where no server is reached, BusyError where
    another pull of it is under way, and ConfigError for a folder that cannot be written or has no room for it.
    """
    entry = shelf.known.get(model)
    if entry is None:
        offered = ", ".join(n for n, k in shelf.known.items() if k.url)
        raise ModelError(f"no model is called {model!r}", f"known are {offered}")
    if not entry.url or not entry.sha256:
        where = f" ({entry.origin})" if entry.origin else ""
        raise ModelError(f"model {model} is offered nowhere{where}", shelf.missing(model).remedy)
    shelf.check_free(model)
    part = shelf.part(model)
    try:
        shelf.folder.mkdir(parents=True, exist_ok=True)
        with held(part, f"model {model} is being pulled"):
            try:
                shelf.check_free(model)  # another pull may have ended a moment ago
                with part.open("ab", buffering=0) as file:
                    _fetch(entry, file, progress)
                digest = _digest(part)
                if digest == entry.sha256:
                    about = {"file": entry.file, "origin": entry.url, "accepted": accepted}
                    return shelf.add(part, model, entry.family, **about, take=True)
                part.unlink()
            finally:
                _drop_empty(part)
    except OSError as error:
        raise _unwritten(shelf.folder, error) from error
    raise ModelError(
        f"model {model}: {entry.url} gave a file with the SHA-256 {digest} instead of {entry.sha256}",
        "it was thrown away; try again later, or `models add` a file that you trust",
    )


def _drop_empty(part: Path) -> None:
    """Nothing came: nothing is to be gone on with."""
    with suppress(OSError):
        if part.is_file() and not part.stat().st_size:
            part.unlink()


class _Redirects(HTTPRedirectHandler):
    """Follows a server only to where models are pulled from."""

    def redirect_request(self, *args: Any) -> Request | None:
        _check(args[-1])
        return super().redirect_request(*args)


def _fetch(entry: Known, file: FileIO, progress: Progress) -> None:
    """Goes on with `file` from where it ends.

    Raises MissingInputError, ModelError for another size than the catalogue's, and ConfigError for a full disk.
    """
    here = file.seek(0, SEEK_END)
    _check(entry.url)
    _check_room(entry, file, entry.size, here)
    request = Request(entry.url, headers={"Range": f"bytes={here}-"} if here else {})  # noqa: S310 - checked
    try:
        with build_opener(_Redirects).open(request, timeout=_TIMEOUT_S) as answer:
            start = here if answer.status == 206 else 0
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length else entry.size
            if entry.size and total != entry.size:
                raise ModelError(
                    f"{entry.url} offers {total} bytes, {entry.file} has {entry.size}",
                    f"it is another file: faceswapd models add {entry.file}, if you have it from elsewhere",
                )
            if start < here:  # the server sends it from the start
                here = file.truncate(0)
            _check_room(entry, file, total, here)
            while chunk := answer.read1(_CHUNK):  # what is there, or an interruption costs a whole one
                _write(file, chunk)
                here += len(chunk)
                progress(here, total)
    except HTTPError as error:
        if error.code == 416 and here:  # nothing is left to be sent
            return
        if error.code in _GONE:
            raise MissingInputError(
                f"{entry.url}: the server says {error.code} {error.reason}",
                f"faceswapd models add {entry.file}, if you have it from elsewhere",
            ) from error
        raise _failed(entry, f"the server says {error.code} {error.reason}") from error
    except URLError as error:  # nobody was reached
        raise NoDeviceError(
            f"{urlsplit(entry.url).hostname} cannot be reached", "check the network, then try again"
        ) from error
    except (OSError, HTTPException) as error:
        raise _failed(entry, str(getattr(error, "reason", None) or error)) from error
    if total and here < total:
        raise _failed(entry, f"it ended after {here} of {total} bytes")


def _write(file: FileIO, chunk: bytes) -> None:
    """All of it. Raises ConfigError: an error of the disk is none of the network's."""
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise _unwritten(Path(str(file.name)).parent, error) from error


def _check_room(entry: Known, file: FileIO, total: int, here: int) -> None:
    """Raises ConfigError for a disk without room for what is left of `total` bytes."""
    folder, needed = Path(str(file.name)).parent, total - here
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _unwritten(folder, error) from error
    if total and free < needed:
        raise ConfigError(
            f"{folder} has {free // 10**6} MB free, {entry.file} needs {-(-needed // 10**6)} MB",
            "make room there, then try again",
        )


def _unwritten(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{folder} cannot be written", error.strerror or str(error))


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
