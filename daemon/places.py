"""Where the daemon keeps things on this machine."""

from pathlib import Path

import platformdirs

from ..control.token import runtime_dir

__all__ = ["cache_dir", "data_dir", "runtime_dir", "state_dir"]


def data_dir() -> Path:
    """The user's faces with their consent records."""
    return platformdirs.user_data_path("faceswapd")


def state_dir() -> Path:
    """What must outlive a crash: notes of recordings that are being written."""
    return platformdirs.user_state_path("faceswapd")


def cache_dir() -> Path:
    """What can be measured or made again."""
    return platformdirs.user_cache_path("faceswapd")
