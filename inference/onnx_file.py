"""An ONNX file, read and changed as the protobuf message that it is, without the library of that name.

A model that a user brings has to be looked into before it runs (does it fit, where is its emap) and cut in two.
The `onnx` package brings a protobuf runtime for that, larger than all that is needed of it: the field numbers
below, which `onnx.proto` of the ONNX project has fixed for good. What is not known here is kept as it is, and
tensors are views of the file: nothing is copied until a changed model is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelError
from .contracts import Found, Shape
from .protobuf import VARINT, Message, signed
from .referring import DATA_LOCATION, EXTERNAL, GRAPH, INITIALIZER, RAW_DATA, Content, Referring, refer

NODE, INPUT, OUTPUT, VALUE_INFO = 1, 11, 12, 13
"""Of GraphProto; more are in `referring`."""

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
"""TensorProto.DataType -> numpy's word."""
_CODES = {name: code for code, name in DTYPES.items()}
_TYPED = {1: 4, 6: 5, 7: 7, 11: 10}
"""DataType -> the field that holds its numbers where they are not in `raw_data`."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation of a graph."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    message: Message

    @classmethod
    def make(cls, op: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: Message) -> "Node":
        """A new operation; `attributes` come from `attribute`."""
        message = Message()
        message.put(1, *inputs).put(2, *outputs).put(3, f"{op}_{outputs[0]}").put(4, op).put(5, *attributes)
        return cls(op, tuple(inputs), tuple(outputs), message)

    @property
    def nested(self) -> bool:
        """It holds a graph of its own (If, Loop), which may read names that `inputs` does not tell."""
        return any(Message.parse(a).all(6) or Message.parse(a).all(11) for a in self.message.all(5))


class Graph:
    """The graph of a model file: what goes in, what comes out and what lies between, free to be changed."""

    def __init__(self, content: bytes | memoryview, what: str = "file", *, file: Path | None = None) -> None:
        """`file` is where `content` lies: what is written of the graph then refers to the weights in it.

        Raises ModelError that names `what` where it is no ONNX model, or one whose weights lie elsewhere.
        """
        self._file = file
        try:
            self._model = Message.parse(content)
            self._graph = Message.parse(self._model.one(GRAPH, b""))
            self.nodes = [_node(view) for view in self._graph.all(NODE)]
            tensors = [Message.parse(view) for view in self._graph.all(INITIALIZER)]
            self.initializers = {t.text(8): t for t in tensors}
            given = [_found(view) for view in self._graph.all(INPUT)]
            self.inputs = [f for f in given if f.name not in self.initializers]
            self.outputs = [_found(view) for view in self._graph.all(OUTPUT)]
            external = any(t.one(DATA_LOCATION, 0) == EXTERNAL for t in tensors)
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{what} is no ONNX model", "the file is truncated, or of another kind"
            ) from error
        if not self.nodes or not self.outputs:
            raise ModelError(f"{what} is no ONNX model", "it holds no graph")
        if external:
            raise ModelError(f"{what} keeps its weights in a second file", "save it as one ONNX file")
        self._content = content

    def tensor(self, name: str) -> NDArray[Any]:
        """An initializer's numbers. Raises KeyError, and ValueError for a type that is not known here."""
        return array(self.initializers[name])

    def shape(self, name: str) -> tuple[int, ...]:
        """An initializer's shape, without reading its numbers."""
        return tuple(self.initializers[name].ints(1))

    def constants(self) -> dict[str, NDArray[Any]]:
        """{name: value} of every `Constant` node that holds a tensor."""
        out = {}
        for node in self.nodes:
            if node.op == "Constant":
                for attribute in map(Message.parse, node.message.all(5)):
                    if attribute.text(1) == "value":
                        out[node.outputs[0]] = array(Message.parse(attribute.one(5)))
        return out

    def cut(self, nodes: Sequence[Node], inputs: Sequence[Found], outputs: Sequence[Found]) -> Content:
        """A model of these nodes of this one, with the initializers that they use; types within are left out."""
        used = {name for node in nodes for name in node.inputs} | {f.name for f in outputs}
        keep = [t for name, t in self.initializers.items() if name in used or any(n.nested for n in nodes)]
        graph = Message(
            f for f in self._graph.fields if f[0] not in (NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO)
        )
        if self._file is not None:
            keep = [refer(tensor, self._content, self._file.name) for tensor in keep]
        graph.put(NODE, *(n.message for n in nodes)).put(INITIALIZER, *keep)
        graph.put(INPUT, *map(value_info, inputs)).put(OUTPUT, *map(value_info, outputs))
        encoded = self._model.copy().put(GRAPH, graph).encode()
        return encoded if self._file is None else Referring(encoded, self._file)

    def encode(self) -> Content:
        """The model as it is now."""
        return self.cut(self.nodes, self.inputs, self.outputs)


def array(tensor: Message) -> NDArray[Any]:
    """The numbers of a TensorProto. Raises ValueError for a type that is not known here."""
    code, shape = tensor.one(2, 0), tensor.ints(1)
    if code not in DTYPES:
        raise ValueError(f"tensor {tensor.text(8)} has the unknown type {code}")
    raw = tensor.one(RAW_DATA)
    if raw is not None:
        return np.frombuffer(raw, DTYPES[code]).reshape(shape)
    if code not in _TYPED:
        raise ValueError(f"tensor {tensor.text(8)} is stored in an unknown way")
    if code in (6, 7):
        return np.array(tensor.ints(_TYPED[code]), DTYPES[code]).reshape(shape)
    width = {1: np.float32, 11: np.float64}[code]
    parts = [np.frombuffer(v, width) for v in tensor.all(_TYPED[code])]
    return np.concatenate(parts or [np.zeros(0, width)]).reshape(shape)


def tensor(name: str, values: NDArray[Any]) -> Message:
    """A TensorProto."""
    message = Message([(1, VARINT, n) for n in values.shape])
    return (
        message.put(2, _CODES[values.dtype.name])
        .put(8, name)
        .put(RAW_DATA, np.ascontiguousarray(values).tobytes())
    )


def attribute(name: str, value: int | Message) -> Message:
    """An AttributeProto: an integer or a tensor."""
    field, kind = (3, 2) if isinstance(value, int) else (5, 4)
    return Message().put(1, name).put(field, value).put(20, kind)


def value_info(found: Found) -> Message:
    """A ValueInfoProto; an unknown type is left out, an unknown size has the name of its place."""
    info = Message().put(1, found.name)
    if found.dtype not in _CODES:
        return info
    dims = [
        Message().put(1, n) if n is not None else Message().put(2, "batch" if i == 0 else f"{found.name}_{i}")
        for i, n in enumerate(found.shape)
    ]
    kind = Message().put(1, _CODES[found.dtype]).put(2, Message().put(1, *dims))
    return info.put(2, Message().put(1, kind))


def _node(view: memoryview) -> Node:
    message = Message.parse(view)
    inputs, outputs = ([bytes(v).decode() for v in message.all(n)] for n in (1, 2))
    return Node(message.text(4), tuple(inputs), tuple(outputs), message)


def _found(view: memoryview) -> Found:
    info = Message.parse(view)
    kind = Message.parse(Message.parse(info.one(2, b"")).one(1, b""))
    shape: Shape = tuple(
        signed(size) if (size := Message.parse(d).one(1)) is not None and signed(size) > 0 else None
        for d in Message.parse(kind.one(2, b"")).all(1)
    )
    return Found(info.text(1), DTYPES.get(kind.one(1, 0), "unknown"), shape)
