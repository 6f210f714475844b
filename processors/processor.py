"""The contract of everything that changes a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from ..core.effect import Effect as Effect
from ..core.frame import Pixels
from ..core.params import Params
from ..faces.face import Face
from ..inference.engine import Models
from ..inference.swapper import Embedder
from .analysis import Analysis
from .track_faces import FaceTracker


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame on its way through the chain."""

    pixels: Pixels
    """BGR, owned by this picture: a processor may draw into it."""
    faces: tuple[Face, ...]
    """In the space of `pixels`: a processor that moves pixels moves the faces too."""
    effect: Effect = Effect.NONE
    treated: frozenset[int] = frozenset()
    """The ids of the faces that a processor has hidden or replaced."""
    spared: frozenset[int] = frozenset()
    """The ids of the faces that a processor has left as they are because its parameters say so (one face
    of several is swapped). The chain keeps only those that every processor that hides faces has spared."""
    original: Pixels | None = None
    """The frame as it came, only to be read, in the space of `pixels`; None once a processor has moved these."""


Render = Callable[[Picture], Picture]
"""One processor, ready to work: called by several worker threads at once. What it shows of a frame depends on that
frame alone, live also on frames just before it (`Workshop.live`)."""


@runtime_checkable
class BatchRender(Protocol):
    """A `Render` that works on several frames in fewer model runs than one by one. Any thread."""

    def __call__(self, picture: Picture) -> Picture:
        """The same as `many` with one picture."""

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The pictures, in their order, each as it comes out of a call of its own; all of them fail together."""


@runtime_checkable
class CarryingRender(Protocol):
    """A `Render` that shows something of frames just before. With every change of the chain it begins anew: what it
    carries may be the very face that the change was made to hide."""

    def __call__(self, picture: Picture) -> Picture:
        """A frame."""

    def anew(self) -> Render:
        """The same, remembering nothing; the old one goes on for the frames that have begun with it."""


def render_many(render: Render, pictures: Sequence[Picture]) -> list[Picture]:
    """Several frames through one processor: in as few model runs as it knows how to, else one by one."""
    return render.many(pictures) if isinstance(render, BatchRender) else [render(p) for p in pictures]


P = TypeVar("P", bound=Params)


class Processor(Protocol, Generic[P]):
    """Makes a `Render` from parameters. One instance a run."""

    name: ClassVar[str]
    help: ClassVar[str]
    """One line."""
    needs_faces: ClassVar[bool]
    hides_face: ClassVar[bool]
    """While it is on, a picture with a face neither treated nor spared is not shown (fail closed)."""
    every_face: ClassVar[bool]
    """It treats whoever is there: while it is on, the detector runs on every frame, so that a newcomer
    is not shown raw between two detections."""

    params_type: type[P]
    """The type of its parameters; `params_type()` is the default set."""

    def prepare(self, params: P) -> Render:
        """Does all that takes long (loads a model, reads a photo): blocks, outside the event loop.

        Raises FaceswapdError, for instance for a face that has no consent record.
        """


@runtime_checkable
class Checking(Protocol):
    """A processor that can say beforehand, without loading anything, that it could not get ready."""

    def check(self, params: Any) -> None:
        """Raises FaceswapdError as `prepare` would: for a face or a model that does not exist."""


class Wardrobe(Protocol):
    """The faces that can be worn, as a processor sees them (`library.py` has them on disk)."""

    def photo(self, name: str) -> Pixels:
        """The picture of a face, BGR. Raises UsageError for an unknown name or a missing basis."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a processor may use; given to it when it is made."""

    models: Models
    wardrobe: Wardrobe
    live: bool = False
    """Frames come from a camera, in their order, and time is short: a processor may carry over what it made of a frame
    just before. Else every frame is worked on by itself."""
    budget_ns: int = 33_000_000
    """Live: how long a frame may be worked on if every one of the camera's is to be shown."""
    analysis: Analysis | None = None
    """What finds and knows faces; None takes the bundled models."""

    def tracker(self) -> FaceTracker:
        """One that knows no face yet, for a photo. Blocks; raises as `Analysis.tracker`."""
        return (self.analysis or Analysis(self.models)).tracker()

    @property
    def looked(self) -> str:
        """Which detector looks, in words, where it is not the bundled pair."""
        chosen = self.analysis.settings if self.analysis else None
        if chosen is None or not (chosen.detector or chosen.backend == "insightface"):
            return ""
        return f" (looked for by {chosen.detector or 'insightface ' + chosen.pack})"

    def embedder(self) -> Embedder | None:
        """What tells who a face is in the place of a swapper's own recogniser, if anything. As `tracker`."""
        return self.analysis.recogniser() if self.analysis else None
