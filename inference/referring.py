"""What an engine is given of a model: its bytes, or a small graph that refers to the weights in the user's file.

An engine holds what it is given several times over while it loads it: a swapper of 554 MB took 1.6 GB in ONNX Runtime
and 2.0 in OpenVINO, with the 0.55 of the bytes themselves. Weights that it finds in a file it maps instead, and takes
0.6 GB in either; what is mapped, the system may take back. A graph that was cut or changed refers to the file that it
comes from, and is a few kilobytes.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .protobuf import Message

GRAPH = 7
"""Of ModelProto."""
INITIALIZER = 5
"""Of GraphProto."""
RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 9, 13, 14
"""Of TensorProto."""
EXTERNAL = 1
"""TensorProto.DataLocation."""
LEFTOVER = ".graph-"
"""How the name of the file begins that `Referring.laid_out` makes."""
_SMALL = 1024
"""Bytes: smaller ones are shapes and the like, which engines want to see while they load."""


@dataclass(frozen=True, slots=True)
class Referring:
    """A model in two places."""

    graph: bytes
    """An ONNX model whose large initializers are named by their place in the file."""
    file: Path
    """The ONNX model that it comes from; it must stay as it is while an engine loads."""

    @contextmanager
    def laid_out(self) -> Iterator[Path]:
        """The graph as a file in the folder of its weights: some engines follow references from there only.

        Raises OSError where that folder cannot be written to.
        """
        number, name = tempfile.mkstemp(dir=self.file.parent, prefix=LEFTOVER, suffix=".onnx")
        laid = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(self.graph)
            yield laid
        finally:
            laid.unlink(missing_ok=True)

    def whole(self) -> bytes:
        """The model with its weights in it. Raises OSError."""
        model = Message.parse(self.graph)
        graph = Message.parse(model.one(GRAPH))
        with self.file.open("rb") as file:
            tensors = []
            for view in graph.all(INITIALIZER):
                tensor = Message.parse(view)
                if tensor.one(DATA_LOCATION, 0) == EXTERNAL:
                    said = {e.text(1): e.text(2) for e in map(Message.parse, tensor.all(EXTERNAL_DATA))}
                    file.seek(int(said["offset"]))
                    tensor.put(EXTERNAL_DATA).put(DATA_LOCATION)
                    tensor.put(RAW_DATA, file.read(int(said["length"])))
                tensors.append(tensor)
        return model.put(GRAPH, graph.put(INITIALIZER, *tensors)).encode()


Content = bytes | Referring


def whole(content: Content) -> bytes:
    """For who follows no references. Raises OSError."""
    return content.whole() if isinstance(content, Referring) else content


def refer(tensor: Message, content: bytes | memoryview, name: str) -> Message:
    """A tensor whose numbers are a view of `content`, by their place in it; `name` is that of the file.

    A small one, or one that has been changed since, comes back as it is.
    """
    raw = tensor.one(RAW_DATA)
    if not isinstance(raw, memoryview) or len(raw) < _SMALL:
        return tensor
    place = _address(raw) - _address(content)
    if not 0 <= place <= len(content) - len(raw):
        return tensor
    said = {"location": name, "offset": str(place), "length": str(len(raw))}
    entries = (Message().put(1, key).put(2, value) for key, value in said.items())
    return tensor.copy().put(RAW_DATA).put(EXTERNAL_DATA, *entries).put(DATA_LOCATION, EXTERNAL)


def _address(view: bytes | memoryview) -> int:
    place: int = np.frombuffer(view, np.uint8).__array_interface__["data"][0]
    return place
