"""Where settings come from: defaults, then a TOML file, then the environment, then the command line."""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from ..core.errors import ConfigError, FaceswapdError, UsageError
from ..core.settings import Settings, Size
from .units import parse_bytes, parse_duration

ENV_PREFIX = "FACESWAPD_"


def default_path() -> Path:
    """The user's configuration file; it need not exist."""
    return platformdirs.user_config_path("faceswapd") / "config.toml"


def load(
    options: Mapping[str, Any],
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    base: Settings | None = None,
) -> Settings:
    """The settings of a run: `options` (from the command line) win over environment, file and `base`.

    `path` is a file that must exist; None takes the user's own, if there is one. Raises ConfigError for
    a wrong file or variable, UsageError for a wrong option; both name the field.
    """
    values: dict[str, Any] = msgspec.to_builtins(base or Settings())
    file = path or default_path()
    if path is not None or file.is_file():
        values = _merged(values, _normal(_read(file), ConfigError, str(file)))
    variables = {k: v for k, v in environ.items() if k.startswith(ENV_PREFIX)}
    values = _merged(values, _normal(_from_environment(variables), ConfigError, "environment"))
    checked = _converted(values, ConfigError, str(file))
    overrides = _normal({k: v for k, v in options.items() if v is not None}, UsageError, "command line")
    return _converted(_merged(msgspec.to_builtins(checked), overrides), UsageError, "command line")


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
    except OSError as error:
        raise ConfigError(f"configuration {file}: {error.strerror}", "check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
        values["processors"] = [] if names == ["none"] else [n for n in names if n]
    if isinstance(values.get("record"), dict):
        values["record"] = _normal_record(values["record"], error, where)
    params = values.pop("processor", {})
    if "processors" in values:
        values["processors"] = [{"name": p} if isinstance(p, str) else p for p in values["processors"]]
        values["processors"] = [
            {**p, "params": {**p.get("params", {}), **params.get(p["name"], {})}}
            if isinstance(p, dict) and "name" in p
            else p
            for p in values["processors"]
        ]
    return values


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
                raise error(f"{where}: record.{field}: {wrong}") from None
    return values


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        merged[key] = {**below, **value} if both and isinstance(below, dict) else value
    return merged


def _converted(values: dict[str, Any], error: type[FaceswapdError], where: str) -> Settings:
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as wrong:
        text, _, path = str(wrong).partition(" - at `$.")
        field = f"{path.rstrip('`')}: " if path else ""
        raise error(f"{where}: {field}{text}", "see `faceswapd run --help`") from None
    if not 0 < settings.fps <= 240:
        raise error(f"{where}: fps {settings.fps:g}", "must be above 0 and at most 240")
    return settings


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
