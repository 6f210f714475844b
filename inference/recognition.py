"""Which family a model file belongs to: told by its tensors.

Their names differ between exports of one network: they are found by shape and type, and by name only where two fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import ModelError
from .contracts import Found, Shape
from .families import FAMILIES, Family, Port


@dataclass(frozen=True, slots=True)
class Fit:
    """How a file's tensors play the roles of a family."""

    inputs: dict[str, Found]
    """{role: tensor}; an optional input that the file has not is left out."""
    outputs: dict[str, Found]


def fit(family: Family, inputs: Sequence[Found], outputs: Sequence[Found]) -> Fit:
    """Raises ModelError naming the first tensor that does not keep the family's contract."""
    taken = _match(family, "input", family.inputs, inputs)
    surplus = [f.name for f in inputs if f not in taken.values()]
    if surplus:
        raise _misfit(family, f"input {surplus[0]!r} has no place in it")
    made = _match(family, "output", family.outputs, outputs)
    surplus = [f.name for f in outputs if f not in made.values()] if family.exact else []
    if surplus:
        raise _misfit(family, f"output {surplus[0]!r} has no place in it")
    return Fit(taken, made)


def recognise(inputs: Sequence[Found], outputs: Sequence[Found], emap: bool) -> list[Family]:
    """The families whose contract these tensors keep, `emap` telling whether a matrix of that size is in the file.

    Raises ModelError naming the tensor that does not fit the nearest family, where there is none.
    """
    fitting, nearest = [], list[tuple[float, ModelError]]()
    for family in FAMILIES.values():
        try:
            fit(family, inputs, outputs)
        except ModelError as error:
            nearest.append((_distance(family, inputs, outputs), error))
            continue
        if family.emap and not emap:
            nearest.append((0.0, no_emap(family)))
        elif not _named(family, inputs):
            nearest.append((1.0, _misfit(family, f"no input is called {family.inputs[0].name!r}")))
        elif not family.open or None in inputs[0].shape[2:]:
            fitting.append(family)
    # What asks for more of a file says more about it.
    if any(p.name for f in fitting for p in f.inputs):
        fitting = [f for f in fitting if any(p.name for p in f.inputs)]
    if any(f.open for f in fitting):
        fitting = [f for f in fitting if f.open]
    if emap and any(f.emap for f in fitting):
        fitting = [f for f in fitting if f.emap]
    if not fitting:
        raise min(nearest, key=lambda pair: pair[0])[1]
    return fitting


def _named(family: Family, inputs: Sequence[Found]) -> bool:
    """The inputs go by the names that the family is known by, if it is."""
    names = {f.name for f in inputs}
    return all(port.name in names for port in family.inputs if port.name)


def no_emap(family: Family) -> ModelError:
    """What is said of a file that must hold the matrix of the latent and does not."""
    return _misfit(family, "there is no initializer [512, 512], the emap")


def _match(family: Family, side: str, ports: Sequence[Port], founds: Sequence[Found]) -> dict[str, Found]:
    left, out = list(founds), dict[str, Found]()
    for port in ports:
        fitting = [f for f in left if f.dtype == port.dtype and _fits(f.shape, port)]
        if not fitting:
            if port.optional:
                continue
            there = ", ".join(_text(f) for f in left) or "none"
            raise _misfit(
                family, f"no {side} is {port.role!r} {port.dtype} {_sizes(port.shape)} (there is {there})"
            )
        names = () if side == "output" and family.by_place else (port.role, port.name, port.alias)
        chosen = next((f for f in fitting if f.name in names), fitting[0])
        out[port.role] = chosen
        left.remove(chosen)
    return out


def _fits(found: Shape, port: Port) -> bool:
    """A size that the file leaves open fits; a batch of 1 fits any."""
    wanted = port.shape
    if port.number:
        return all(n in (None, 1) for n in found)
    if port.batchless and len(found) == len(wanted) - 1:
        wanted = wanted[1:]
    if len(found) != len(wanted):
        return False
    return all(w is None or f is None or f == w for f, w in zip(found, wanted, strict=True))


def _distance(family: Family, inputs: Sequence[Found], outputs: Sequence[Found]) -> float:
    """How far a file is from a family: a tensor of the wrong rank counts more than one of a wrong size."""
    far = float(abs(len(family.inputs) - len(inputs)) + max(0, len(family.outputs) - len(outputs)))
    for ports, founds in ((family.inputs, inputs), (family.outputs, outputs)):
        for port, found in zip(ports, founds, strict=False):
            if len(port.shape) != len(found.shape):
                far += 1
            else:
                wrong = sum(
                    w is not None and f not in (None, w) for f, w in zip(found.shape, port.shape, strict=True)
                )
                far += wrong / (len(port.shape) + 1)
            far += 0.5 * (found.dtype != port.dtype)
    return far


def _text(found: Found) -> str:
    return f"{found.name!r} {found.dtype} {_sizes(found.shape)}"


def _sizes(shape: Shape) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"


def _misfit(family: Family, what: str) -> ModelError:
    return ModelError(
        f"this is no model of the family {family.name}: {what}", "see docs/models.md for what is known"
    )
