import os
import shutil
import struct
import time
import zlib
from datetime import date
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pytest
from heic_files import heic
from structlog.testing import capture_logs

from faceswapd.core.errors import BadInputError, ConfigError, FaceswapdError, MissingInputError, UsageError
from faceswapd.core.events import FaceInfo
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.inference.engines import Engines
from faceswapd.processors.library import MASK, MAX_BYTES, Library, face_finder
from faceswapd.processors.track_faces import FaceTracker

ASSETS = Path(__file__).parent / "assets"
TODAY = date(2026, 11, 23)


def sample(width: int = 40, height: int = 30) -> Pixels:
    """Dark, with a bright upper left corner that shows how it is turned."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[: height // 3, : width // 3] = 230
    return pixels


def encoded(suffix: str, pixels: Pixels | None = None) -> bytes:
    ok, data = cv2.imencode(suffix, sample() if pixels is None else pixels)
    assert ok
    return data.tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF block that says how to turn it."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def png_bomb(side: int) -> bytes:
    """A few bytes that declare a picture of `side` x `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "Ada Lovelace.png"
    path.write_bytes(encoded(".png"))
    return path


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data", today=lambda: TODAY)


def test_a_photo_is_added_worn_and_removed(library: Library, photo: Path, tmp_path: Path) -> None:
    added = library.add(photo, "ada", "permission")
    photo.unlink()

    assert added == FaceInfo("ada", "permission", "2026-11-23")
    assert [i.name for i in library.list()] == [MASK, "ada"]
    assert (library.photo("ada") == sample()).all()

    library.remove("ada")
    assert [i.name for i in library.list()] == [MASK]
    assert list((tmp_path / "data" / "faces").iterdir()) == []


def test_another_run_finds_it(library: Library, photo: Path, tmp_path: Path) -> None:
    library.add(str(photo), "ada", "self")

    again = Library(tmp_path / "data")

    assert (again.photo("ada") == sample()).all()
    assert again.list()[1] == FaceInfo("ada", "self", "2026-11-23")


def test_nobody_else_can_read_it(library: Library, photo: Path, tmp_path: Path) -> None:
    library.add(photo, "ada", "self")

    faces = tmp_path / "data" / "faces"
    modes = {str(p.relative_to(faces)): p.stat().st_mode & 0o777 for p in [faces, *faces.rglob("*")]}

    assert modes == {".": 0o700, "ada": 0o700, "ada/photo": 0o600, "ada/consent.json": 0o600}


def test_the_mask_is_there_without_any_file(library: Library, tmp_path: Path) -> None:
    (info,) = library.list()

    assert (info.name, info.consent, info.bundled) == (MASK, "synthetic", True)
    assert not (tmp_path / "data").exists()
    with pytest.raises(UsageError, match="drawn and bundled"):
        library.remove(MASK)
    with pytest.raises(UsageError, match="it has no photo"):
        library.photo(MASK)


@pytest.mark.parametrize("basis", [None, "", "everybody"])
def test_no_basis_no_face(library: Library, photo: Path, tmp_path: Path, basis: str | None) -> None:
    for take in (lambda: library.add(photo, "ada", basis), lambda: library.with_photo(photo, basis)):
        with pytest.raises(UsageError, match="say --consent self"):
            take()

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "../ada", "a/b", "a\\b", "/etc", "-ada", ".ada", "Ada", "ada.png", "a" * 41,
     "con", "com1", "ada\n", "a\0b"],
)  # fmt: skip
def test_names_are_plain(library: Library, photo: Path, name: str) -> None:
    for use in (
        lambda: library.add(photo, name, "self"),
        lambda: library.photo(name),
        lambda: library.remove(name),
    ):
        with pytest.raises(UsageError, match="is no name for a face"):
            use()


def test_a_name_is_taken_once(library: Library, photo: Path) -> None:
    library.add(photo, "ada", "self")
    transient = library.with_photo(photo, "self")

    for name in ("ada", MASK, transient):
        with pytest.raises(UsageError, match=r"called .* already"):
            library.add(photo, name, "self")


def test_an_unknown_face_lists_the_known_ones(library: Library, photo: Path) -> None:
    library.add(photo, "ada", "self")

    with pytest.raises(UsageError, match="no face is called 'bob': known are mask, ada"):
        library.photo("bob")
    with pytest.raises(UsageError, match="no face is called 'bob'"):
        library.remove("bob")


def test_a_photo_for_one_run_leaves_nothing_behind(library: Library, photo: Path, tmp_path: Path) -> None:
    first, second = library.with_photo(photo, "synthetic"), library.with_photo(photo, "self")

    assert (first, second) == ("ada-lovelace", "ada-lovelace-2")
    assert (library.photo(first) == sample()).all()
    assert [(i.name, i.consent) for i in library.list()] == [
        (MASK, "synthetic"),
        (first, "synthetic"),
        (second, "self"),
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no picture: use a JPEG, PNG, WebP, AVIF or HEIC file"),
        (b"hello", "is no picture"),
        (b"\x89PNG\r\n\x1a\n", "is no picture"),
        (b"\xff\xd8\xff", "is no picture"),
        (encoded(".png")[:60], "is damaged"),
        (png_bomb(60_000), "has 60000x60000 pixels"),
    ],
)
def test_what_is_no_picture_is_refused(
    library: Library, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)

    for take in (
        lambda: library.add(path, "ada", "self"),
        lambda: library.with_photo(path, "self"),
        lambda: library.add_content(content, "ada", "self"),
    ):
        with pytest.raises(BadInputError, match=message):
            take()
    assert len(library.list()) == 1


def test_a_photo_without_a_face_is_refused(photo: Path, tmp_path: Path) -> None:
    library = Library(tmp_path / "data", has_face=lambda pixels: bool(pixels.mean() > 200))

    with pytest.raises(BadInputError, match=r"no face in .*Ada Lovelace.png"):
        library.add(photo, "ada", "self")


def test_the_bundled_models_say_whether_there_is_a_face(tmp_path: Path) -> None:
    engines = Engines(InferenceSettings(engine="onnxruntime"), cache=tmp_path / "engines.json")
    library = Library(tmp_path / "data", has_face=face_finder(lambda: FaceTracker(engines)))

    assert library.add(ASSETS / "astronaut.png", "eileen", "public-domain").name == "eileen"
    with pytest.raises(BadInputError, match=r"no face in the picture for 'wall'"):
        library.add_content(encoded(".png", sample(400, 300)), "wall", "synthetic")
    engines.close()


def test_what_cannot_be_read_is_missing(library: Library, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.png", tmp_path, Path(os.devnull)):
        with pytest.raises(MissingInputError, match=path.name):
            library.add(path, "ada", "self")


def test_a_huge_file_is_not_even_read(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    with pytest.raises(BadInputError, match="larger than 32 MB"):
        library.add(path, "ada", "self")


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_a_photo_is_upright(
    library: Library, tmp_path: Path, orientation: int, corner: tuple[int, int]
) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(encoded(".jpg"), orientation))
    library.add(path, "ada", "self")

    pixels = library.photo("ada")

    assert pixels.shape[:2] == ((30, 40) if orientation in (1, 3) else (40, 30))
    assert [c for c in ((0, 0), (0, -1), (-1, 0), (-1, -1)) if pixels[c].mean() > 150] == [corner]


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda d: (d / "photo").write_bytes(encoded(".png", sample(20, 20))), BadInputError, "not the one"),
        (lambda d: (d / "photo").unlink(), MissingInputError, "there is no file"),
        (lambda d: (d / "consent.json").unlink(), UsageError, "no consent record"),
        (lambda d: (d / "consent.json").write_text("{}"), BadInputError, "cannot be read"),
    ],
)  # fmt: skip
def test_what_was_changed_afterwards_is_not_worn(
    library: Library, photo: Path, tmp_path: Path, damage: object, error: type[FaceswapdError], message: str
) -> None:
    library.add(photo, "ada", "self")
    assert callable(damage)
    damage(tmp_path / "data" / "faces" / "ada")

    with pytest.raises(error, match=message):
        library.photo("ada")
    library.remove("ada")
    assert len(library.list()) == 1


def test_a_face_without_a_readable_record_is_not_offered(
    library: Library, photo: Path, tmp_path: Path
) -> None:
    library.add(photo, "ada", "self")
    (tmp_path / "data" / "faces" / "ada" / "consent.json").unlink()

    with capture_logs() as logs:
        assert [i.name for i in library.list()] == [MASK]
    assert [entry["event"] for entry in logs] == ["face.unusable"]


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.rename", "tempfile.mkstemp"])
def test_a_full_disk_leaves_nothing_half_written(
    library: Library, photo: Path, tmp_path: Path, fails: str
) -> None:
    with (
        patch(fails, side_effect=OSError(28, "No space left on device")),
        pytest.raises(ConfigError, match=r"cannot be changed: No space left"),
    ):
        library.add(photo, "ada", "self")

    assert names(tmp_path / "data" / "faces") == []
    assert library.add(photo, "ada", "self").name == "ada"


def test_what_an_interrupted_change_has_left_is_swept(library: Library, photo: Path, tmp_path: Path) -> None:
    library.add(photo, "ada", "self")
    faces = tmp_path / "data" / "faces"
    for name in (".old-1", ".new-long-ago", ".new-just-now"):
        shutil.copytree(faces / "ada", faces / name)
    long_ago = time.time() - 7200
    os.utime(faces / ".new-long-ago", (long_ago, long_ago))

    assert len(library.list()) == 2
    library.add(photo, "bob", "self")

    assert names(faces) == [".new-just-now", "ada", "bob"]


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "avif", "heic"])
def test_a_photo_may_be_of_any_kind_that_cameras_make(library: Library, kind: str) -> None:
    content = heic(sample()) if kind == "heic" else encoded(f".{kind}")
    assert library.add_content(content, "ada", "self").name == "ada"
    assert library.photo("ada").shape == sample().shape


def test_a_photo_that_is_turned_is_upright(library: Library) -> None:
    library.add_content(heic(sample(40, 30), turns=1), "ada", "self")
    assert library.photo("ada").shape == (40, 30, 3)
