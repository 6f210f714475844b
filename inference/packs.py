"""insightface's packs of models: found where insightface keeps them, brought by its own downloader."""

import importlib
import shutil
import sys
import tempfile
import warnings
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import structlog

from ..core.errors import ConfigError, MissingInputError, ModelError, UsageError

log = structlog.get_logger(__name__)

PACKS = (
    "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2", "raccoon_l", "raccoon_s",
)  # fmt: skip
"""The packs that have a face detector and a recogniser, as insightface 2 offers them."""
LICENCE = "InsightFace-NC"
"""Of all packs, unless a licence of the user's own lies in one (`MODEL.LICENSE`), which insightface checks."""
_NEW = ".new-"


def root() -> Path:
    """insightface's own folder; it has no variable that moves it."""
    return Path("~/.insightface").expanduser()


def folder(pack: str, home: Path | None = None) -> Path:
    """Where a pack is, or would be. `home` takes the place of insightface's own folder."""
    return (home or root()) / "models" / pack


def here(home: Path | None = None) -> tuple[str, ...]:
    """The packs that can be used."""
    return tuple(pack for pack in PACKS if _whole(folder(pack, home)))


def found(pack: str, home: Path | None = None) -> Path:
    """The folder of a pack. Raises UsageError for an unknown one, ModelError with the command that brings it.

    A folder of the user's own, with a detector and a recogniser in it, is taken too, by its path.
    """
    own = Path(pack).expanduser()
    if len(own.parts) > 1:
        if not _whole(own):
            raise ModelError(
                f"{own} holds no models of insightface's", "name a pack, or a folder of onnx files"
            )
        return own
    if pack not in PACKS:
        raise UsageError(f"unknown pack {pack!r}", f"known are {', '.join(PACKS)}")
    place = folder(pack, home)
    if not _whole(place):
        raise ModelError(f"insightface's pack {pack} is not here", f"faceswapd models pull {pack}")
    check_licence(place)
    return place


def pull(pack: str, home: Path | None = None) -> Path:
    """Has insightface download a pack; it is in its place whole or not at all. Blocks.

    Raises ConfigError without insightface, UsageError for an unknown pack or one that is here, MissingInputError when
    the network fails, and ModelError for what insightface refuses.
    """
    place = check_new(pack, home)
    storage = module("utils.storage")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=_NEW, dir=place.parent.parent))
    except OSError as error:
        raise ConfigError(f"{place.parent} cannot be written", error.strerror or str(error)) from error
    try:
        try:
            with redirect_stdout(sys.stderr):  # it says what it does; ours may be read by a program
                made = Path(storage.download("models", pack, root=str(new)))
        except Exception as error:  # requests, zipfile and its own errors have no base in common
            text = " ".join(str(error).split())[:200]
            raise MissingInputError(
                f"pack {pack}: insightface's download failed ({text})", "try again"
            ) from error
        if not _whole(made) and _whole(made / pack):  # antelopev2 has a folder of its own in its archive
            made = made / pack
        if not _whole(made):
            raise ModelError(f"pack {pack} holds no models", "try again, or choose another pack")
        check_licence(made)
        made.rename(place)
    finally:
        with suppress(OSError):
            shutil.rmtree(new)
    log.info("pack.pulled", pack=pack, folder=str(place))
    return place


def check_new(pack: str, home: Path | None = None) -> Path:
    """Where a pack that can be pulled will be. Raises UsageError and ConfigError as `pull`."""
    if pack not in PACKS:
        raise UsageError(f"unknown pack {pack!r}", f"known are {', '.join(PACKS)}")
    place = folder(pack, home)
    if place.exists():
        raise UsageError(f"pack {pack} is here already", f"to bring it anew, remove {place}")
    module("utils.storage")
    return place


def check_licence(place: Path) -> None:
    """Raises ModelError for a pack with a licence file that insightface does not accept.

    A pack without one is under insightface's non-commercial terms.
    """
    licences = module("model_zoo.model_license")
    state = licences.inspect_model_package_license(place)
    if state.status == licences.STATUS_DEPENDENCY_MISSING:
        log.warning("pack.licence_unchecked", pack=place.name, reason=state.message)
    elif state.error is not None:
        raise ModelError(f"pack {place.name}: {state.error}", f"see the licence in {place}, or remove it")


def module(name: str) -> Any:
    """A module of insightface. Raises ConfigError where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            return importlib.import_module(f"insightface.{name}")
    except ImportError as error:
        raise ConfigError(
            f"insightface is not installed ({error})", "uv sync --group insightface, or see docs/models.md"
        ) from error


def _whole(place: Path) -> bool:
    return any(place.glob("*.onnx")) or (place / "manifest.json").is_file()
