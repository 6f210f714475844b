"""A model that takes pictures, whatever its family: all of them in one run where it can, else one by one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core.errors import InferenceError, UsageError
from ..core.frame import Pixels
from .calibration import portrait_crops
from .catalogue import family_of
from .engine import Models, Tensor
from .families import Task
from .served import offer
from .shelf import Shelf
from .tuning import Sample

_KINDS = {
    "attributes": "an attribute model", "enhancer": "an enhancer", "expression": "an expression model",
    "interpolator": "an interpolator", "landmarks": "a landmark model", "mask": "a mask model",
}  # fmt: skip


def check_model(shelf: Shelf, model: str, task: Task, chosen_by: str = "") -> None:
    """Without loading it: raises UsageError for a name that nobody knows or a model of another task, and ModelError,
    with the command that brings it, for one that is not here. `chosen_by`: see `Shelf.missing`."""
    if shelf.lacks(model):
        if model not in shelf.known:
            raise UsageError(f"no model is called {model!r}", "see `faceswapd models list`")
        raise shelf.missing(model, chosen_by)
    found = shelf.family(model).task
    if found != task:
        wanted = _kind(task).partition(" ")[2]
        raise UsageError(f"model {model} is no {wanted} but {_kind(found)}", "see `faceswapd models list`")


def _kind(task: Task) -> str:
    """With its article."""
    return _KINDS.get(task, f"a {task}")


class PictureModel:
    """A loaded model of the user's. `run` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings the model."""
        card = models.shelf.card(model)
        self.model = model
        self.family = family_of(card.family)
        self.side = card.side
        """Of the pictures that go in, in pixels."""
        self.inputs = tuple(
            replace(port, shape=()) if port.role in card.scalars else port
            for port in self.family.inputs[1:]
            if port.role in card.roles
        )
        """What it is told beside the pictures, in this order."""
        self._batch = card.batch
        self._runner = models.load(model)

    def run(
        self, pictures: Sequence[Pixels], each: Sequence[Tensor] = (), shared: Sequence[Tensor] = ()
    ) -> tuple[Tensor, ...]:
        """The outputs for N pictures (BGR, `side` x `side`), N in front.

        `each` are inputs with a batch of 1 that every picture is told, `shared` those without a batch.
        Raises InferenceError, also where the model gives no numbers.
        """
        if self.side and self.family.template and self.family.task in ("swapper", "enhancer"):
            offer(self._runner, lambda: self._samples(each, shared))
        batch = self.family.coding.encode(pictures)
        if self._batch:
            outputs = self._runner.run(batch, *(np.repeat(e, len(pictures), axis=0) for e in each), *shared)
        else:
            runs = [self._runner.run(batch[n : n + 1], *each, *shared) for n in range(len(pictures))]
            # One number, without a batch, is a batch of its own.
            outputs = tuple(
                np.concatenate([np.atleast_1d(part) for part in parts]) for parts in zip(*runs, strict=True)
            )
        if not all(np.isfinite(output.sum()) for output in outputs):
            raise InferenceError(f"model {self.model} gave no numbers", "try --precision fp32")
        return outputs

    def _samples(self, each: Sequence[Tensor], shared: Sequence[Tensor]) -> list[Sample]:
        """The bundled portrait as this model is given it, told the same as the pictures of a run."""
        crops = portrait_crops(self.family.template, self.side)
        return [(self.family.coding.encode([crop]), *each, *shared) for crop in crops]
