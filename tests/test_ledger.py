"""Notes of what was made from what, across runs."""

import os
from pathlib import Path
from unittest import mock

import pytest

from faceswapd.daemon import ledger
from faceswapd.daemon.ledger import Ledger, Origin


def made(folder: Path, name: str, content: bytes = b"film") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_an_origin_is_the_file_and_what_was_asked_for(tmp_path: Path) -> None:
    one, other = made(tmp_path, "a.avi"), made(tmp_path, "a.mp4")
    os.utime(other, ns=(one.stat().st_atime_ns, one.stat().st_mtime_ns))
    assert Origin.of(one, {"fps": 30}) == Origin.of(one, {"fps": 30})
    assert Origin.of(one, {}).source != Origin.of(other, {}).source
    assert Origin.of(one, {"fps": 30}).how != Origin.of(one, {"fps": 25}).how
    (tmp_path / "moved").mkdir()
    assert Origin.of(one, {}) == Origin.of(one.rename(tmp_path / "moved" / "a.avi"), {})
    with pytest.raises(OSError, match=r"no\.avi"):
        Origin.of(tmp_path / "no.avi", {})


def test_what_was_noted_is_known_to_the_next_run(tmp_path: Path) -> None:
    notes, out = tmp_path / "state" / "made", tmp_path / "out"
    out.mkdir()
    first, second = Origin("a", "x"), Origin("b", "x")
    book = Ledger(notes)
    assert book.origin(out / "a.mp4") is None
    book.enter(made(out, "a.mp4"), Origin("old", "x"))
    book.enter(made(out, "a.mp4"), first)
    Ledger(notes).enter(made(out, "b.mp4"), second)
    again = Ledger(notes)
    assert again.origin(out / "a.mp4") == book.origin(out / "a.mp4") == first
    assert again.origin(out / ".." / "out" / "b.mp4") == second
    assert sorted(p.name for p in out.iterdir()) == ["a.mp4", "b.mp4"]
    for path in notes.iterdir():
        assert b"a.mp4" not in path.read_bytes()


def test_a_file_that_changed_since_is_anybody_s(tmp_path: Path) -> None:
    book, path = Ledger(tmp_path / "made"), made(tmp_path, "a.mp4")
    book.enter(path, Origin("a", "x"))
    os.utime(path, ns=(1, 1))
    assert book.origin(path) is None
    path.unlink()
    assert book.origin(path) is None


def test_torn_lines_cost_only_themselves(tmp_path: Path) -> None:
    book, one, two = Ledger(tmp_path / "made"), made(tmp_path, "a.mp4"), made(tmp_path, "b.mp4")
    book.enter(one, Origin("a", "x"))
    (notes,) = (tmp_path / "made").iterdir()
    with notes.open("ab") as file:
        file.write(b'\n["half a li')
    Ledger(tmp_path / "made").enter(two, Origin("b", "x"))
    assert Ledger(tmp_path / "made").origin(one) == Origin("a", "x")
    assert Ledger(tmp_path / "made").origin(two) == Origin("b", "x")


def test_notes_do_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_SPARE", 3)
    book, path = Ledger(tmp_path / "made"), made(tmp_path, "a.mp4")
    gone = made(tmp_path, "b.mp4")
    book.enter(gone, Origin("b", "x"))
    for n in range(5):
        book.enter(path, Origin(str(n), "x"))
    gone.unlink()
    assert Ledger(tmp_path / "made").origin(path) == Origin("4", "x")
    (notes,) = (tmp_path / "made").iterdir()
    assert len(notes.read_bytes().splitlines()) == 1
    assert Ledger(tmp_path / "made").origin(path) == Origin("4", "x")


def test_without_a_place_for_notes_the_run_goes_on(tmp_path: Path) -> None:
    path = made(tmp_path, "a.mp4")
    with mock.patch.object(Path, "open", side_effect=OSError(30, "read-only file system")):
        Ledger(tmp_path / "made").enter(path, Origin("a", "x"))
    assert Ledger(tmp_path / "made").origin(path) is None
