"""The contract of everything that runs a model."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .shelf import Shelf

Tensor = NDArray[np.float32]


class Runner(Protocol):
    """A loaded model. `run` may be called from several threads at once."""

    @property
    def model(self) -> str:
        """The model's name in the store, for instance `mesh478`."""

    @property
    def engine(self) -> str:
        """What serves it, in words that a state document shows: `openvino CPU bf16`, `onnxruntime CUDA`."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs and outputs in the order of the model's contract, float32.

        The outputs belong to the caller. Raises InferenceError.
        """

    def close(self) -> None:
        """Releases the model; no `run` may be under way."""


class Models(Protocol):
    """Loads models by name; the one thing of this folder that processors are given."""

    def load(self, model: str, **options: Any) -> Runner:
        """The runner of a model, loaded once and shared. Blocks. Raises ModelError."""

    @property
    def shelf(self) -> "Shelf":
        """The models that the user has brought: what each one is."""
