"""LivePortrait's three networks: what a face does, what it looks like, and the same face doing something else."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ..core.errors import InferenceError, UsageError
from ..core.frame import Pixels
from ..faces.expression import POINTS, Array, Motion, degrees
from .engine import Models, Tensor
from .families import Family
from .picture_model import PictureModel

PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "features": ("portrait_features",),
        "motion": ("portrait_motion", "portrait_motion_degrees"),
        "generator": ("portrait_generator",),
    }
)
"""{what is put to the model's name: the families that are that part}. What they tell is the same, in the same order."""


class Portrait:
    """The three models of one name, loaded. Its methods are for any number of threads.

    Crops are BGR, uint8, `side` x `side`, aligned by `template`.
    """

    def __init__(self, models: Models, model: str) -> None:
        """Blocks. Raises ModelError with the command that brings a part, UsageError for one of another kind."""
        self.model = model
        for part, families in PARTS.items():
            found = models.shelf.family(f"{model}_{part}")
            if found.name not in families:
                raise UsageError(
                    f"model {model}_{part} is of the family {found.name}, not {' or '.join(families)}",
                    "see `faceswapd models list`",
                )
        self._look = PictureModel(models, f"{model}_features")
        self._move = PictureModel(models, f"{model}_motion")
        generator = f"{model}_generator"
        self._generator: Family = models.shelf.family(generator)
        self._batch = models.shelf.card(generator).batch
        self._make = models.load(generator)
        self.side = self._look.side
        self.template = self._look.family.template
        made = self._generator.outputs[0].shape[-1]
        assert made is not None, "a family's result has a size"
        self.result_side = made
        """Of what `moved` gives, in pixels."""

    def motions(self, crops: Sequence[Pixels]) -> list[Motion]:
        """What each of the faces does. Raises InferenceError."""
        pitch, yaw, roll, shift, expression, scale, points = self._move.run(crops)
        return [
            Motion(
                (degrees(pitch[n]), degrees(yaw[n]), degrees(roll[n])),
                float(scale[n, 0]),
                shift[n],
                expression[n].reshape(POINTS, 3),
                points[n].reshape(POINTS, 3),
            )
            for n in range(len(crops))
        ]

    def moved(self, crops: Sequence[Pixels], now: Sequence[Array], wanted: Sequence[Array]) -> list[Pixels]:
        """The faces with their points (21 x 3 each) led from `now` to `wanted`; larger than the crops.

        Raises InferenceError.
        """
        given = (self._look.run(crops)[0], np.stack(wanted), np.stack(now))
        out: Tensor
        if self._batch:
            out = self._make.run(*given)[0]
        else:
            runs = [self._make.run(*(g[n : n + 1] for g in given))[0] for n in range(len(crops))]
            out = np.concatenate(runs)
        if not np.isfinite(out.sum()):
            raise InferenceError(f"model {self.model}_generator gave no numbers", "try --precision fp32")
        return self._generator.result.decode(out)
