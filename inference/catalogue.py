"""The models that are known by name: which file, from where, under which licence. Data, in `catalogue.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from ..core.errors import ModelError
from .families import FAMILIES, Family

_FILE = Path(__file__).with_name("catalogue.toml")


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a model before anybody has it."""

    family: str
    file: str
    licence: str
    """In one word."""
    sha256: str = ""
    """Empty where no trustworthy digest is known. Without a url a file with another one is taken all the same."""
    url: str = ""
    """Where `models pull` gets it; empty where nobody offers it in a way that can be relied upon."""
    origin: str = ""
    """Where a user gets it otherwise, in words."""
    needs: tuple[str, ...] = ()
    """Models that it does nothing without."""
    size: int = 0
    """Bytes; 0 where nobody states it."""


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    licences: dict[str, str]
    models: dict[str, Known]


def known() -> Mapping[str, Known]:
    """{model: what is known of it}, in the order of the file."""
    return MappingProxyType(_read().models)


def licence_text(word: str) -> str:
    """A licence in full, or where its full text is. The word itself for one that is not in the catalogue."""
    return _read().licences.get(word, word)


def family_of(name: str) -> Family:
    """Raises ModelError for an unknown name."""
    try:
        return FAMILIES[name]
    except KeyError:
        raise ModelError(f"unknown family {name!r}", f"known are {', '.join(FAMILIES)}") from None


@cache
def _read() -> _Catalogue:
    try:
        return msgspec.convert(tomllib.loads(_FILE.read_text("utf-8")), _Catalogue)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ModelError(f"model catalogue {_FILE}: {error}", "reinstall faceswapd") from error
