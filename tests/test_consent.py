from datetime import date
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from fakes import picture

from faceswapd.core.errors import BadInputError, UsageError
from faceswapd.trust import consent

TODAY = date(2026, 11, 23)


def record(content: bytes = b"photo") -> consent.Record:
    return consent.grant("self", content, picture(4, 3, 9), TODAY)


@pytest.mark.parametrize("basis", ["self", "permission", "public-domain", "synthetic"])
def test_a_basis_is_named_by_a_word(basis: str) -> None:
    assert consent.parse_basis(basis, "me.jpg") == basis


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no consent is named for me.jpg: say --consent self|permission|public-domain|synthetic"),
        ("", "no consent is named for me.jpg"),
        ("yes", "consent 'yes' means nothing: say --consent self|"),
        ("Self", "consent 'Self' means nothing"),
    ],
)
def test_without_a_basis_it_says_what_to_do(text: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        consent.parse_basis(text, "me.jpg")

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_record_is_about_one_file_and_one_picture() -> None:
    one = record()

    assert one.file_sha256 == "55c64d0fcd6f9d5f7c828093857e3fdfda68478bb4e9bd24d481ef391c7804e8"
    consent.check(one, b"photo", "ada")
    with pytest.raises(BadInputError, match=r"'ada' is not the one .* face remove ada"):
        consent.check(one, b"another photo", "ada")


def test_the_picture_hash_knows_the_shape() -> None:
    wide = consent.grant("self", b"", picture(4, 3, 9), TODAY)
    tall = consent.grant("self", b"", picture(3, 4, 9), TODAY)

    assert wide.pixels_sha256 != tall.pixels_sha256
    assert wide.pixels_sha256 == consent.grant("self", b"other file", picture(4, 3, 9), TODAY).pixels_sha256


def test_a_record_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "consent.json"

    consent.write(path, record())

    assert consent.read(path, "ada") == record()
    assert path.stat().st_mode & 0o777 == 0o600
    assert b'"given": "2026-11-23"' in path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"basis": "self"}',
        msgspec.json.encode({**msgspec.to_builtins(record()), "basis": "maybe"}),
        msgspec.json.encode({**msgspec.to_builtins(record()), "given": "soon"}),
        msgspec.json.encode({**msgspec.to_builtins(record()), "more": 1}),
    ],
)
def test_a_record_that_cannot_be_understood_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "consent.json"
    path.write_bytes(content)

    with pytest.raises(BadInputError, match=r"consent record of 'ada' cannot be read.*face remove ada"):
        consent.read(path, "ada")


def test_a_missing_record_is_a_missing_basis(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no consent record for the face 'ada'"):
        consent.read(tmp_path / "consent.json", "ada")


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.replace"])
def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path, fails: str) -> None:
    path = tmp_path / "consent.json"
    path.write_bytes(b"old")

    with (
        patch(fails, side_effect=OSError(28, "No space left on device")),
        pytest.raises(OSError, match="No space"),
    ):
        consent.keep(path, b"new")

    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["consent.json"]
