"""What an engine is given of a model of the user's: the graph that is run for each frame, and its contract."""

from dataclasses import dataclass, replace

from ..core.errors import ModelError
from . import proving, surgery
from .card import Card
from .catalogue import family_of
from .contracts import Contract, Found, TensorSpec
from .onnx_file import Graph
from .recognition import fit
from .referring import Content

IDENTITY = ":identity"
"""After a model's name: the half that is run once for each worn face."""
UNTIMED = ("recogniser", "converter", "interpolator")
"""Tasks whose models the first engine that is ready serves: they are not run for every frame."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What an engine needs of a model."""

    contract: Contract
    content: Content
    sha256: str
    """Of the file that it comes from, and which part of it this is."""


def supplied(model: str, card: Card, graph: Graph) -> Supply:
    """What is run under the name `model`: a whole model or its image half, or with `:identity` its other half.

    `graph` is that of the file that `card` speaks of, and is changed. Raises ModelError.
    """
    name = model.removesuffix(IDENTITY)
    family = family_of(card.family)
    ports = fit(family, graph.inputs, graph.outputs)
    source = ports.inputs.get("source")
    edges = tuple(TensorSpec(f.name, f.shape, "over the cut", dtype=f.dtype) for f in card.edges)
    if model != name:
        halves = surgery.cut(graph, source.name) if source else None
        if halves is None or source is None:
            raise ModelError(f"model {name} has no identity half", "it takes the face itself in every run")
        inputs = (TensorSpec(source.name, source.shape, "worn face", dtype=source.dtype),)
        contract = Contract(model, "identity of the worn face", inputs, edges, timed=False, reducible=False)
        return Supply(contract, halves.identity, f"{card.sha256}{IDENTITY}")
    whole = {role: _spec(f, card.batch, role) for role, f in ports.inputs.items()}
    if card.edges:
        whole.pop("source")
    makes_pictures = family.task in ("swapper", "enhancer", "frame enhancer")
    # What stands beside a picture is a mask, 0 to 1: it decides what of the picture is shown.
    peaks = (255.0 / family.result.scale[0], 1.0) if makes_pictures else (None, None)
    outputs = tuple(
        _spec(f, card.batch, role, peaks[min(n, 1)], least=1)
        for n, (role, f) in enumerate(ports.outputs.items())
    )
    if family.task == "detector":
        # What its file says of the number of anchors is true of one size of picture.
        pairs = zip(outputs, family.outputs, strict=True)
        outputs = tuple(replace(o, shape=port.shape[-len(o.shape) :]) for o, port in pairs)
    contract = Contract(
        model,
        family.task,
        (*whole.values(), *edges),
        outputs,
        timed=family.task not in UNTIMED,
        reducible=makes_pictures,
    )
    content = proving.derived(graph, source.name if source else None, card.edges, batch=card.batch)
    return Supply(contract, content, card.sha256)


def _spec(found: Found, batch: bool, role: str, peak: float | None = None, least: int = 2) -> TensorSpec:
    """Open in its batch, if it has at least so many sizes (`surgery.open_batch`)."""
    shape = (None, *found.shape[1:]) if batch and len(found.shape) >= least else found.shape
    return TensorSpec(found.name, shape, role, dtype=found.dtype, peak=peak)
