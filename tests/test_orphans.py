import threading
from pathlib import Path
from unittest.mock import patch

import av
import pytest
from fakes import frame, picture
from structlog.testing import capture_logs

from faceswapd.core.errors import BadInputError, DeviceLostError
from faceswapd.sinks import orphans
from faceswapd.sinks.disk_space import DiskSpace
from faceswapd.sinks.orphans import Journal, finish
from faceswapd.sinks.video import VideoSink

SIZE = (64, 48)


def film(path: Path, frames: int = 60) -> Path:
    sink = VideoSink(path, SIZE, 30, encoder="libx264")
    sink.open()
    for n in range(frames):
        sink.put(frame(n, picture(*SIZE, value=n), captured_ns=round(n * 1e9 / 30)))
    sink.close()
    return path


def pictures(path: Path) -> int:
    with av.open(str(path)) as opened:
        return sum(1 for _ in opened.decode(video=0))


def left(folder: Path, path: Path) -> None:
    """A note of a process that is gone."""
    folder.mkdir(exist_ok=True)
    (folder / "left.recording").write_text(str(path))


def notes(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_films_of_the_living_are_left_alone(tmp_path: Path) -> None:
    journal, path = Journal(tmp_path / "notes"), film(tmp_path / "a.mp4")
    before = path.read_bytes()
    mark = journal.mark(path)
    assert mark is not None
    assert Journal(tmp_path / "notes").recover() == ()
    assert path.read_bytes() == before
    mark.clear()
    assert notes(tmp_path / "notes") == 0


def test_a_film_that_was_left_is_finished(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    mark = Journal(tmp_path / "notes").mark(path)
    assert mark is not None
    mark.leave()
    assert Journal(tmp_path / "notes").recover() == (path,)
    assert pictures(path) == 60
    assert notes(tmp_path / "notes") == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "notes"]


def test_where_no_note_can_be_left_the_film_is_written_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder should be: nobody may write there, not even root")
    journal = Journal(tmp_path / "file" / "notes")
    with capture_logs() as logs:
        assert journal.mark(tmp_path / "a.mp4") is None
    assert [entry["event"] for entry in logs] == ["film.unnoted"]
    assert journal.recover() == ()


def test_notes_that_are_not_ours_are_passed_over(tmp_path: Path) -> None:
    """As those of another user's home, which `sudo -u` leaves in the environment."""
    with patch.object(Path, "glob", side_effect=PermissionError):
        assert Journal(tmp_path).recover() == ()
    path = film(tmp_path / "a.mp4")
    left(tmp_path / "notes", path)
    with patch.object(orphans, "FileIO", side_effect=PermissionError):
        assert Journal(tmp_path / "notes").recover() == ()
    assert notes(tmp_path / "notes") == 1


def test_the_torn_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    whole = film(tmp_path / "b.mkv").read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert finish(path)
    assert 0 < pictures(path) < 60


def test_what_holds_no_picture_is_removed_and_what_is_no_film_stays(tmp_path: Path) -> None:
    empty, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    empty.write_bytes(b"")
    left(tmp_path / "notes", empty)
    assert Journal(tmp_path / "notes").recover() == ()
    assert not empty.exists()

    other.write_bytes(b"letters " * 20_000)
    left(tmp_path / "notes", other)
    assert Journal(tmp_path / "notes").recover() == ()
    assert other.stat().st_size == 160_000
    with pytest.raises(BadInputError, match="no picture"):
        finish(other)
    assert notes(tmp_path / "notes") == 0


def test_a_film_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    left(tmp_path / "notes", tmp_path / "gone.mp4")
    assert Journal(tmp_path / "notes").recover() == ()
    assert notes(tmp_path / "notes") == 0


def test_without_room_it_waits_for_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4")
    before = path.read_bytes()
    left(tmp_path / "notes", path)
    full = DiskSpace(tmp_path, free=lambda _: (1 << 20, 1 << 40))
    with monkeypatch.context() as patched:
        patched.setattr(orphans, "DiskSpace", lambda _: full)
        assert Journal(tmp_path / "notes").recover() == ()
        with pytest.raises(DeviceLostError, match="nearly full"):
            finish(path)
    assert path.read_bytes() == before
    assert notes(tmp_path / "notes") == 1
    assert Journal(tmp_path / "notes").recover() == (path,)


def test_a_film_that_there_is_no_time_for_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    left(tmp_path / "notes", path)
    before, stop = path.read_bytes(), threading.Event()
    stop.set()
    assert Journal(tmp_path / "notes").recover(stop) == ()
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "notes"]
    assert Journal(tmp_path / "notes").recover() == (path,)
    assert pictures(path) == 60
