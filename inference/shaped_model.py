"""A bundled model of pictures whose outputs are told apart by their shapes, whatever their order."""

import numpy as np

from ..core.errors import ModelError
from .engine import Runner, Tensor


class ShapedModel:
    """`run` is for any number of threads."""

    def __init__(self, runner: Runner, side: int, *shapes: tuple[int, ...]) -> None:
        """Runs it once on black, which also warms it up. Raises ModelError when an output is missing."""
        self._runner = runner
        given = [output.shape for output in runner.run(np.zeros((1, side, side, 3), np.float32))]
        for shape in shapes:
            if shape not in given:
                raise ModelError(f"model {runner.model} has no output of shape {shape}", "restore its file")
        self._order = [given.index(shape) for shape in shapes]

    def run(self, tensor: Tensor) -> list[Tensor]:
        """The outputs in the order of the shapes that were asked for."""
        outputs = self._runner.run(tensor)
        return [outputs[i] for i in self._order]
