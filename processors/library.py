"""The user's faces: photos that can be worn, each with its consent record, in the user's data directory."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import structlog

from ..capture.dimensions import dimensions
from ..capture.picture import opened
from ..core.errors import BadInputError, ConfigError, FaceswapdError, MissingInputError, UsageError
from ..core.events import FaceInfo
from ..core.frame import Frame, Pixels
from ..core.picture_format import PictureFormat, in_words, seen_in
from ..trust import consent
from .track_faces import FaceTracker

log = structlog.get_logger(__name__)

MASK = "mask"
"""The face that is drawn and belongs to nobody."""
_MASK_INFO = FaceInfo(MASK, "synthetic", "2026-11-22", bundled=True)
MAX_BYTES = 32 << 20
MAX_PIXELS = 64_000_000
"""Larger than any phone's photo; decoded it takes 192 MB."""
_PHOTOS = (PictureFormat.JPEG, PictureFormat.PNG, PictureFormat.WEBP, PictureFormat.AVIF, PictureFormat.HEIC)
"""What cameras and browsers make: a photo may come from elsewhere, and each decoder is one more that can be fooled."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d")
"""Names that Windows keeps for devices."""
_PHOTO, _RECORD = "photo", "consent.json"
_NEW, _OLD = ".new-", ".old-"
_STALE_S = 3600.0


class Library:
    """Faces on disk, one folder each, and photos that are worn for one run only. Methods block.

    A face appears and disappears as a whole: its folder is filled under another name and then renamed.
    """

    def __init__(
        self,
        root: Path,
        has_face: Callable[[Pixels], bool] = lambda _: True,
        today: Callable[[], date] = date.today,
    ) -> None:
        """root: the user's data directory, made when it is needed. has_face: says whether a photo shows a face."""
        self._folder = root / "faces"
        self.has_face = has_face
        """Says whether a photo shows a face; may be set later, when the models are there."""
        self._today = today
        self._transient: dict[str, tuple[Pixels, consent.Record]] = {}

    def add(self, photo: Path | str, name: str, basis: str | None) -> FaceInfo:
        """Copies a photo into the library.

        Raises UsageError for a missing basis, a bad name or one that is taken; MissingInputError for a file that
        cannot be read; BadInputError for one that is no picture, is too large or shows no face; ConfigError when
        the library cannot be written.
        """
        what = str(photo)
        granted = consent.parse_basis(basis, what)
        self._free(name)
        return self._add(_content(Path(photo)), name, granted, what)

    def add_content(self, content: bytes, name: str, basis: str | None) -> FaceInfo:
        """Like `add`, with the content of a picture file."""
        granted = consent.parse_basis(basis, name)
        self._free(name)
        return self._add(content, name, granted, f"the picture for {name!r}")

    def remove(self, name: str) -> None:
        """Forgets a face, its photo and its record. Raises UsageError for an unknown or bundled one, ConfigError."""
        folder = self._known(name)
        with self._writing():
            grave = Path(tempfile.mkdtemp(prefix=_OLD, dir=self._folder))
            folder.rename(grave / name)
            shutil.rmtree(grave)
        log.info("face.removed", face=name)

    def list(self) -> tuple[FaceInfo, ...]:
        """All faces that can be worn, the drawn mask first; one without a readable record is left out and logged."""
        infos = [_MASK_INFO]
        infos += [_info(name, record) for name, (_, record) in self._transient.items()]
        for name in self._names():
            try:
                infos.append(_info(name, consent.read(self._folder / name / _RECORD, name)))
            except FaceswapdError as error:
                log.warning("face.unusable", face=name, error=str(error))
        return tuple(infos)

    def photo(self, name: str) -> Pixels:
        """The upright photo of a face, BGR; what the consent record was given for, or nothing.

        Raises UsageError for an unknown name or a missing record, BadInputError for a photo or a record that was
        changed, MissingInputError for a photo that cannot be read.
        """
        if name in self._transient:
            return self._transient[name][0]
        folder = self._known(name)
        record = consent.read(folder / _RECORD, name)
        content = _content(folder / _PHOTO)
        consent.check(record, content, name)
        return decoded(content, f"the photo of {name!r}")

    def with_photo(self, photo: Path | str, basis: str | None) -> str:
        """Takes a photo for this run only, nothing is stored; returns the name under which it can be worn.

        Raises as `add` does.
        """
        what = str(photo)
        granted = consent.parse_basis(basis, what)
        content = _content(Path(photo))
        pixels = self._decoded(content, what)
        stem = re.sub(r"[^a-z0-9_-]+", "-", Path(photo).stem.lower()).strip("-_")[:36] or "photo"
        taken = {MASK, *self._transient, *self._names()}
        name = next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, 1000))) if n not in taken)
        self._transient[name] = (pixels, consent.grant(granted, content, pixels, self._today()))
        return name

    def _add(self, content: bytes, name: str, basis: consent.Basis, what: str) -> FaceInfo:
        pixels = self._decoded(content, what)
        record = consent.grant(basis, content, pixels, self._today())
        with self._writing():
            folder = Path(tempfile.mkdtemp(prefix=_NEW, dir=self._folder))
            try:
                consent.keep(folder / _PHOTO, content)
                consent.write(folder / _RECORD, record)
                folder.rename(self._folder / name)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            consent.sync_folder(self._folder)
        log.info("face.added", face=name, consent=basis)
        return _info(name, record)

    def _decoded(self, content: bytes, what: str) -> Pixels:
        pixels = decoded(content, what)
        if not self.has_face(pixels):
            raise BadInputError(
                f"no face in {what}", "use a photo that shows a face from the front, well lit"
            )
        return pixels

    def _free(self, name: str) -> None:
        _check_name(name)
        if name == MASK or name in self._transient or (self._folder / name).exists():
            raise UsageError(
                f"a face is called {name!r} already", "choose another name, or remove that one first"
            )

    def _known(self, name: str) -> Path:
        """The folder of a stored face."""
        _check_name(name)
        if name == MASK:
            raise UsageError("the mask is drawn and bundled", "it has no photo, and it cannot be removed")
        folder = self._folder / name
        if not folder.is_dir():
            known = ", ".join([MASK, *self._transient, *self._names()])
            raise UsageError(f"no face is called {name!r}", f"known are {known}; faceswapd face add adds one")
        return folder

    def _names(self) -> tuple[str, ...]:
        try:
            found = (p.name for p in self._folder.iterdir() if _NAME.fullmatch(p.name) and p.is_dir())
            return tuple(sorted(found))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigError(f"the faces in {self._folder} cannot be read", str(error.strerror)) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The folder is there, for its owner only, and free of what an interrupted change has left."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):
                    stale = time.time() - path.stat().st_mtime > _STALE_S
                    if path.name.startswith(_OLD) or (path.name.startswith(_NEW) and stale):
                        shutil.rmtree(path, ignore_errors=True)
            yield
        except OSError as error:
            raise ConfigError(
                f"the faces in {self._folder} cannot be changed", error.strerror or str(error)
            ) from None


