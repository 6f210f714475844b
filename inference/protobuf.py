"""Protobuf messages as their fields, read and changed without a schema and without the library of that name."""

from collections.abc import Iterable, Iterator
from typing import Any, Union

VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

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
            out += [signed(value)] if isinstance(value, int) else [signed(v) for v in _varints(value)]
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


def _fields(view: memoryview) -> Iterator[tuple[int, int, Value]]:
    at, end = 0, len(view)
    while at < end:
        tag, at = _read_varint(view, at)
        wire = tag & 7
        value: Value
        if wire == VARINT:
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
        return number, VARINT, value
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


def signed(value: int) -> int:
    """A varint as the 64-bit integer that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value
