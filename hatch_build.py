"""Makes the launcher the wheel's package root: `faceswapd.py` becomes `faceswapd/__init__.py`."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LauncherAsInit(BuildHookInterface[Any]):
    """Adds the one file that cannot be listed statically: in an editable install it would shadow the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build; `version` is "editable" or "standard"."""
        if version != "editable":
            build_data["force_include"]["faceswapd.py"] = "__init__.py"