def face_finder(tracker: Callable[[], FaceTracker]) -> Callable[[Pixels], bool]:
    """What `Library` asks whether a photo shows a face, of a new tracker each; models load at the first question."""

    def has_face(pixels: Pixels) -> bool:
        return bool(tracker().track(Frame(0, 0, pixels), every_frame=False).faces)

    return has_face


def decoded(content: bytes, what: str) -> Pixels:
    """The picture in a file's content, BGR, upright as it says. Raises BadInputError."""
    size = dimensions(content)
    if size is None or seen_in(content) not in _PHOTOS:
        raise BadInputError(f"{what} is no picture", f"use a {in_words(_PHOTOS, 'or')} file")
    if size[0] * size[1] > MAX_PIXELS:
        # Known before it is decoded: a small file may hold a picture that does not fit into memory.
        raise BadInputError(
            f"{what} has {size[0]}x{size[1]} pixels", "use a smaller one, 1000 a side is plenty"
        )
    return opened(content, what).pixels


def _content(path: Path) -> bytes:
    """A file's content. Raises MissingInputError, and BadInputError when it is too large."""
    try:
        if not path.exists():
            raise MissingInputError(f"there is no file {path}", "name a photo")
        if not path.is_file():
            raise MissingInputError(f"{path} is no file", "name a photo")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise MissingInputError(
            f"{path} cannot be read", getattr(error, "strerror", None) or str(error)
        ) from None
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{path} is larger than {MAX_BYTES >> 20} MB", "save it as JPEG")
    return content


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a face", "use up to 40 of a-z, 0-9, - and _, a letter or digit first"
        )


def _info(name: str, record: consent.Record) -> FaceInfo:
    return FaceInfo(name, record.basis, record.given.isoformat())
