"""Where settings come from: defaults, then a TOML file, then the environment, then the command line."""

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..core.errors import ConfigError, FaceswapdError, MissingInputError, UsageError
from ..core.settings import Settings, Size
from . import places
from .misread import explained
from .units import parse_bytes, parse_duration

ENV_PREFIX = "FACESWAPD_"
_LINE = "command line"
_FLAGS = {
    "outputs": "--output", "for_s": "--for", "record.path": "--record", "record.segment_s": "--segment",
    "record.save_last_s": "--save-last", "record.max_bytes": "--max-size", "record.av_delay_ms": "--av-delay",
    "record.microphone": "--sound", "inference.provider": "--execution-provider",
    "inference.threads": "--execution-threads", "analysis.backend": "--analysis", "analysis.pack": "--analysis-pack",
}  # fmt: skip
"""Options whose names are not their fields'."""


def default_path() -> Path:
    """The user's configuration file; it need not exist. Raises ConfigError for a user without a home."""
    return places.config_dir() / "config.toml"


def load(
    options: Mapping[str, Any],
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    base: Settings | None = None,
) -> Settings:
    """The settings of a run: `options` (from the command line) win over environment, file and `base`.

    `path` is a file that must exist; None takes the user's own, if there is one. Raises MissingInputError
    where it does not, ConfigError for a wrong file or variable and UsageError for a wrong option, which name the field.
    """
    values: dict[str, Any] = msgspec.to_builtins(base or Settings())
    params: dict[str, Any] = {}
    file = path or default_path()
    variables = {k: v for k, v in environ.items() if k.startswith(ENV_PREFIX)}
    layers: list[tuple[dict[str, Any], type[FaceswapdError], str]] = []
    try:
        layers.append((_read(file), ConfigError, f"configuration {file}"))
    except MissingInputError:  # nobody must have one
        if path is not None:
            raise
    layers.append(
        (_from_environment(variables), ConfigError, f"environment ({', '.join(sorted(variables))})")
    )
    layers.append(({k: v for k, v in options.items() if v is not None}, UsageError, _LINE))
    for layer, error, where in layers:
        normal = _normal(layer, error, where)
        params = _merged(params, _tables(normal.pop("processor", {}), error, where))
        values = _merged(values, normal)
        _converted(values, error, where)
    # Last, so that a table reaches the chain whoever named it, the default one included.
    return _converted(
        {**values, "processors": _with_tables(values["processors"], params)}, ConfigError, str(file)
    )


def of_line(options: Mapping[str, Any]) -> Settings:
    """The settings that `options` (from the command line) alone say, whatever file and environment do.

    Raises UsageError, which names the option.
    """
    values = _merged(msgspec.to_builtins(Settings()), {k: v for k, v in options.items() if v is not None})
    return _converted(values, UsageError, _LINE)


