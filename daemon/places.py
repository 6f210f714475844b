"""Where the daemon keeps things on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..control.token import runtime_dir
from ..core.errors import ConfigError

__all__ = ["cache_dir", "config_dir", "data_dir", "presets_dir", "runtime_dir", "state_dir"]


def data_dir() -> Path:
    """The user's faces with their consent records. Raises ConfigError, as all of these, for a user without a home."""
    return _of_ours(platformdirs.user_data_path)


def config_dir() -> Path:
    """The user's configuration."""
    return _of_ours(platformdirs.user_config_path)


def state_dir() -> Path:
    """What must outlive a crash: notes of recordings that are being written, and of what `process` has made."""
    return _of_ours(platformdirs.user_state_path)


def presets_dir() -> Path:
    """The user's presets, beside the configuration."""
    return config_dir() / "presets"


def cache_dir() -> Path:
    """What can be measured or made again."""
    return _of_ours(platformdirs.user_cache_path)


def _of_ours(path: Callable[[str], Path]) -> Path:
    try:
        return path("faceswapd")
    except RuntimeError:  # a number that nobody has given a name, as in a container
        raise ConfigError("this user has no home folder", "set HOME to a folder of yours") from None


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one run."""

    runtime: Path
    """Token, socket, locks."""
    cache: Path
    presets: Path
    state: Path

    @property
    def recordings(self) -> Path:
        """Notes of the films that are being written."""
        return self.state / "recordings"

    @classmethod
    def of_the_user(cls) -> "Places":
        """The platform's own places."""
        return cls(runtime_dir(), cache_dir(), presets_dir(), state_dir())

    @classmethod
    def within(cls, folder: Path) -> "Places":
        """All in one folder: for tests, and for a daemon that must leave nothing behind."""
        return cls(*(folder / name for name in ("runtime", "cache", "presets", "state")))
