"""The secret that clients share with the daemon: a file that only this user can read."""

import hmac
import os
import secrets
import stat
import warnings
from pathlib import Path

import platformdirs

from ..core.errors import ConfigError

NAME = "token"


def runtime_dir(environ: os._Environ[str] | dict[str, str] = os.environ) -> Path:
    """Where token and socket are: $XDG_RUNTIME_DIR/faceswapd, or the platform's place for such things.

    It need not exist. Raises ConfigError when another user sits on it.
    """
    base = environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "faceswapd"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it falls back; `prepared` checks what it got
            return platformdirs.user_runtime_path("faceswapd")
    except PermissionError as error:
        raise ConfigError(f"runtime directory: {error}", "set XDG_RUNTIME_DIR") from None


def prepared(folder: Path) -> Path:
    """Makes the directory with mode 0700. Raises ConfigError when it is not this user's alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.lstat()
    except OSError as error:
        raise ConfigError(f"runtime directory {folder}: {error.strerror}", "set XDG_RUNTIME_DIR") from None
    if not stat.S_ISDIR(info.st_mode) or (os.name == "posix" and info.st_uid != os.geteuid()):
        raise ConfigError(f"runtime directory {folder} is not yours", "remove it, or set XDG_RUNTIME_DIR")
    if os.name == "posix" and stat.S_IMODE(info.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def rotate(folder: Path) -> str:
    """Writes a new token, 64 hex digits without a line's end, in one step and with mode 0600."""
    token = secrets.token_hex(32)
    draft = folder / f".{NAME}.{secrets.token_hex(4)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, token.encode("ascii"))
    finally:
        os.close(handle)
    draft.replace(folder / NAME)
    return token


def ensure(folder: Path) -> str:
    """The token of the directory; a missing one, or one that others could have read, is made anew."""
    try:
        info = (folder / NAME).lstat()
    except FileNotFoundError:
        return rotate(folder)
    ours = os.name != "posix" or (info.st_uid == os.geteuid() and not stat.S_IMODE(info.st_mode) & 0o077)
    token = read(folder) if ours and stat.S_ISREG(info.st_mode) else ""
    return token if len(token) == 64 else rotate(folder)


def read(folder: Path) -> str:
    """The token as it is now. Raises ConfigError when there is none."""
    try:
        return (folder / NAME).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"token file {folder / NAME}: {error}", "is the daemon running?") from None


def device_key(token: str, device: str) -> str:
    """The key of a paired device: it needs no list of devices, and ends with the token it comes from."""
    return proof(token, "device", device)


def proof(token: str, first: str, second: str) -> str:
    """HMAC-SHA256 in hex: key and message are the ASCII bytes of the token and of both nonces, as sent."""
    return hmac.digest(token.encode("ascii"), (first + second).encode("ascii"), "sha256").hex()


def proves(token: str, first: str, second: str, mac: str) -> bool:
    """Whether `mac` is that proof; takes the same time wherever it differs."""
    return hmac.compare_digest(proof(token, first, second), mac)