def parse_size(text: str) -> Size:
    """`1280x720` -> (1280, 720). Raises ValueError."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is no size; write it as 1280x720")
    width, height = int(match[1]), int(match[2])
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise ValueError(f"size {text} must be even and at least 16x16")
    return width, height


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInputError(f"configuration {file}", "there is no such file: check --config") from None
    except OSError as error:
        remedy = "make it a file that you can read, or name another with --config"
        raise ConfigError(f"configuration {file}: {error.strerror}", remedy) from None
    except UnicodeDecodeError:
        raise ConfigError(f"configuration {file} is not UTF-8", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {file}: {error}", "mend the line it names") from None


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """`FACESWAPD_INFERENCE__ENGINE=openvino` -> {"inference": {"engine": "openvino"}}."""
    values: dict[str, Any] = {}
    for key, text in sorted(variables.items()):
        names = key.removeprefix(ENV_PREFIX).lower().split("__")
        place = values
        for name in names[:-1]:
            place = place.setdefault(name, {})
        place[names[-1]] = _scalar(text)
    return values


def _scalar(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string: FACESWAPD_SOURCE=/dev/video0


def _normal(values: dict[str, Any], error: type[FaceswapdError], where: str) -> dict[str, Any]:
    """The short forms that people write, turned into the fields of `Settings`."""
    values = dict(values)
    if "output" in values:
        values["outputs"] = values.pop("output")
    if isinstance(values.get("outputs"), str):
        values["outputs"] = [values["outputs"]]
    if isinstance(values.get("size"), str):
        try:
            values["size"] = parse_size(values["size"])
        except ValueError as wrong:
            raise error(f"{where}: {wrong}") from None
    if isinstance(values.get("processors"), str):
        names = [n.strip() for n in values["processors"].split(",")]
        if not all(names):  # an empty variable in somebody's script must not show the camera as it is
            raise error(f"{where}: processors {values['processors']!r}", "name them, or say none")
        values["processors"] = [] if names == ["none"] else names
    if isinstance(values.get("analysis"), str):
        values["analysis"] = {"backend": values["analysis"]}
    if isinstance(values.get("record"), dict):
        values["record"] = _normal_record(values["record"], error, where)
    if isinstance(values.get("processors"), list | tuple):
        values["processors"] = [{"name": p} if isinstance(p, str) else p for p in values["processors"]]
    return values


def _tables(values: Any, error: type[FaceswapdError], where: str) -> dict[str, Any]:
    """`[processor.NAME]` tables: {name: {parameter: value}}."""
    if not isinstance(values, dict) or not all(isinstance(table, dict) for table in values.values()):
        raise error(f"{where}: processor", "write it as [processor.anonymize] with its parameters below")
    return values


def _with_tables(chain: Iterable[Any], params: Mapping[str, Any]) -> list[Any]:
    """The chain with the tables' parameters; one that is not in the chain comes last, off, ready to be switched on."""
    places = [{**p, "params": {**params.get(p["name"], {}), **p.get("params", {})}} for p in chain]
    named = {place["name"] for place in places}
    off = [{"name": n, "enabled": False, "params": table} for n, table in params.items() if n not in named]
    return [*places, *off]


def _normal_record(values: dict[str, Any], error: type[FaceswapdError], where: str) -> dict[str, Any]:
    """Durations and sizes as people write them: `segment_s = "10m"`, `max_bytes = "4G"`."""
    values = dict(values)
    parsers = {
        "segment_s": parse_duration,
        "save_last_s": parse_duration,
        "max_bytes": parse_bytes,
        "keep_free": parse_bytes,
    }
    for field, parse in parsers.items():
        if isinstance(values.get(field), str):
            try:
                values[field] = parse(values[field])
            except ValueError as wrong:
                raise error(f"{_named(f'record.{field}', where)}: {wrong}") from None
    return values


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        merged[key] = {**below, **value} if both and isinstance(below, dict) else value
    return merged


def _converted(values: dict[str, Any], error: type[FaceswapdError], where: str) -> Settings:
    if (field := _not_a_number(values)) is not None:  # it is neither below nor above any bound
        raise error(f"{_named(field, where)} is no finite number", "give a number")
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as wrong:
        told, _, path = str(wrong).partition(" - at `$.")
        path = path.rstrip("`")
        what, remedy = explained(told, path)
        if where == _LINE or not remedy:
            remedy = remedy if remedy.startswith("one of") else "see `faceswapd run --help`"
        raise error(f"{_named(path, where) if path else where}: {what}", remedy) from None


def _named(field: str, where: str) -> str:
    """A field as the user wrote it: on the command line it is an option."""
    if where != _LINE:
        return f"{where}: {field}"
    return _FLAGS.get(field, f"--{field.rpartition('.')[2].replace('_', '-')}")


def _not_a_number(value: Any, path: str = "") -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return path
    items = value.items() if isinstance(value, dict) else ()
    found = (_not_a_number(v, f"{path}.{k}" if path else str(k)) for k, v in items)
    return next((f for f in found if f is not None), None)


def with_params(settings: Settings, assignments: Iterable[tuple[str, str, str]]) -> Settings:
    """Settings with (processor, parameter, value) triples applied to the chain; values as TOML or a bare word.

    Raises UsageError for a processor that is not in the chain.
    """
    chain = list(settings.processors)
    for processor, param, value in assignments:
        for i, place in enumerate(chain):
            if place.name == processor:
                chain[i] = msgspec.structs.replace(place, params={**place.params, param: _scalar(value)})
                break
        else:
            raise UsageError(
                f"--set {processor}.{param}", f"{processor} is not in the chain: see --processors"
            )
    return msgspec.structs.replace(settings, processors=tuple(chain))
