"""Networks with the compute of the real ones and random weights: they say how fast, never how good.

`inswapper(32)` has the published size of inswapper_128 (138 M parameters, 175 GMAC), with a bottleneck of 32 x 32;
`inswapper(16)` is the same with 16 x 16 (48 GMAC), `narrow` a fraction of its channels. `arcface()` is a ResNet-50
for 112 x 112 (6 GMAC), `scrfd()` has the compute of SCRFD-10GF at 640 x 640 in one plain trunk (13 GMAC).
"""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

EMAP = np.eye(512, dtype=np.float32)


class _Net:
    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.gmac = 0.0

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def conv(
        self, x: str, ci: int, co: int, side: int, k: int = 3, stride: int = 1, act: str = "LeakyRelu"
    ) -> str:
        scale = np.sqrt(2 / (ci * k * k))
        kernel = self.random.standard_normal((co, ci, k, k), np.float32) * np.float32(scale)
        self.gmac += co * ci * k * k * side * side / 1e9
        bias = self.random.standard_normal(co, np.float32) * np.float32(0.1)
        out = self.op(
            "Conv", x, self.constant(kernel), self.constant(bias),
            kernel_shape=[k, k], strides=[stride] * 2, pads=[k // 2] * 4,
        )  # fmt: skip
        return self.op(act, out) if act else out

    def save(
        self, inputs: dict[str, list[int]], outputs: dict[str, str], shapes: dict[str, list[int]]
    ) -> bytes:
        for name, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [name]))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, "random",
            [info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [info(n, TensorProto.FLOAT, shapes[n]) for n in outputs],
            self.weights,
        )  # fmt: skip
        opset = [helper.make_opsetid("", 13)]
        return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def inswapper(bottleneck: int = 32, narrow: int = 1) -> tuple[bytes, float]:
    """(file, GMAC): the contract of inswapper_128, an encoder, six blocks with adaptive norms, a decoder.

    With `narrow` 16 it has a sixteenth of the channels: small enough to try a benchmark itself.
    """
    net = _Net()
    side, channels, widest = 128, 128 // narrow, 1024 // narrow
    x = net.conv("target", 3, channels, 128, 7)
    halvings = {32: (1, 2, 2), 16: (2, 2, 2)}[bottleneck]
    for wide, stride in zip((widest // 4, widest // 2, widest), halvings, strict=True):
        side //= stride
        x = net.conv(x, channels, wide, side, stride=stride)
        channels = wide
    for _ in range(6):
        y = x
        for last in (False, True):
            y = _styled(net, net.conv(y, widest, widest, side, act=""), widest)
            y = y if last else net.op("Relu", y)
        x = net.op("Add", x, y)
    for wide, stride in zip((widest // 2, widest // 4, widest // 8), halvings[::-1], strict=True):
        if stride == 2:
            x = net.op("Resize", x, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear")
            side *= 2
        x = net.conv(x, channels, wide, side)
        channels = wide
    # Real networks give pictures, whose numbers spread around the middle; unscaled these would all be 0 or 1.
    x = net.op("Mul", net.conv(x, channels, 3, 128, 7, act=""), net.constant(np.array(0.2, np.float32)))
    x = net.op("Sigmoid", x)
    net.weights.append(numpy_helper.from_array(EMAP, "emap"))
    shape = [1, 3, 128, 128]
    return net.save({"target": shape, "source": [1, 512]}, {"output": x}, {"output": shape}), net.gmac


def _styled(net: _Net, x: str, channels: int) -> str:
    """Adaptive instance norm: what is said of the face scales and shifts each channel."""
    gemm = net.random.standard_normal((512, 2 * channels), np.float32)
    bias = np.concatenate([np.ones(channels, np.float32), np.zeros(channels, np.float32)])
    style = net.op("Gemm", "source", net.constant(gemm), net.constant(bias))
    style = net.op("Unsqueeze", style, net.constant(np.array([2, 3])))
    scale, shift = (
        net.op("Slice", style, *(net.constant(np.array([n])) for n in (start, start + channels, 1)))
        for start in (0, channels)
    )
    rest = net.op("Sub", x, net.op("ReduceMean", x, axes=[2, 3]))
    spread = net.op("ReduceMean", net.op("Mul", rest, rest), axes=[2, 3])
    root = net.op("Sqrt", net.op("Add", spread, net.constant(np.array([1e-8], np.float32))))
    return net.op("Add", net.op("Mul", net.op("Div", rest, root), scale), shift)


def arcface() -> tuple[bytes, float]:
    """(file, GMAC): the contract and the compute of w600k_r50."""
    net = _Net()
    x, channels, side = net.conv("input.1", 3, 64, 112), 64, 112
    for wide, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for n in range(blocks):
            stride = 2 if n == 0 else 1
            y = net.conv(x, channels, wide, side)
            side //= stride
            y = net.conv(y, wide, wide, side, stride=stride, act="")
            x = net.op("Add", y, net.conv(x, channels, wide, side, 1, stride, act="") if n == 0 else x)
            channels = wide
    flat = net.op("Flatten", x)
    mix = net.random.standard_normal((512 * side * side, 512), np.float32) / np.float32(side * 22)
    out = net.op("MatMul", flat, net.constant(mix))
    return net.save({"input.1": [1, 3, 112, 112]}, {"683": out}, {"683": [1, 512]}), net.gmac


def scrfd() -> tuple[bytes, float]:
    """(file, GMAC): about the compute of SCRFD-10GF, without its heads; only its time means anything."""
    net = _Net()
    x, channels, side = "input.1", 3, 640
    for wide, blocks in ((28, 2), (56, 6), (88, 6), (88, 8), (224, 3)):
        side //= 2
        x = net.conv(x, channels, wide, side, stride=2)
        for _ in range(blocks):
            x = net.conv(x, wide, wide, side)
        channels = wide
    shape = [1, channels, side, side]
    return net.save({"input.1": [1, 3, 640, 640]}, {"output": x}, {"output": shape}), net.gmac
