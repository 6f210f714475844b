"""What is wrong with a chain, said before anything is opened or loaded."""

from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, ModelError, UsageError
from ..core.settings import Settings
from ..inference.engine import Runner
from ..inference.shelf import Shelf
from ..processors.chain import ChainBuilder
from ..processors.library import Library
from ..processors.processor import Workshop
from ..processors.registry import registry
from . import config


class _Unloaded:
    """The user's models, none of which is loaded."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def load(self, model: str, **_options: Any) -> Runner:
        """A check loads nothing."""
        raise ModelError(f"model {model} is asked for before models are loaded", "report this as a mistake")


def check_chain(settings: Settings, library: Library, models: Path, config_file: Path | None = None) -> None:
    """Raises for a processor, a parameter, a face or a model that does not exist: UsageError where the command line
    says it, ConfigError where the configuration (`config_file`, None the user's own) or the environment does.

    models: the folder of the user's. ModelError for a model that is known and not here.
    """
    builder = ChainBuilder(registry(Workshop(_Unloaded(Shelf(models)), library)))
    try:
        builder.check(settings.processors)
    except UsageError as error:
        if _says(builder, config_file, str(error)):
            raise ConfigError(f"configuration: {error.what}", error.remedy) from None
        raise


def _says(builder: ChainBuilder, config_file: Path | None, error: str) -> bool:
    """The same is wrong without the command line."""
    try:
        builder.check(config.load({}, config_file).processors)
    except UsageError as other:
        return str(other) == error
    return False
