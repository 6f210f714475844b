"""Changes to a model's graph: its batch axis opened, its identity half cut off, its emap found.

Nothing here runs a model: that the changed graph computes the same is tried by `proving`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .contracts import Found
from .engine import Tensor
from .onnx_file import Graph, Node, tensor
from .referring import Content

EMAP = (512, 512)


@dataclass(frozen=True, slots=True)
class Cut:
    """A graph in two: what depends on the worn face alone, and the rest."""

    identity: Content
    image: Graph
    edges: tuple[str, ...]
    """The tensors that go from one to the other."""


def emap(graph: Graph) -> Tensor | None:
    """The 512 x 512 matrix of a swapper's latent: found by its shape, wherever it stands.

    Where there are several, the one that no node reads; it is applied outside the graph.
    """
    names = [n for n, t in graph.initializers.items() if t.ints(1) == list(EMAP) and t.one(2) in (1, 10)]
    read = {name for node in graph.nodes for name in node.inputs}
    found = next((n for n in names if n not in read), names[-1] if names else None)
    return None if found is None else np.ascontiguousarray(graph.tensor(found), np.float32)


def open_batch(graph: Graph) -> Graph:
    """Lets every input and output with a first size of 1 have any; constants that repeat that 1 are changed too.

    Those are the shapes that `Reshape` takes: a leading 1 becomes 0, which means: as it comes in. A weight that
    is shared with another operation is left alone. The graph is changed in place and returned.
    """
    constants = graph.constants()
    users: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            users.setdefault(name, []).append(node)
    nodes: list[Node] = []
    for node in graph.nodes:
        shape = node.inputs[1] if node.op == "Reshape" and len(node.inputs) > 1 else ""
        if shape in graph.initializers:
            values = graph.tensor(shape)
        elif shape in constants:
            values = constants[shape]
        else:
            nodes.append(node)
            continue
        if (
            values.ndim != 1
            or len(values) < 2
            or values[0] != 1
            or any(u.op != "Reshape" for u in users[shape])
        ):
            nodes.append(node)
            continue
        fresh = f"{shape}_any_batch"
        graph.initializers[fresh] = tensor(fresh, np.concatenate([[0], values[1:]]).astype(np.int64))
        inputs = (node.inputs[0], fresh, *node.inputs[2:])
        nodes.append(replace(node, inputs=inputs, message=node.message.copy().put(1, *inputs)))
    graph.nodes = nodes
    graph.inputs = [_opened(f) for f in graph.inputs]
    graph.outputs = [_opened(f, least=1) for f in graph.outputs]
    return graph


def cut(graph: Graph, source: str) -> Cut | None:
    """Cuts off all that depends on the input `source` alone, to be run once for each worn face.

    None where that is not even one operation: the two inputs meet at once, or a branch hides what it reads.
    """
    if any(node.nested for node in graph.nodes):
        return None
    others = {f.name for f in graph.inputs if f.name != source}
    late = _reached(graph.nodes, others)
    early = _reached(graph.nodes, {source}) - late
    made = [n for n in graph.nodes if set(n.outputs) & early]
    if not made:
        return None
    rest = [n for n in graph.nodes if not set(n.outputs) & early]
    read = [name for node in rest for name in node.inputs] + [f.name for f in graph.outputs]
    edges = tuple(dict.fromkeys(name for name in read if name in early))
    if source in read or not edges or any(f.name in early for f in graph.outputs):
        return None
    given = [f for f in graph.inputs if f.name == source]
    identity = graph.cut(_needed(graph.nodes, edges), given, [Found(name, "unknown", ()) for name in edges])
    outputs = [f.name for f in graph.outputs]
    graph.nodes = _needed(rest, outputs)
    graph.inputs = [f for f in graph.inputs if f.name != source]
    return Cut(identity, graph, edges)


def image_half(graph: Graph, edges: Sequence[Found], *, batch: bool) -> Content:
    """What is run for each frame: all of a graph, or its later half with `edges` as inputs; `batch` opens it."""
    image = open_batch(graph) if batch else graph
    image.inputs = [*image.inputs, *edges]
    return image.encode()


def _opened(found: Found, least: int = 2) -> Found:
    """With an open batch, if it has so many sizes: an input with one has none, an output is nothing but its batch."""
    batched = len(found.shape) >= least and found.shape[0] == 1
    return replace(found, shape=(None, *found.shape[1:])) if batched else found


def _reached(nodes: Iterable[Node], names: set[str]) -> set[str]:
    """All tensors that depend on any of `names`; the nodes stand in their order of execution, as ONNX demands."""
    reached = set(names)
    for node in nodes:
        if reached.intersection(node.inputs):
            reached.update(node.outputs)
    return reached


def _needed(nodes: Sequence[Node], outputs: Iterable[str]) -> list[Node]:
    """The nodes that `outputs` depend on, in their order."""
    wanted, kept = set(outputs), list[Node]()
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]
