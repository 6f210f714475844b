"""A model that takes pictures, whatever its family: all of them in one run where it can, else one by one."""

from collections.abc import Sequence

import numpy as np

from ..core.errors import InferenceError
from ..core.frame import Pixels
from .calibration import portrait_crops
from .catalogue import family_of
from .engine import Models, Tensor
from .served import offer
from .tuning import Sample


class PictureModel:
    """A loaded model of the user's. `run` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings the model."""
        card = models.shelf.card(model)
        self.model = model
        self.family = family_of(card.family)
        self.side = card.side
        """Of the pictures that go in, in pixels."""
        self.inputs = tuple(port for port in self.family.inputs[1:] if port.role in card.roles)
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
        batch = self.family.coding.encode(pictures)
        if self._batch:
            outputs = self._runner.run(batch, *(np.repeat(e, len(pictures), axis=0) for e in each), *shared)
        else:
            runs = [self._runner.run(batch[n : n + 1], *each, *shared) for n in range(len(pictures))]
            outputs = tuple(np.concatenate(parts) for parts in zip(*runs, strict=True))
        if self.side and self.family.template and self.family.task in ("swapper", "enhancer"):
            offer(self._runner, lambda: self._samples(each, shared))
        if not np.isfinite(outputs[0].sum()):
            raise InferenceError(f"model {self.model} gave no numbers", "try --precision fp32")
        return outputs

    def _samples(self, each: Sequence[Tensor], shared: Sequence[Tensor]) -> list[Sample]:
        """The bundled portrait as this model is given it, told the same as the pictures of a run."""
        crops = portrait_crops(self.family.template, self.side)
        return [(self.family.coding.encode([crop]), *each, *shared) for crop in crops]
