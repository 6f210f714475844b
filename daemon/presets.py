"""Presets: a chain with its parameters and what belongs to it, one TOML file each beside the configuration."""

import json
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ..core.abilities import PresetInfo
from ..core.errors import ConfigError, UsageError
from ..core.events import ProcessorState
from ..core.settings import OnNoFace, ProcessorSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}")


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a preset sets. The face that is worn and the view are parameters of their processors."""

    processors: tuple[ProcessorSettings, ...]
    on_no_face: OnNoFace = "placeholder"
    badge: bool = True


class Presets:
    """The presets of a folder. All methods block for a moment: a file is read or written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> tuple[PresetInfo, ...]:
        """All presets by name; a file that cannot be read as one is left out."""
        infos = []
        for file in sorted(self._folder.glob("*.toml")):
            try:
                preset = self.load(file.stem)
            except (ConfigError, UsageError):
                continue
            infos.append(_info(file.stem, preset))
        return tuple(infos)

    def load(self, name: str) -> Preset:
        """One preset. Raises UsageError for an unknown name, ConfigError for a file that is none."""
        file = self._file(name)
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
            return msgspec.convert(values, Preset)
        except FileNotFoundError:
            known = ", ".join(sorted(f.stem for f in self._folder.glob("*.toml"))) or "none"
            raise UsageError(f"no preset is called {name!r}", f"known are {known}") from None
        except (OSError, ValueError) as error:  # msgspec's and tomllib's errors are ValueErrors
            raise ConfigError(f"preset {file}: {error}", "mend or remove the file") from None

    def save(
        self, name: str, processors: tuple[ProcessorState, ...], on_no_face: OnNoFace, badge: bool
    ) -> PresetInfo:
        """Writes a preset; one of that name is replaced as a whole, or stays if the writing fails.

        Raises UsageError for a name that cannot be a file's, ConfigError if the folder cannot be written.
        """
        file = self._file(name)
        chain = tuple(ProcessorSettings(p.name, p.enabled, p.params) for p in processors)
        preset = Preset(chain, on_no_face, badge)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=self._folder, prefix=".preset-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as out:
                    out.write(_toml(preset))
                    out.flush()
                    os.fsync(out.fileno())
                Path(draft).replace(file)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigError(f"preset {file}: {error.strerror}", "make the folder writable") from None
        return _info(name, preset)

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(f"preset name {name!r}", "use up to 40 letters, digits, spaces, - and _")
        return self._folder / f"{name}.toml"


def _info(name: str, preset: Preset) -> PresetInfo:
    faces = [str(p.params["face"]) for p in preset.processors if "face" in p.params]
    return PresetInfo(name, tuple(p.name for p in preset.processors if p.enabled), faces[0] if faces else "")


def _toml(preset: Preset) -> str:
    lines = [f"on_no_face = {_value(preset.on_no_face)}", f"badge = {_value(preset.badge)}"]
    if not preset.processors:
        lines.append("processors = []")
    for place in preset.processors:
        lines += ["", "[[processors]]", f"name = {_value(place.name)}", f"enabled = {_value(place.enabled)}"]
        if place.params:
            lines.append("[processors.params]")
            lines += [f"{key} = {_value(value)}" for key, value in place.params.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    # A parameter is bool, int, float or str, and JSON writes these as TOML reads them.
    return json.dumps(value, ensure_ascii=False)
