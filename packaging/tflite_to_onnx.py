"""Converts a TensorFlow Lite model to ONNX, with the operators that the bundled models need and no others.

TensorFlow Lite has pictures as NHWC, ONNX as NCHW. In layout `nchw` every 4-D activation is carried as NCHW
and only inputs, outputs and reshapes are transposed, which suits convolutional networks; in layout `nhwc`
activations stay as they are and 1 x 1 convolutions become matrix products, which suits a mixer.

Weights are stored as 16-bit floats, which they are in the original too, and cast to 32 bits when the model is
loaded: it computes in fp32.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
import tflite
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8
SMALL = 64
"""Constants of at most so many values stay in 32 bits."""
DTYPES = {0: np.float32, 1: np.float16, 2: np.int32}
NCHW_AXIS = {0: 0, 1: 2, 2: 3, 3: 1}
"""NHWC axis -> NCHW axis."""
SAME_PADDING = 0
OPERATORS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}

UNARY = {
    "RELU": "Relu",
    "LOGISTIC": "Sigmoid",
    "HARD_SWISH": "HardSwish",
    "NEG": "Neg",
    "SQRT": "Sqrt",
    "ABS": "Abs",
}
BINARY = {
    "ADD": ("Add", tflite.AddOptions),
    "SUB": ("Sub", tflite.SubOptions),
    "MUL": ("Mul", tflite.MulOptions),
    "DIV": ("Div", tflite.DivOptions),
}


class UnsupportedError(Exception):
    """The model has something that the bundled models do not have."""


@dataclass(frozen=True)
class Operator:
    """One operator of the original, with the numbers of its tensors."""

    name: str
    raw: Any
    inputs: list[int]
    outputs: list[int]

    def options(self, kind: Any) -> Any:
        """Its options as a table of the schema."""
        found, table = kind(), self.raw.BuiltinOptions()
        found.Init(table.Bytes, table.Pos)
        return found


class Converter:
    """One conversion; `model` may be called once."""

    def __init__(
        self,
        content: bytes,
        layout: Literal["nchw", "nhwc"] = "nchw",
        *,
        split_prelu: bool = False,
        batch: int | None = None,
    ) -> None:
        """`split_prelu` writes a*x + (1-a)*relu(x), which keeps ONNX Runtime in its blocked layout: 2.7 times
        as fast for a mesh. `batch` replaces the batch size of the original.
        """  # fmt: skip
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)
        self._nchw = layout == "nchw"
        self._split_prelu = split_prelu
        self._nodes: list[onnx.NodeProto] = []
        self._casts: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._count = 0
        tensors = [self._graph.Tensors(i) for i in range(self._graph.TensorsLength())]
        self._names = [t.Name().decode() for t in tensors]
        self._shapes = [[int(n) for n in t.ShapeAsNumpy()] if t.ShapeLength() else [] for t in tensors]
        self._constants: dict[int, NDArray[Any]] = {}
        first = int(self._graph.InputsAsNumpy()[0])
        old_batch = self._shapes[first][0]
        for i, tensor in enumerate(tensors):
            buffer = self._model.Buffers(tensor.Buffer())
            if buffer.DataLength():
                values = np.frombuffer(buffer.DataAsNumpy().tobytes(), DTYPES[tensor.Type()])
                self._constants[i] = values.reshape(self._shapes[i])
            elif batch and self._shapes[i][:1] == [old_batch]:
                self._shapes[i][0] = batch

    def model(self) -> onnx.ModelProto:
        """The converted model, checked by ONNX. Raises UnsupportedError."""
        for i in range(self._graph.OperatorsLength()):
            operator = self._operator(i)
            self._handler(operator.name)(operator)
        before, after, inputs, outputs = [], [], [], []
        for i in map(int, self._graph.InputsAsNumpy()):
            inputs.append(helper.make_tensor_value_info("input", TensorProto.FLOAT, self._shapes[i]))
            before.append(self._border("input", self._name(i), i, [0, 3, 1, 2]))
        for i in map(int, self._graph.OutputsAsNumpy()):
            name = self._names[i].replace("StatefulPartitionedCall:0", "scores")
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shapes[i]))
            after.append(self._border(self._name(i), name, i, [0, 2, 3, 1]))
        nodes = [*before, *self._casts, *self._nodes, *after]
        graph = helper.make_graph(nodes, "g", inputs, outputs, self._initializers)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(made, full_check=True)
        return made

    # How the graph is written

    def _operator(self, i: int) -> Operator:
        raw = self._graph.Operators(i)
        code = self._model.OperatorCodes(raw.OpcodeIndex())
        name = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if name == "CUSTOM":
            name = code.CustomCode().decode()
        return Operator(
            name, raw, [int(n) for n in raw.InputsAsNumpy()], [int(n) for n in raw.OutputsAsNumpy()]
        )

    def _handler(self, name: str) -> Callable[[Operator], None]:
        if name in UNARY:
            return lambda o: self._write(UNARY[name], [self._value(o.inputs[0])], self._name(o.outputs[0]))
        if name in BINARY:
            return self._binary
        handler: Callable[[Operator], None] | None = getattr(self, f"_{name.lower()}", None)
        if handler is None:
            raise UnsupportedError(f"operator {name}")
        return handler

    def _border(self, source: str, target: str, tensor: int, perm: list[int]) -> onnx.NodeProto:
        if self._turned(tensor):
            return helper.make_node("Transpose", [source], [target], perm=perm)
        return helper.make_node("Identity", [source], [target])

    def _name(self, tensor: int) -> str:
        return f"t{tensor}"

    def _new(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count}"

    def _turned(self, tensor: int) -> bool:
        """It is carried as NCHW."""
        return self._nchw and len(self._shapes[tensor]) == 4

    def _write(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Adds one node; returns the name of what it makes."""
        output = output or self._new("v")
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, values: Any, *, computed: bool = False) -> str:
        """Writes a constant. `computed`: it was not read from the original, and 16 bits would round it."""
        name, array = self._new("c"), np.ascontiguousarray(values)
        if array.dtype == np.float32 and array.size > SMALL and not computed:
            half = f"{name}_h"
            self._initializers.append(numpy_helper.from_array(array.astype(np.float16), half))
            self._casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
        else:
            self._initializers.append(numpy_helper.from_array(array, name))
        return name

    def _indices(self, values: Any) -> str:
        return self._constant(np.asarray(values, np.int64))

    def _value(self, tensor: int, *, turned: bool = True) -> str:
        """The name of a tensor's value, a constant written out; in NCHW order unless `turned` is False."""
        if tensor not in self._constants:
            return self._name(tensor)
        array = self._floats(tensor)
        if turned and self._nchw:
            match array.ndim:
                case 4:
                    array = array.transpose(0, 3, 1, 2)
                case 3:
                    array = array.transpose(2, 0, 1)
                case 1 if array.size > 1:
                    array = array.reshape(-1, 1, 1)
        return self._constant(array)

    def _nhwc(self, tensor: int) -> str:
        """A tensor's value in the original's order."""
        if self._turned(tensor) and tensor not in self._constants:
            return self._write("Transpose", [self._value(tensor)], perm=[0, 2, 3, 1])
        return self._value(tensor, turned=False)

    def _floats(self, tensor: int) -> NDArray[Any]:
        array = self._constants[tensor]
        return array.astype(np.float32) if array.dtype == np.float16 else array

    def _activate(self, value: str, activation: int, output: str) -> None:
        match activation:
            case 0:
                self._write("Identity", [value], output)
            case 1:
                self._write("Relu", [value], output)
            case _:
                raise UnsupportedError(f"fused activation {activation}")

    def _padding(self, o: Operator, kernel: tuple[int, int], stride: tuple[int, int], rule: int) -> list[int]:
        """top, left, bottom, right; TensorFlow puts the odd pixel at the end."""
        if rule != SAME_PADDING:
            return [0, 0, 0, 0]
        sizes, outs = self._shapes[o.inputs[0]][1:3], self._shapes[o.outputs[0]][1:3]
        over = [
            max((out - 1) * s + k - size, 0)
            for size, out, k, s in zip(sizes, outs, kernel, stride, strict=True)
        ]
        return [over[0] // 2, over[1] // 2, over[0] - over[0] // 2, over[1] - over[1] // 2]

    # The operators

    def _conv_2d(self, o: Operator) -> None:
        options = o.options(tflite.Conv2DOptions)
        weights = self._floats(o.inputs[1])
        if not self._nchw:
            self._matrix_product(o, weights, options)
            return
        self._convolve(o, weights.transpose(0, 3, 1, 2), options)

    def _depthwise_conv_2d(self, o: Operator) -> None:
        weights = self._floats(o.inputs[1])
        self._convolve(o, weights.transpose(3, 0, 1, 2), o.options(tflite.DepthwiseConv2DOptions))

    def _convolve(self, o: Operator, weights: NDArray[Any], options: Any) -> None:
        kernel, stride = weights.shape[2:], (options.StrideH(), options.StrideW())
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise UnsupportedError("dilated convolution")
        made = self._write(
            "Conv",
            [self._value(o.inputs[0]), self._constant(weights), self._constant(self._floats(o.inputs[2]))],
            kernel_shape=list(kernel),
            strides=list(stride),
            dilations=[1, 1],
            group=self._shapes[o.inputs[0]][3] // weights.shape[1],
            pads=self._padding(o, kernel, stride, options.Padding()),
        )
        self._activate(made, options.FusedActivationFunction(), self._name(o.outputs[0]))

    def _matrix_product(self, o: Operator, weights: NDArray[Any], options: Any) -> None:
        if weights.shape[1:3] != (1, 1) or (options.StrideH(), options.StrideW()) != (1, 1):
            raise UnsupportedError("a convolution larger than 1 x 1 in layout nhwc")
        made = self._write("MatMul", [self._value(o.inputs[0]), self._constant(weights[:, 0, 0, :].T)])
        if len(o.inputs) > 2 and o.inputs[2] >= 0:
            made = self._write("Add", [made, self._constant(self._floats(o.inputs[2]))])
        self._activate(made, options.FusedActivationFunction(), self._name(o.outputs[0]))

    def _convolution2dtransposebias(self, o: Operator) -> None:
        """MediaPipe's own operator: a transposed convolution with SAME padding and a bias."""
        _, stride_w, stride_h = struct.unpack("<iii", o.raw.CustomOptionsAsNumpy().tobytes()[:12])
        weights, stride = self._floats(o.inputs[1]), (stride_h, stride_w)
        kernel = weights.shape[1:3]
        sizes, outs = self._shapes[o.inputs[0]][1:3], self._shapes[o.outputs[0]][1:3]
        over = [
            max((size - 1) * s + k - out, 0)
            for size, out, k, s in zip(sizes, outs, kernel, stride, strict=True)
        ]
        self._write(
            "ConvTranspose",
            [
                self._value(o.inputs[0]),
                self._constant(weights.transpose(3, 0, 1, 2)),
                self._constant(self._floats(o.inputs[2])),
            ],
            self._name(o.outputs[0]),
            kernel_shape=list(kernel),
            strides=list(stride),
            pads=[over[0] // 2, over[1] // 2, over[0] - over[0] // 2, over[1] - over[1] // 2],
        )

    def _max_pool_2d(self, o: Operator) -> None:
        options = o.options(tflite.Pool2DOptions)
        kernel = (options.FilterHeight(), options.FilterWidth())
        stride = (options.StrideH(), options.StrideW())
        pads = self._padding(o, kernel, stride, options.Padding())
        made = self._write(
            "MaxPool", [self._value(o.inputs[0])], kernel_shape=list(kernel), strides=list(stride), pads=pads
        )
        self._activate(made, options.FusedActivationFunction(), self._name(o.outputs[0]))

    def _average_pool_2d(self, o: Operator) -> None:
        options = o.options(tflite.Pool2DOptions)
        if [options.FilterHeight(), options.FilterWidth()] != self._shapes[o.inputs[0]][1:3]:
            raise UnsupportedError("average pooling over less than the picture")
        made = self._write("GlobalAveragePool", [self._value(o.inputs[0])])
        self._activate(made, options.FusedActivationFunction(), self._name(o.outputs[0]))

    def _dequantize(self, o: Operator) -> None:
        self._constants[o.outputs[0]] = self._constants[o.inputs[0]].astype(np.float32)

    def _pad(self, o: Operator) -> None:
        pads = self._constants[o.inputs[1]]
        if self._turned(o.inputs[0]):
            pads = pads[[0, 3, 1, 2]]
        both = np.concatenate([pads[:, 0], pads[:, 1]])
        self._write("Pad", [self._value(o.inputs[0]), self._indices(both)], self._name(o.outputs[0]))

    def _rsqrt(self, o: Operator) -> None:
        root = self._write("Sqrt", [self._value(o.inputs[0])])
        self._write("Reciprocal", [root], self._name(o.outputs[0]))

    def _prelu(self, o: Operator) -> None:
        if not self._split_prelu:
            raise UnsupportedError("PRELU without split_prelu")
        slope, x = self._floats(o.inputs[1]).reshape(1, -1, 1, 1), self._value(o.inputs[0])
        positive = self._write("Mul", [self._write("Relu", [x]), self._constant(1 - slope, computed=True)])
        both = self._write("Mul", [x, self._constant(slope)])
        self._write("Add", [positive, both], self._name(o.outputs[0]))

    def _binary(self, o: Operator) -> None:
        kind, options = BINARY[o.name]
        turned = self._turned(o.outputs[0])
        if turned and any(i not in self._constants and len(self._shapes[i]) != 4 for i in o.inputs):
            raise UnsupportedError(f"{o.name} of activations with and without height and width")
        made = self._write(kind, [self._value(i, turned=turned) for i in o.inputs])
        self._activate(made, o.options(options).FusedActivationFunction(), self._name(o.outputs[0]))

    def _squared_difference(self, o: Operator) -> None:
        turned = self._turned(o.outputs[0])
        gap = self._write("Sub", [self._value(i, turned=turned) for i in o.inputs])
        self._write("Mul", [gap, gap], self._name(o.outputs[0]))

    def _axes(self, o: Operator) -> tuple[list[int], int]:
        rank = len(self._shapes[o.inputs[0]])
        axes = [int(a) % rank for a in np.atleast_1d(self._constants[o.inputs[1]])]
        keep = int(o.options(tflite.ReducerOptions).KeepDims())
        if self._turned(o.inputs[0]):
            if not keep and set(axes) != {1, 2}:
                raise UnsupportedError("a mean that changes the meaning of axes")
            axes = [NCHW_AXIS[a] for a in axes]
        return axes, keep

    def _mean(self, o: Operator) -> None:
        axes, keep = self._axes(o)
        self._write(
            "ReduceMean", [self._value(o.inputs[0])], self._name(o.outputs[0]), axes=axes, keepdims=keep
        )

    def _sum(self, o: Operator) -> None:
        axes, keep = self._axes(o)
        inputs = [self._value(o.inputs[0]), self._indices(axes)]
        self._write("ReduceSum", inputs, self._name(o.outputs[0]), keepdims=keep)

    def _reshape(self, o: Operator) -> None:
        inputs = [self._nhwc(o.inputs[0]), self._indices(self._shapes[o.outputs[0]])]
        self._back("Reshape", inputs, o.outputs[0])

    def _transpose(self, o: Operator) -> None:
        perm = [int(a) for a in self._constants[o.inputs[1]]]
        self._back("Transpose", [self._nhwc(o.inputs[0])], o.outputs[0], perm=perm)

    def _back(self, kind: str, inputs: list[str], tensor: int, **attributes: Any) -> None:
        """Writes a node that works in the original's order and turns what comes out of it."""
        if not self._turned(tensor):
            self._write(kind, inputs, self._name(tensor), **attributes)
            return
        made = self._write(kind, inputs, **attributes)
        self._write("Transpose", [made], self._name(tensor), perm=[0, 3, 1, 2])

    def _concatenation(self, o: Operator) -> None:
        rank, turned = len(self._shapes[o.outputs[0]]), self._turned(o.outputs[0])
        axis = o.options(tflite.ConcatenationOptions).Axis() % rank
        inputs = [self._value(i, turned=turned) for i in o.inputs]
        self._write("Concat", inputs, self._name(o.outputs[0]), axis=NCHW_AXIS[axis] if turned else axis)

    def _strided_slice(self, o: Operator) -> None:
        options, shape = o.options(tflite.StridedSliceOptions), self._shapes[o.inputs[0]]
        begin, end, step = (self._constants[i].astype(np.int64).copy() for i in o.inputs[1:4])
        squeezed = []
        for axis in range(len(begin)):
            if options.BeginMask() >> axis & 1:
                begin[axis] = 0
            if options.EndMask() >> axis & 1:
                end[axis] = shape[axis]
            if options.ShrinkAxisMask() >> axis & 1:
                end[axis] = begin[axis] + 1 if begin[axis] != -1 else shape[axis]
                squeezed.append(axis)
        inputs = [self._nhwc(o.inputs[0]), self._indices(begin), self._indices(end)]
        made = self._write("Slice", [*inputs, self._indices(np.arange(len(begin))), self._indices(step)])
        if squeezed:
            made = self._write("Squeeze", [made, self._indices(squeezed)])
        if self._turned(o.outputs[0]):
            raise UnsupportedError("a slice with height and width")
        self._write("Identity", [made], self._name(o.outputs[0]))

    def _resize_bilinear(self, o: Operator) -> None:
        options = o.options(tflite.ResizeBilinearOptions)
        mode = (
            "align_corners"
            if options.AlignCorners()
            else "half_pixel"
            if options.HalfPixelCenters()
            else "asymmetric"
        )
        batch, *_, channels = self._shapes[o.inputs[0]]
        sizes = self._indices([batch, channels, *self._shapes[o.outputs[0]][1:3]])
        self._write(
            "Resize",
            [self._value(o.inputs[0]), "", "", sizes],
            self._name(o.outputs[0]),
            mode="linear",
            coordinate_transformation_mode=mode,
        )


def convert(
    content: bytes,
    layout: Literal["nchw", "nhwc"] = "nchw",
    *,
    split_prelu: bool = False,
    batch: int | None = None,
) -> bytes:
    """The content of a .tflite file -> the content of a .onnx file; see `Converter`. Raises UnsupportedError."""
    model = Converter(content, layout, split_prelu=split_prelu, batch=batch).model()
    made: bytes = model.SerializeToString(deterministic=True)
    return made
