"""An ONNX file, read and changed as the protobuf message that it is, without the library of that name.

A model that a user brings has to be looked into before it runs (does it fit, where is its emap) and cut in two.
The `onnx` package brings a protobuf runtime for that, larger than all that is needed of it: the field numbers
below, which `onnx.proto` of the ONNX project has fixed for good. What is not known here is kept as it is, and
tensors are views of the file: nothing is copied until a changed model is written.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelError
from .contracts import Found, Shape

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

GRAPH = 7
"""Of ModelProto."""
NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13
"""Of GraphProto."""

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

Value = Union[int, memoryview, bytes, "Message"]


class Message:
    """A protobuf message as its fields, in order: (number, wire type, value)."""

    def __init__(self, fields: Iterable[tuple[int, int, Value]] = ()) -> None:
        self.fields = list(fields)

    @classmethod
    def parse(cls, view: memoryview | bytes) -> "Message":
        """Raises ValueError for what is no message."""
        return cls(list(_fields(memoryview(view))))

    def copy(self) -> "Message":
        """One that can be changed without changing this."""
        return Message(self.fields)

    def all(self, number: int) -> list[Any]:
        """The values of every field of that number."""
        return [value for n, _, value in self.fields if n == number]

    def one(self, number: int, default: Any = None) -> Any:
        """The last value of that number: protobuf's rule."""
        found = self.all(number)
        return found[-1] if found else default

    def text(self, number: int) -> str:
        """A string field, "" where there is none."""
        return bytes(self.one(number, b"")).decode()

    def ints(self, number: int) -> list[int]:
        """A repeated integer field, packed or not."""
        out: list[int] = []
        for value in self.all(number):
            out += [_signed(value)] if isinstance(value, int) else [_signed(v) for v in _varints(value)]
        return out

    def put(self, number: int, *values: Value | str) -> "Message":
        """Replaces all fields of that number, at the place of the first; returns itself."""
        fresh = [_field(number, value) for value in values]
        at = next((i for i, f in enumerate(self.fields) if f[0] == number), len(self.fields))
        head = [f for f in self.fields[:at] if f[0] != number]
        self.fields = [*head, *fresh, *(f for f in self.fields[at:] if f[0] != number)]
        return self

    def encode(self) -> bytes:
        """The message as bytes: tensors, however deep they lie, are copied once."""
        return b"".join(self._pieces()[0])

    def _pieces(self) -> "tuple[list[bytes | memoryview], int]":
        """The encoded message in parts, and their length together."""
        out: list[bytes | memoryview] = []
        for number, wire, value in self.fields:
            out.append(_varint(number << 3 | wire))
            if isinstance(value, int):
                out.append(_varint(value))
            elif isinstance(value, Message):
                parts, size = value._pieces()
                out += [_varint(size), *parts]
            else:
                out += [_varint(len(value)), value] if wire == _BYTES else [value]
        return out, sum(map(len, out))


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

    def __init__(self, content: bytes | memoryview, what: str = "file") -> None:
        """Raises ModelError that names `what` where it is no ONNX model, or one whose weights lie elsewhere."""
        try:
            self._model = Message.parse(content)
            self._graph = Message.parse(self._model.one(GRAPH, b""))
            self.nodes = [_node(view) for view in self._graph.all(NODE)]
            tensors = [Message.parse(view) for view in self._graph.all(INITIALIZER)]
            self.initializers = {t.text(8): t for t in tensors}
            given = [_found(view) for view in self._graph.all(INPUT)]
            self.inputs = [f for f in given if f.name not in self.initializers]
            self.outputs = [_found(view) for view in self._graph.all(OUTPUT)]
            external = any(t.one(14, 0) == 1 for t in tensors)
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{what} is no ONNX model", "the file is truncated, or of another kind"
            ) from error
        if not self.nodes or not self.outputs:
            raise ModelError(f"{what} is no ONNX model", "it holds no graph")
        if external:
            raise ModelError(f"{what} keeps its weights in a second file", "save it as one ONNX file")

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

    def cut(self, nodes: Sequence[Node], inputs: Sequence[Found], outputs: Sequence[Found]) -> bytes:
        """A model of these nodes of this one, with the initializers that they use; types within are left out."""
        used = {name for node in nodes for name in node.inputs} | {f.name for f in outputs}
        keep = [t for name, t in self.initializers.items() if name in used or any(n.nested for n in nodes)]
        graph = Message(
            f for f in self._graph.fields if f[0] not in (NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO)
        )
        graph.put(NODE, *(n.message for n in nodes)).put(INITIALIZER, *keep)
        graph.put(INPUT, *map(value_info, inputs)).put(OUTPUT, *map(value_info, outputs))
        return self._model.copy().put(GRAPH, graph).encode()

    def encode(self) -> bytes:
        """The model as it is now."""
        return self.cut(self.nodes, self.inputs, self.outputs)


def array(tensor: Message) -> NDArray[Any]:
    """The numbers of a TensorProto. Raises ValueError for a type that is not known here."""
    code, shape = tensor.one(2, 0), tensor.ints(1)
    if code not in DTYPES:
        raise ValueError(f"tensor {tensor.text(8)} has the unknown type {code}")
    raw = tensor.one(9)
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
    message = Message([(1, _VARINT, n) for n in values.shape])
    return (
        message.put(2, _CODES[values.dtype.name]).put(8, name).put(9, np.ascontiguousarray(values).tobytes())
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
        _signed(size) if (size := Message.parse(d).one(1)) is not None and _signed(size) > 0 else None
        for d in Message.parse(kind.one(2, b"")).all(1)
    )
    return Found(info.text(1), DTYPES.get(kind.one(1, 0), "unknown"), shape)


def _fields(view: memoryview) -> Iterator[tuple[int, int, Value]]:
    at, end = 0, len(view)
    while at < end:
        tag, at = _read_varint(view, at)
        wire = tag & 7
        value: Value
        if wire == _VARINT:
            value, at = _read_varint(view, at)
        else:
            if wire == _BYTES:
                size, at = _read_varint(view, at)
            else:
                size = {_FIXED64: 8, _FIXED32: 4}.get(wire, -1)
            if size < 0 or at + size > end or not tag >> 3:
                raise ValueError("no protobuf message")
            value, at = view[at : at + size], at + size
        yield tag >> 3, wire, value


def _field(number: int, value: Value | str) -> tuple[int, int, Value]:
    if isinstance(value, int):
        return number, _VARINT, value
    return number, _BYTES, value.encode() if isinstance(value, str) else value


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("no protobuf message")


def _varints(view: memoryview) -> Iterator[int]:
    at = 0
    while at < len(view):
        value, at = _read_varint(view, at)
        yield value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
