"""A processor's parameters as a typed struct, and what a remote control has to know of them.

A parameter is declared once, as a field of a frozen msgspec struct:

    opacity: Annotated[float, Meta(ge=0, le=1, description="...", extra_json_schema={"step": 0.05})] = 1.0
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from .errors import UsageError

Value = bool | int | float | str


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every processor's parameters: each field has a default, so `P()` is the default set."""


class ParamInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """One parameter, described well enough to draw a switch, a slider or a list for it."""

    name: str
    type: str
    """bool, int, float or str."""
    default: Value
    help: str
    min: float | None = None
    max: float | None = None
    step: float | None = None
    enum: tuple[str, ...] = ()
    unit: str = ""
    examples: tuple[str, ...] = ()
    """Of a text: some of the values that it may have."""


P = TypeVar("P", bound=Params)


def describe(kind: type[Params]) -> tuple[ParamInfo, ...]:
    """The parameters of a struct type, in the order of its fields."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_info(f.name, hints[f.encode_name], f.default) for f in msgspec.structs.fields(kind))


def changed(params: P, changes: Mapping[str, Any]) -> P:
    """A copy with `changes` applied, checked as a whole.

    Raises UsageError naming the field when a name is unknown, or a value has a wrong type or range.
    """
    known = {f.name for f in msgspec.structs.fields(params)}
    for name in changes:
        if name not in known:
            raise UsageError(f"unknown parameter {name!r}", f"known are {', '.join(sorted(known)) or 'none'}")
    try:
        return msgspec.convert({**msgspec.structs.asdict(params), **changes}, type(params))
    except msgspec.ValidationError as error:
        text = str(error)
        name = text.rpartition("$.")[2].rstrip("`") if "$." in text else ", ".join(changes)
        raise _refused(params, name, changes.get(name), text.split(" - at")[0]) from None


def read_texts(infos: tuple[ParamInfo, ...], texts: Mapping[str, str]) -> dict[str, Value]:
    """Values written as text (a command line's `opacity=0.8`), turned into the types that `infos` tell."""
    by_name = {i.name: i for i in infos}
    return {name: _parsed(by_name.get(name), name, text) for name, text in texts.items()}


def _parsed(info: ParamInfo | None, name: str, text: str) -> Value:
    if info is None or info.type == "str":
        return text
    try:
        if info.type == "bool":
            return {"true": True, "on": True, "yes": True, "1": True,
                    "false": False, "off": False, "no": False, "0": False}[text.lower()]  # fmt: skip
        return int(text) if info.type == "int" else float(text)
    except (KeyError, ValueError):
        kind = {"int": "whole number", "float": "number"}.get(info.type, "on or off")
        raise UsageError(f"parameter {name}: {text!r} is no {kind}") from None


def _info(name: str, hint: Any, default: Value) -> ParamInfo:
    base, meta, extra = hint, msgspec.Meta(), dict[str, Any]()
    for arg in getattr(hint, "__metadata__", ()):
        if isinstance(arg, msgspec.Meta):
            meta, base = arg, hint.__origin__
            extra |= arg.extra_json_schema or {}
    enum: tuple[str, ...] = ()
    if get_origin(base) is Literal:
        enum, base = get_args(base), str
    return ParamInfo(
        name=name, type=base.__name__, default=default, help=meta.description or "",
        min=meta.ge, max=meta.le, step=extra.get("step"), enum=enum, unit=extra.get("unit", ""),
        examples=tuple(extra.get("examples", ())),
    )  # fmt: skip


def _refused(params: Params, name: str, value: Any, reason: str) -> UsageError:
    """In the words of the control channel's own check."""
    info = next((i for i in describe(type(params)) if i.name == name), None)
    if info is None:
        return UsageError(f"parameter {name}: {reason}")
    number = info.type in ("int", "float")
    if info.enum:
        return UsageError(f"{name} cannot be {value!r}", "one of " + ", ".join(info.enum))
    if number and (info.min is not None or info.max is not None):
        whole = ", a whole number" if info.type == "int" else ""
        return UsageError(f"{name} cannot be {value!r}", f"{info.min} to {info.max}{whole}")
    return UsageError(f"{name} cannot be {value!r}", f"must be {info.type}")
