"""SPA POD, the wire format of PipeWire's parameters.

A pod is its body's size and its type (two native uint32), the body, and zeros up to a multiple of 8. Types and
layout are those of `spa/utils/type.h` and `spa/pod/pod.h`.
"""

import struct
from collections.abc import Iterator

_ID, _INT, _RECTANGLE, _FRACTION, _OBJECT, _CHOICE = 3, 4, 10, 11, 15, 19
_RANGE, _ENUM, _FLAGS = 1, 3, 4
_HEAD = 8


def pod_id(value: int) -> bytes:
    """One of an enumeration."""
    return _pod(_ID, struct.pack("=I", value))


def pod_int(value: int) -> bytes:
    """A 32-bit integer."""
    return _pod(_INT, struct.pack("=i", value))


def pod_rectangle(width: int, height: int) -> bytes:
    """A size in pixels."""
    return _pod(_RECTANGLE, struct.pack("=II", width, height))


def pod_fraction(numerator: int, denominator: int) -> bytes:
    """A ratio, such as frames per second."""
    return _pod(_FRACTION, struct.pack("=II", numerator, denominator))


def pod_range(default: bytes, least: bytes, most: bytes) -> bytes:
    """A choice between two pods of a type that has an order."""
    return _choice(_RANGE, default, least, most)


def pod_enum(preferred: bytes, *others: bytes) -> bytes:
    """A choice of one of these pods, which are of one type."""
    return _choice(_ENUM, preferred, preferred, *others)


def pod_flags(value: int) -> bytes:
    """A choice of any of these bits."""
    return _choice(_FLAGS, pod_int(value))


def pod_object(kind: int, id_: int, properties: dict[int, bytes]) -> bytes:
    """An object with its properties, each value a pod."""
    body = b"".join(struct.pack("=II", key, 0) + value for key, value in properties.items())
    return _pod(_OBJECT, struct.pack("=II", kind, id_) + body)


def read_object(pod: bytes) -> dict[int, int | tuple[int, int]]:
    """The properties of an object that are numbers, or pairs of them (rectangles, fractions); of a choice its
    first value, which is the one that holds. Raises ValueError for a pod that is no object or is cut short."""
    try:
        size, kind = struct.unpack_from("=II", pod)
        if kind != _OBJECT or len(pod) < _HEAD + size:
            raise ValueError(f"a pod of type {kind} and {size} bytes in {len(pod)}")
        return dict(_properties(pod, _HEAD + size))
    except struct.error as error:
        raise ValueError(f"a pod that is cut short ({error})") from error


def _properties(pod: bytes, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
    at = 2 * _HEAD  # after the pod's head and the object's type and id
    while at + 2 * _HEAD <= end:
        key, _, size, kind = struct.unpack_from("=IIII", pod, at)
        body = at + 2 * _HEAD
        at = body + size + -size % 8
        if kind == _CHOICE:
            _, kind = struct.unpack_from("=II", pod, body + _HEAD)
            body += 2 * _HEAD
        if kind in (_ID, _INT):
            yield key, struct.unpack_from("=I" if kind == _ID else "=i", pod, body)[0]
        elif kind in (_RECTANGLE, _FRACTION):
            yield key, struct.unpack_from("=II", pod, body)


def _pod(kind: int, body: bytes) -> bytes:
    return struct.pack("=II", len(body), kind) + body + bytes(-len(body) % 8)


def _choice(kind: int, *pods: bytes) -> bytes:
    """The values stand after one head, without padding between them."""
    size = struct.unpack_from("=I", pods[0])[0]
    values = b"".join(pod[_HEAD : _HEAD + size] for pod in pods)
    return _pod(_CHOICE, struct.pack("=II", kind, 0) + pods[0][:_HEAD] + values)
