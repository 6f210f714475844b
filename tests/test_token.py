import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest

from faceswapd.control import token
from faceswapd.core.errors import ConfigError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_file_is_this_users_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        folder = token.prepared(tmp_path / "faceswapd")
        made = token.ensure(folder)
    finally:
        os.umask(old)

    assert (mode(folder), mode(folder / "token")) == (0o700, 0o600)
    assert (folder / "token").read_text() == made == token.read(folder)
    assert len(bytes.fromhex(made)) == 32


def test_a_token_stays_and_is_changed_by_rotation_alone(tmp_path: Path) -> None:
    first = token.ensure(tmp_path)

    assert token.ensure(tmp_path) == first
    assert token.rotate(tmp_path) != first
    assert token.ensure(tmp_path) != first
    assert [p.name for p in tmp_path.iterdir()] == ["token"]


@pytest.mark.parametrize("spoil", ["mode", "length", "link"])
def test_a_token_that_others_may_know_is_made_anew(tmp_path: Path, spoil: str) -> None:
    first = token.ensure(tmp_path)
    file = tmp_path / "token"
    if spoil == "mode":
        file.chmod(0o644)
    elif spoil == "length":
        file.write_text("short")
    else:
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")

    assert token.ensure(tmp_path) not in (first, "short")
    assert mode(file) == 0o600
    assert not file.is_symlink()


def test_a_loose_directory_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "faceswapd"
    folder.mkdir(mode=0o755)

    assert mode(token.prepared(folder)) == 0o700


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)

    with pytest.raises(ConfigError, match="file"):
        token.prepared(tmp_path / "file")
    with pytest.raises(ConfigError, match="is not yours"):
        token.prepared(tmp_path / "link")


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="needs to give a directory to somebody else"
)
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "faceswapd"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)

    with pytest.raises(ConfigError, match="is not yours"):
        token.prepared(folder)


def test_a_missing_token_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is the daemon running"):
        token.read(tmp_path)


def test_where_it_lies(tmp_path: Path) -> None:
    assert token.runtime_dir({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "faceswapd"
    assert token.runtime_dir({}).name == "faceswapd"


def test_the_proof_is_the_documented_one() -> None:
    key, server, client = "0123456789abcdef" * 4, "aa" * 32, "bb" * 32
    by_hand = hmac.new(key.encode(), (server + client).encode(), hashlib.sha256).hexdigest()

    assert token.proof(key, server, client) == by_hand
    assert by_hand == "085c47138e4bed6ffdb57becdc1daa18ea44ad0aca672e61ebeb09458d3f33a0"
    assert token.proves(key, server, client, by_hand)
    assert not token.proves(key, client, server, by_hand)
    assert not token.proves(key, server, client, "0" * 64)
