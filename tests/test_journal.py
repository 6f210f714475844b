"""The journal of an unfinished film."""

import sys
from pathlib import Path

import pytest

from faceswapd.core.errors import BusyError, MissingInputError
from faceswapd.daemon.journal import Journal
from faceswapd.sinks.segments import Segment


def filled(folder: Path) -> Journal:
    journal = Journal.opened(folder, {"a": 1}, resume=False)
    for n in range(2):
        (folder / f"{n}.mp4").write_bytes(b"x")
        journal.enter(Segment(folder / f"{n}.mp4", n * 10, 10), faces=n, next_pts=(n + 1) * 10)
    journal.close()
    return journal


def test_it_is_there_again_for_the_same_job(tmp_path: Path) -> None:
    filled(tmp_path / "j")
    again = Journal.opened(tmp_path / "j", {"a": 1}, resume=True)
    assert [(e.file, e.first_pts, e.faces, e.next_pts) for e in again.entries] == [
        ("0.mp4", 0, 0, 10),
        ("1.mp4", 10, 1, 20),
    ]
    assert not again.complete
    again.enter(Segment(tmp_path / "j" / "1.mp4", 20, 3), 0, None)
    again.close()
    assert Journal.opened(tmp_path / "j", {"a": 1}, resume=True).complete
    assert [s.frames for s in again.segments()] == [10, 10, 3]


@pytest.mark.parametrize("change", ["facts", "no resume", "lost", "torn"])
def test_anything_else_begins_anew(tmp_path: Path, change: str) -> None:
    filled(tmp_path / "j")
    if change == "lost":
        (tmp_path / "j" / "0.mp4").unlink()
    if change == "torn":
        (tmp_path / "j" / "journal.json").write_bytes(b'{"job": ')
    facts = {"a": 2} if change == "facts" else {"a": 1}
    journal = Journal.opened(tmp_path / "j", facts, resume=change != "no resume")
    assert journal.entries == ()
    assert list((tmp_path / "j").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="locks nothing there")
def test_two_runs_do_not_write_into_one_film(tmp_path: Path) -> None:
    first = Journal.opened(tmp_path / "j", {}, resume=False)
    with pytest.raises(BusyError, match="another run"):
        Journal.opened(tmp_path / "j", {}, resume=True)
    first.close()
    Journal.opened(tmp_path / "j", {}, resume=True).close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="save elsewhere"):
        Journal.opened(tmp_path / "no" / "j", {}, resume=False)
