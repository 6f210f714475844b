"""What is wrong with a chain or with the analysis, said before anything is opened or loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, FaceswapdError, ModelError, UsageError
from ..core.events import ProcessorInfo
from ..core.settings import AnalysisSettings, Settings
from ..inference import packs
from ..inference.detectors import check_detector
from ..inference.engine import Runner
from ..inference.picture_model import check_model
from ..inference.shelf import Shelf
from ..processors.chain import ChainBuilder
from ..processors.library import Library
from ..processors.processor import Workshop
from ..processors.registry import Registry, registry
from . import config


class _Unloaded:
    """The user's models, none of which is loaded."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def load(self, model: str, **_options: Any) -> Runner:
        """A check loads nothing."""
        raise ModelError(f"model {model} is asked for before models are loaded", "report this as a mistake")


def known_processors(library: Library, models: Path) -> tuple[ProcessorInfo, ...]:
    """All processors, those of other packages too, with their parameters. `models`: the folder of the user's."""
    return _registry(library, models).infos()


def _registry(library: Library, models: Path) -> Registry:
    return registry(Workshop(_Unloaded(Shelf(models)), library))


def check_chain(settings: Settings, library: Library, models: Path, config_file: Path | None = None) -> None:
    """Raises for a processor, a parameter, a face or a model that does not exist: UsageError where the command line
    says it, ConfigError where the configuration (`config_file`, None the user's own) or the environment does.

    models: the folder of the user's. ModelError for a model that is known and not here.
    """
    builder = ChainBuilder(_registry(library, models))
    _blame(lambda said: builder.check(said.processors), settings, config_file)


def check_models(settings: Settings, models: Path, config_file: Path | None = None) -> None:
    """Raises as `check_chain` for a model of the analysis that does not exist or does something else."""
    _blame(lambda said: check_analysis_models(said.analysis, models), settings, config_file)


def check_analysis_models(analysis: AnalysisSettings, models: Path) -> None:
    """Raises UsageError for a model that does not exist, that does something else or that cannot be shown what it is
    asked to look at, ModelError for one that is not here, ConfigError where insightface is asked for and is not."""
    shelf = Shelf(models)
    if analysis.detector:
        check_detector(shelf, analysis.detector, analysis.detector_side)
    if analysis.landmarks:
        check_model(shelf, analysis.landmarks, "landmarks")
    if analysis.attributes:
        check_model(shelf, analysis.attributes, "attributes")
    if analysis.backend == "insightface":
        packs.module("app")
        packs.found(analysis.pack)


def _blame(check: Callable[[Settings], None], settings: Settings, config_file: Path | None) -> None:
    """Checks; what is wrong without the command line too is the configuration's mistake."""
    try:
        check(settings)
    except UsageError as error:
        if _wrong(check, config.load({}, config_file)) == str(error):
            raise ConfigError(f"configuration: {error.what}", error.remedy) from None
        raise


def _wrong(check: Callable[[Settings], None], settings: Settings) -> str:
    try:
        check(settings)
    except FaceswapdError as error:
        return str(error)
    return ""
