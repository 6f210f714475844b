"""Where the daemon keeps things on this machine."""

import os
import tempfile
from pathlib import Path

import platformdirs


def runtime_dir() -> Path:
    """Sockets, tokens and locks: gone with the session; private to the user (0700), made if missing."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_dir():
        return _private(Path(base) / "faceswapd")
    if os.name == "nt":
        return _private(platformdirs.user_runtime_path("faceswapd"))
    # A server or a container without a login session: a directory of this user in the temporary folder.
    return _private(Path(tempfile.gettempdir()) / f"faceswapd-{os.getuid()}")


def data_dir() -> Path:
    """The user's faces with their consent records."""
    return platformdirs.user_data_path("faceswapd")


def cache_dir() -> Path:
    """What can be measured or made again."""
    return platformdirs.user_cache_path("faceswapd")


def _private(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    if os.name != "nt" and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        # Somebody else's directory in a shared temporary folder must not receive our token.
        return Path(tempfile.mkdtemp(prefix="faceswapd-"))
    return path
