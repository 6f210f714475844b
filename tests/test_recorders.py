"""Films as outputs of a run: as safe as recordings, with the same settings."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from fakes import FakeSource, ManualClock, frame, picture

from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import DeviceLostError
from faceswapd.core.events import State
from faceswapd.core.settings import ControlSettings, RecordSettings, Settings
from faceswapd.daemon.app import App
from faceswapd.daemon.places import Places
from faceswapd.daemon.recorders import Recorders
from faceswapd.daemon.run import loop_factory
from faceswapd.daemon.state import StateBoard
from faceswapd.processors.library import Library
from faceswapd.sinks.orphans import Journal
from faceswapd.sinks.recorder import Recorder

SIZE = (64, 48)


def made(folder: Path, **record: object) -> Recorders:
    settings = Settings(size=SIZE, record=RecordSettings(**record))  # type: ignore[arg-type]
    return Recorders(settings, ManualClock(), Journal(folder / "journal"))


def pictures(path: Path) -> int:
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


def write(sink: Recorder, frames: int = 20) -> None:
    sink.open()
    for n in range(frames):
        sink.put(frame(n, picture(*SIZE, value=n), captured_ns=10**9 + round(n * 1e9 / 30)))
    sink.close()


def test_the_settings_of_recordings_are_those_of_films(tmp_path: Path) -> None:
    sink = made(tmp_path, encoder="hevc", segment_s=1.0).film(tmp_path / "a.mkv")
    write(sink, 45)
    assert len(sink.progress.films) == 2
    with av.open(str(tmp_path / "a.mkv")) as film:
        assert film.streams.video[0].codec_context.name == "hevc"


def test_more_quality_is_more_bytes(tmp_path: Path) -> None:
    for quality in (10, 90):
        write(made(tmp_path, encoder="libx264", quality=quality).film(tmp_path / f"{quality}.mp4"), 60)
    assert (tmp_path / "90.mp4").stat().st_size > (tmp_path / "10.mp4").stat().st_size


def test_a_film_makes_room_only_where_that_was_said(tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_text("mine")
    write(made(tmp_path).film(mine, overwrite=True))
    assert pictures(mine) == 20


def test_a_film_of_a_run_that_is_killed_plays_and_is_finished_at_the_next_start(tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    words = ["run", "--source", "pattern:", "--processors", "none", "--size", "320x240", "--no-control",
             "--output", str(film)]  # fmt: skip
    folders = {
        f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("DATA", "CONFIG", "CACHE", "STATE")
    }
    script = f"from faceswapd.daemon.cli import main; raise SystemExit(main({words!r}))"
    with subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **folders}) as child:
        deadline = time.monotonic() + 60
        while not (film.exists() and film.stat().st_size > 40_000) and time.monotonic() < deadline:
            time.sleep(0.1)
        child.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    torn = pictures(film)
    assert torn > 15
    assert [path.name for path in tmp_path.glob(".*")] == []

    assert Journal(tmp_path / "state" / "faceswapd" / "recordings").recover() == (film,)
    assert pictures(film) == torn
    content = film.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_what_happens_to_a_film_of_a_run_is_in_its_state(tmp_path: Path) -> None:
    """Its encoder is replaced, then it has its largest size: both are said, and the run goes on."""
    states: list[State] = []
    settings = Settings(
        size=SIZE, fps=100.0, processors=(), control=ControlSettings(enabled=False),
        record=RecordSettings(encoder="libx264"),
    )  # fmt: skip
    recorders = Recorders(settings, SystemClock(), Journal(tmp_path / "journal"))
    film = recorders.film(tmp_path / "talk.mp4")

    class Fragile(Recorder):
        def put(self, frame: object) -> None:
            raise DeviceLostError("the disk is gone")

    other = Fragile(tmp_path / "other.mp4", SIZE, 100.0, SystemClock())
    source = FakeSource([picture(*SIZE, value=n) for n in range(60)], fps=100.0)
    app = App(settings, source, [film, other], Library(tmp_path), "0", Places.within(tmp_path))
    app.recorders = recorders

    def ready(board: StateBoard) -> None:
        board.tell = lambda _: states.append(board.state())
        film.on_notice("encoder x failed: the recording goes on with y")

    app.on_ready = ready
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        ending = runner.run(app.run())
    problems = {problem for state in states for problem in state.problems}
    assert "encoder x failed: the recording goes on with y" in problems
    assert "the disk is gone" in problems
    assert ending.films[0] == str(tmp_path / "talk.mp4")
    assert pictures(tmp_path / "talk.mp4") > 20


def test_without_sound_nothing_listens_and_without_a_time_nothing_is_kept(tmp_path: Path) -> None:
    assert made(tmp_path).replay() is None
    replay = made(tmp_path, save_last_s=5.0, encoder="libx264").replay()
    assert replay is not None
    replay.open()
    replay.close()


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_nobody_is_left_in_the_journal(tmp_path: Path, name: str) -> None:
    write(made(tmp_path).film(tmp_path / name))
    assert list((tmp_path / "journal").iterdir()) == []
