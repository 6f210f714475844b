"""Which processors exist."""

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

from ..core.errors import ConfigError, UsageError
from ..core.events import ProcessorInfo
from ..core.params import describe
from .processor import Processor, Workshop

GROUP = "faceswapd.processors"
"""The entry-point group of processors from other packages: a factory that takes a Workshop."""


class Registry:
    """The processors of a run by name, in their natural order."""

    def __init__(self, processors: Iterable[Processor[Any]]) -> None:
        self._processors: dict[str, Processor[Any]] = {}
        for processor in processors:
            if processor.name in self._processors:
                raise ConfigError(
                    f"two processors are called {processor.name}", "remove one of their packages"
                )
            self._processors[processor.name] = processor

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the natural order of a chain."""
        return tuple(self._processors)

    def __getitem__(self, name: str) -> Processor[Any]:
        """The processor of a name. Raises UsageError that lists the known ones."""
        try:
            return self._processors[name]
        except KeyError:
            raise UsageError(f"unknown processor {name!r}", f"known are {', '.join(self.names)}") from None

    def __iter__(self) -> Iterator[Processor[Any]]:
        return iter(self._processors.values())

    def infos(self) -> tuple[ProcessorInfo, ...]:
        """What a user interface needs to know of them all."""
        return tuple(
            ProcessorInfo(name=p.name, help=p.help, params=describe(p.params_type), hides_face=p.hides_face)
            for p in self
        )


def registry(workshop: Workshop) -> Registry:
    """The house's own processors, then those of other packages (group `faceswapd.processors`).

    Their order is the one in which they come into a chain that does not say otherwise: a face is worn,
    restored, hidden, then the whole picture is moved. Making them is cheap, `prepare` does the work. Raises ConfigError
    for a package whose processor cannot be made.
    """
    # Imported here: whoever only needs the class does not pay for every processor that exists.
    from .annotate import Annotate
    from .anonymize import Anonymize
    from .enhance import Enhance
    from .enhance_frame import EnhanceFrame
    from .mesh_swap import MeshSwap
    from .neural_swap import NeuralSwap
    from .restore_expression import RestoreExpression
    from .view import View

    return Registry(
        [
            MeshSwap(workshop),
            NeuralSwap(workshop),
            RestoreExpression(workshop),
            Enhance(workshop),
            EnhanceFrame(workshop),
            Anonymize(workshop),
            View(workshop),
            Annotate(workshop),
            *_plugins(workshop),
        ]
    )


def _plugins(workshop: Workshop) -> Iterator[Processor[Any]]:
    for entry in entry_points(group=GROUP):
        try:
            yield entry.load()(workshop)
        except Exception as error:
            package = entry.dist.name if entry.dist else entry.value
            raise ConfigError(
                f"processor {entry.name} of the package {package} cannot be loaded", str(error)
            ) from error
