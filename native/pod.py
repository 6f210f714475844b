"""SPA POD, the wire format of PipeWire's parameters: written, never read.

A pod is its body's size and its type (two native uint32), the body, and zeros up to a multiple of 8. Types and
layout are those of `spa/utils/type.h` and `spa/pod/pod.h`.
"""

import struct

_ID, _INT, _RECTANGLE, _FRACTION, _OBJECT, _CHOICE = 3, 4, 10, 11, 15, 19
_RANGE, _FLAGS = 1, 4


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


def pod_range(default: int, least: int, most: int) -> bytes:
    """A choice of integers between two."""
    return _choice(_RANGE, default, least, most)


def pod_flags(value: int) -> bytes:
    """A choice of any of these bits."""
    return _choice(_FLAGS, value)


def pod_object(kind: int, id_: int, properties: dict[int, bytes]) -> bytes:
    """An object with its properties, each value a pod."""
    body = b"".join(struct.pack("=II", key, 0) + value for key, value in properties.items())
    return _pod(_OBJECT, struct.pack("=II", kind, id_) + body)


def _pod(kind: int, body: bytes) -> bytes:
    return struct.pack("=II", len(body), kind) + body + bytes(-len(body) % 8)


def _choice(kind: int, *values: int) -> bytes:
    child = struct.pack("=II", 4, _INT)
    return _pod(_CHOICE, struct.pack("=II", kind, 0) + child + struct.pack(f"={len(values)}i", *values))
