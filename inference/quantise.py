"""Convolutions in 8-bit integers: what range their inputs have, and the graph that computes with them (OpenVINO).

Only convolutions are quantised, and of them none that take a picture in: every step of its 256 is seen, and three
channels are no work. One that gives a picture out gives it in floating point; only what goes into it is quantised,
which takes a tenth off a network of 48 GMAC and costs a third of a decibel. Where a model does not bear that,
`careful` leaves it out. All else stays in floating point.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .engine import Tensor
from .ov_core import read
from .referring import Content

Ranges = Mapping[str, tuple[float, float]]
"""{convolution: the smallest and the largest number that went in}."""
_LEVELS = 256
_FEW = 4
"""Channels of a picture, at most."""


def ranges(
    core: Any, content: Content, samples: Sequence[Mapping[str, Tensor]]
) -> dict[str, tuple[float, float]]:
    """What each convolution is given in these runs. Blocks; takes as long as the runs in fp32.

    `samples`: {input: value}. Raises RuntimeError, as OpenVINO does.
    """
    import openvino.opset13 as ops
    from openvino import Model

    model = read(core, content)
    found = _convolutions(model)
    if not found:
        raise RuntimeError("no convolution with a kernel in fp32 is in it")
    reduced = []
    for node in found:
        data = node.input_value(0)
        axes = ops.constant(np.arange(len(data.get_partial_shape()), dtype=np.int64))
        reduced += [ops.reduce_min(data, axes), ops.reduce_max(data, axes)]
    probe = Model([ops.result(r.output(0)) for r in reduced], model.get_parameters(), "ranges")
    request = core.compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    seen = np.array([[float(v) for v in request.infer(dict(s)).to_tuple()] for s in samples])
    low, high = seen[:, 0::2].min(axis=0), seen[:, 1::2].max(axis=0)
    # Zero, with which convolutions pad, has to be one of the steps.
    return {
        n.get_friendly_name(): (min(float(a), 0.0), max(float(b), 0.0))
        for n, a, b in zip(found, low, high, strict=True)
    }


def careful(core: Any, content: Content, known: Ranges) -> dict[str, tuple[float, float]]:
    """The ranges without those of the convolutions that give pictures: these then stay in floating point."""
    pictures = {
        node.get_friendly_name()
        for node in _convolutions(read(core, content))
        if node.input_value(1).get_node().get_output_shape(0)[0] <= _FEW
    }
    return {name: bounds for name, bounds in known.items() if name not in pictures}


def wider(one: Ranges, other: Ranges) -> dict[str, tuple[float, float]]:
    """What holds both; a convolution that only one of them has is as it is there."""
    found = dict(one)
    for name, (low, high) in other.items():
        a, b = found.get(name, (low, high))
        found[name] = (min(a, low), max(b, high))
    return found


def quantised(core: Any, content: Content, known: Ranges) -> Any:
    """The model with its convolutions in 8 bits, for the ranges of `known`; others stay as they are."""
    import openvino.opset13 as ops

    model = read(core, content)
    for node in _convolutions(model):
        low, high = known.get(node.get_friendly_name(), (0.0, 0.0))
        if not high > low:
            continue
        bounds = [np.full((1, 1, 1, 1), bound, np.float32) for bound in _aligned(low, high)]
        data = ops.fake_quantize(node.input_value(0), *bounds, *bounds, _LEVELS)
        weights = node.input_value(1).get_node().get_data()
        # One step for each output channel, the same on both sides of zero.
        most = np.maximum(np.abs(weights).max(axis=(1, 2, 3), keepdims=True), 1e-12).astype(np.float32)
        kernel = ops.fake_quantize(ops.constant(weights), -most, most, -most, most, _LEVELS - 1)
        node.input(0).replace_source_output(data.output(0))
        node.input(1).replace_source_output(kernel.output(0))
    model.validate_nodes_and_infer_types()
    return model


def _convolutions(model: Any) -> list[Any]:
    """Those whose kernel is a constant and whose input is no picture, in the graph's order."""
    found = []
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        kernel = node.input_value(1).get_node()
        if kernel.get_type_name() != "Constant" or str(kernel.get_element_type().get_type_name()) != "f32":
            continue
        if kernel.get_output_shape(0)[1] > _FEW:
            found.append(node)
    return found


def _aligned(low: float, high: float) -> tuple[float, float]:
    """The range with zero exactly on a step."""
    step = (high - low) / (_LEVELS - 1)
    zero = round(-low / step)
    return -zero * step, (_LEVELS - 1 - zero) * step
