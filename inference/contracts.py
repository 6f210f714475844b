"""What the bundled models take and give, as data, and the check that a file keeps it.

A model whose tensors do not fit is refused when it is loaded, not found out by its pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np

from ..core.errors import ModelError
from ..core.frame import Pixels
from .engine import Tensor

Shape = tuple[int | None, ...]
"""None where any size will do: the batch."""
MIN_PSNR_DB = 35.0
"""Between a picture in a reduced precision and the same in fp32: below it, the difference begins to be seen."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output."""

    name: str
    shape: Shape
    meaning: str
    tolerance: float | None = None
    """How far another engine or precision may move it: mean absolute difference to the fp32 that serves, in
    the tensor's own unit. None: this output is not judged."""
    dtype: str = "float32"
    peak: float | None = None
    """Of a picture: the range of its numbers. Another engine or precision must then stay within `MIN_PSNR_DB`."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How 8-bit pixels become numbers: (channel - mean) / scale, channels in `order`."""

    order: Literal["RGB", "BGR"]
    mean: float
    scale: float


@dataclass(frozen=True, slots=True)
class Contract:
    """One model: what it is for and what goes in and out, in this order."""

    model: str
    task: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    pixels: Normalisation | None = None
    """Of the first input; None where it takes no picture."""
    timed: bool = True
    """It is run for every frame, so the fastest engine is worth finding; else the first that is ready serves."""
    reducible: bool = True
    """`auto` may choose a precision below fp32, if it keeps the tolerances."""

    @property
    def remedy(self) -> str:
        """What can be done where an engine cannot load it."""
        bundled = self.model in CONTRACTS
        return (
            f"choose another engine or provider, or {'reinstall faceswapd' if bundled else 'another model'}"
        )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture that goes in. Raises ValueError for a model that takes none."""
        match self.inputs[0].shape:
            case (_, int(height), int(width), 3) if self.pixels is not None:
                return width, height
        raise ValueError(f"{self.model} takes no picture")

    def tensor(self, pixels: Pixels) -> Tensor:
        """A picture (BGR, uint8, exactly `size`) as the first input: 1 x height x width x 3."""
        assert self.pixels is not None, f"{self.model} takes no picture"
        ordered = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if self.pixels.order == "RGB" else pixels
        # A table of 256 floats is three times as fast as converting, subtracting and multiplying.
        table = (np.arange(256, dtype=np.float32) - self.pixels.mean) / np.float32(self.pixels.scale)
        return np.asarray(cv2.LUT(ordered, table.astype(np.float32)), np.float32)[np.newaxis]


@dataclass(frozen=True, slots=True)
class Found:
    """A tensor as an engine reports it from a model file."""

    name: str
    dtype: str
    """`float32` and so on, numpy's word."""
    shape: Shape


def check(contract: Contract, inputs: Sequence[Found], outputs: Sequence[Found]) -> None:
    """Raises ModelError naming the first tensor of a model file that does not keep the contract."""
    for role, specs, founds in (("input", contract.inputs, inputs), ("output", contract.outputs, outputs)):
        by_name = {f.name: f for f in founds}
        for spec in specs:
            found = by_name.pop(spec.name, None)
            if found is None:
                there = ", ".join(f.name for f in founds) or "none"
                raise _misfit(contract, f"{role} {spec.name!r} is missing (there is {there})")
            if found.dtype != spec.dtype:
                raise _misfit(contract, f"{role} {spec.name!r} is {found.dtype}, not {spec.dtype}")
            if not _fits(found.shape, spec.shape):
                raise _misfit(
                    contract, f"{role} {spec.name!r} is {_text(found.shape)}, not {_text(spec.shape)}"
                )
        if by_name and role == "input":
            raise _misfit(contract, f"input {next(iter(by_name))!r} is not in the contract")


def _fits(found: Shape, wanted: Shape) -> bool:
    return len(found) == len(wanted) and all(w is None or f == w for f, w in zip(found, wanted, strict=True))


def _text(shape: Shape) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"


def _misfit(contract: Contract, what: str) -> ModelError:
    return ModelError(f"model {contract.model}: {what}", "this is another model's file; reinstall faceswapd")


SIGNED = Normalisation("RGB", 127.5, 127.5)
"""RGB in [-1, 1]."""
UNSIGNED = Normalisation("RGB", 0.0, 255.0)
"""RGB in [0, 1]."""


def _detector(model: str, task: str, side: int, anchors: int, boxes: str, scores: str) -> Contract:
    # Detectors stay in fp32: a score that moves across the threshold is a face that comes and goes.
    return Contract(
        model,
        task,
        (TensorSpec("input", (1, side, side, 3), "letterboxed frame"),),
        (
            TensorSpec(
                boxes,
                (1, anchors, 16),
                "box centre offset x, y, width, height, then right eye, left eye, nose, mouth, right ear and "
                "left ear, in input pixels relative to the anchor's centre",
                tolerance=0.01,
            ),
            TensorSpec(scores, (1, anchors, 1), "logit: a face is there", tolerance=0.01),
        ),
        SIGNED,
        reducible=False,
    )


def _selfie(model: str, height: int, matte: str) -> Contract:
    return Contract(
        model,
        "person matte",
        (TensorSpec("input", (1, height, 256, 3), "frame, stretched to the input's size"),),
        (
            TensorSpec(
                matte, (1, height, 256, 1), "share of the person in each pixel, 0 to 1", tolerance=0.005
            ),
        ),
        UNSIGNED,
    )


_ALL = (
    _detector("blaze_short", "face detector for webcam distance", 128, 896, "regressors", "classificators"),
    _detector(
        "blaze_full",
        "face detector for far and many faces",
        192,
        2304,
        "reshaped_regressor_face_4",
        "reshaped_classifier_face_4",
    ),
    Contract(
        "mesh478",
        "478 face landmarks with irises",
        (TensorSpec("input", (1, 256, 256, 3), "upright square crop, 1.5 times the face"),),
        (
            # A tenth of a pixel is what the noise of a webcam (sigma 2 of 255) moves a still face by.
            TensorSpec("Identity", (1, 1, 1, 1434), "478 x (x, y, z) in crop pixels", tolerance=0.1),
            TensorSpec("Identity_1", (1, 1, 1, 1), "logit: a face is there", tolerance=0.5),
            TensorSpec("Identity_2", (1, 1), "logit: the tongue is out"),
        ),
        UNSIGNED,
    ),
    Contract(
        "blendshapes52",
        "52 expression coefficients",
        (TensorSpec("input", (1, 146, 2), "146 of the 478 landmarks, x and y in frame pixels"),),
        (TensorSpec("scores", (52,), "coefficients from 0 to 1", tolerance=0.005),),
    ),
    _selfie("selfie256", 256, "activation_10"),
    _selfie("selfie144x256", 144, "segment_back"),
)

CONTRACTS = MappingProxyType({c.model: c for c in _ALL})
"""{model: contract} of every bundled model."""
