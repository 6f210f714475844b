"""What is wrong with a setting, in words: msgspec tells it in the types of Python."""

import difflib
import re
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ..core.settings import Settings

_WRITTEN = {"outputs": "output"}
"""Fields that people write under another name."""
_KINDS = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text in quotes", "array": "a list",
    "object": "a table",
}  # fmt: skip
_BOUNDS = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}


def explained(told: str, path: str) -> tuple[str, str]:
    """What msgspec says of the field at `path` of `Settings` (`inference.engine`), as (what is wrong, remedy).

    The remedy is empty where nothing better is known than the documentation.
    """
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", told):
        return f"unknown field {unknown[1]!r}", _meant(unknown[1], _fields(path))
    if choice := re.fullmatch(r"Invalid enum value (.+)", told):
        return f"{choice[1]} is not known", f"one of {', '.join(get_args(_hint(path)))}"
    if wrong := re.fullmatch(r"Expected `([^`]+)`, got `(\w+)`", told):
        wanted = " or ".join(_KINDS.get(kind, kind) for kind in wrong[1].split(" | ") if kind != "null")
        return f"{wanted} is needed, not {_KINDS.get(wrong[2], wrong[2])}", _example(path)
    if bound := re.fullmatch(r"Expected `[^`]+` ([<>]=?) (.+)", told):
        return f"must be {_BOUNDS[bound[1]]} {bound[2].removesuffix('.0')}", _example(path)
    return told, ""


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}" if known else ""


def _fields(path: str) -> list[str]:
    """What a table may hold; at the top also the parameters of processors."""
    kind = _hint(path) if path else Settings
    names = get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else ()
    return [*(_WRITTEN.get(name, name) for name in names), *(() if path else ("processor",))]


def _example(path: str) -> str:
    """The field with its default, as it is written in a file."""
    value: Any = Settings()
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, bool | int | float | str):
        return f"write it as {path.rpartition('.')[2]} = {msgspec.json.encode(value).decode()}"
    return ""


def _hint(path: str) -> Any:
    """The type of a field; None for one that does not exist."""
    kind: Any = Settings
    for name in path.split("."):
        hints = get_type_hints(kind) if isinstance(kind, type) else {}
        kind = hints.get(name)
    return kind if isinstance(kind, type) or get_origin(kind) is Literal else None
