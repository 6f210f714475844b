"""Compares what a client wants with what processors say of themselves, before anything is tried."""

from collections.abc import Mapping
from typing import Any

from ..core.events import ProcessorInfo, SetProcessor
from ..core.params import ParamInfo, Value
from .protocol import RpcError


def check(command: SetProcessor, known: tuple[ProcessorInfo, ...], path: str) -> None:
    """Compares a command with what the processors say of themselves. Raises RpcError naming the field."""
    info = next((i for i in known if i.name == command.name), None)
    if info is None:
        names = ", ".join(i.name for i in known)
        raise RpcError("unknown_name", f"no processor {command.name!r}", f"{path}.name", f"one of {names}")
    check_values(info.params, command.params, f"{path}.params")


def check_values(infos: tuple[ParamInfo, ...], values: Mapping[str, Value], path: str) -> None:
    """Compares parameters with their description. Raises RpcError naming the field."""
    by_name = {i.name: i for i in infos}
    for name, value in values.items():
        where, info = f"{path}.{name}", by_name.get(name)
        if info is None:
            raise RpcError("unknown_name", f"no parameter {name!r}", where, f"one of {', '.join(by_name)}")
        fits: Any = {"bool": bool, "int": int, "float": (int, float), "str": str}[info.type]
        if not isinstance(value, fits) or (isinstance(value, bool) and info.type != "bool"):
            raise RpcError("wrong_type", f"{name} must be {info.type}, got {type(value).__name__}", where)
        if info.enum and value not in info.enum:
            raise RpcError(
                "out_of_range", f"{name} cannot be {value!r}", where, "one of " + ", ".join(info.enum)
            )
        number = value if isinstance(value, int | float) else 0
        if (info.min is not None and number < info.min) or (info.max is not None and number > info.max):
            raise RpcError("out_of_range", f"{name} cannot be {value}", where, f"{info.min} to {info.max}")
