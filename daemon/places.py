"""Where the daemon keeps things on this machine."""

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..control.token import runtime_dir

__all__ = ["cache_dir", "data_dir", "presets_dir", "runtime_dir", "state_dir"]


def data_dir() -> Path:
    """The user's faces with their consent records."""
    return platformdirs.user_data_path("faceswapd")


def state_dir() -> Path:
    """What must outlive a crash: notes of recordings that are being written, and of what `process` has made."""
    return platformdirs.user_state_path("faceswapd")


def presets_dir() -> Path:
    """The user's presets, beside the configuration."""
    return platformdirs.user_config_path("faceswapd") / "presets"


def cache_dir() -> Path:
    """What can be measured or made again."""
    return platformdirs.user_cache_path("faceswapd")


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
