"""A network that draws the picture between two others (RIFE and what is exported like it)."""

import numpy as np

from ..core.errors import InferenceError, ModelError
from ..core.frame import Pixels
from .catalogue import family_of
from .engine import Models, Tensor
from .picture_model import check_model

MULTIPLE = 128
"""Sides are filled up to a multiple of it: RIFE up to 4.24 needs 32, 4.25 needs 64, its lite form 128."""


class Interpolator:
    """A loaded model of the user's. `between` is for any number of threads."""

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings the model, or for one of a fixed size, and
        UsageError for one that does something else."""
        check_model(models.shelf, model, "interpolator")
        card = models.shelf.card(model)
        self.model = model
        self.family = family_of(card.family)
        if card.side:
            raise ModelError(
                f"model {model} takes only pictures {card.side} high", "add an export with open sizes"
            )
        self._scaled = "scale" in card.roles
        self._runner = models.load(model)

    def between(self, first: Pixels, second: Pixels, at: float) -> Pixels:
        """The picture between two of one size (BGR, uint8), at a time from 0 to 1. Raises InferenceError."""
        height, width = first.shape[:2]
        filled = ((0, 0), (0, 0), (0, -height % MULTIPLE), (0, -width % MULTIPLE))
        batch = np.pad(self.family.coding.encode([first, second]), filled, mode="edge")
        output = self._runner.run(*self._inputs(batch[:1], batch[1:], at))[0][..., :height, :width]
        if not np.isfinite(output.sum()):
            raise InferenceError(f"model {self.model} gave no numbers", "try --precision fp32")
        return self.family.result.decode(output)[0]

    def _inputs(self, one: Tensor, two: Tensor, at: float) -> tuple[Tensor, ...]:
        time = np.full(1, at, np.float32)
        if self.family.name == "rife":
            return one, two, time, *([np.ones(1, np.float32)] if self._scaled else [])
        plane = np.full((1, 1, *one.shape[2:]), at, np.float32)
        return (one, two, plane) if self.family.name == "rife_plane" else (np.hstack([one, two, plane]),)
