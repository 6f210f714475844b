import asyncio
import os
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from fakes import FakeSink, frame

from faceswapd.core.abilities import Recording
from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import BusyError, DeviceLostError, MissingInputError, NoDeviceError, UsageError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.core.settings import RecordSettings, Settings
from faceswapd.daemon.config import load
from faceswapd.daemon.recorders import Recorders
from faceswapd.daemon.recording import Recordings, film_path
from faceswapd.sinks.fanout import Fanout
from faceswapd.sinks.orphans import Journal
from faceswapd.sinks.recorder import Recorder

NOW = time.strptime("2026-11-22 18:03:07", "%Y-%m-%d %H:%M:%S")


class House:
    """A fan-out with one camera, and recordings beside it."""

    def __init__(self, folder: Path, **record: Any) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.fanout = Fanout(
            [FakeSink()], (64, 48), 30, SystemClock(), Meter(),
            on_failure=lambda sink, error: self.failed.append(self.recordings.failed(sink, error)),
        )  # fmt: skip
        self.failed: list[bool] = []
        settings = Settings(size=(64, 48), record=RecordSettings(folder=str(folder), **record))
        self.journal = Journal(folder / "journal")
        self.recordings = Recordings(
            settings, self.fanout, Recorders(settings, SystemClock(), self.journal),
            problem=self.said.append, today=lambda: NOW,
        )  # fmt: skip

    async def show(self, frames: int) -> None:
        for n in range(frames):
            self.fanout.publish(frame(n, captured_ns=time.monotonic_ns()))
            await asyncio.sleep(0.002)

    def live(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            await self.fanout.start()
            try:
                await work
            finally:
                await self.recordings.close()
                await self.fanout.close()

        asyncio.run(run())


def frames(path: str) -> int:
    with av.open(path) as film:
        return sum(1 for _ in film.decode(video=0))


def test_it_is_the_ability_of_the_control_channel(tmp_path: Path) -> None:
    assert isinstance(House(tmp_path).recordings, Recording)


def test_a_recording_begins_and_ends_beside_the_camera(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def work() -> None:
        recordings = house.recordings
        assert not recordings.record_status().recording
        began = await recordings.start_recording("")
        assert began.recording
        assert began.path == str(tmp_path / "2026-11-22-18-03-07.mp4")
        assert began.encoder
        with pytest.raises(BusyError, match="18-03-07"):
            await recordings.start_recording("other.mp4")
        await house.show(20)
        ended = await recordings.stop_recording()
        assert not ended.recording
        assert ended.films == (began.path,)
        assert ended.bytes_written == os.path.getsize(began.path)  # noqa: ASYNC240, PTH202
        assert frames(began.path) == 20
        with pytest.raises(UsageError, match="nothing is being recorded"):
            await recordings.stop_recording()
        again = await recordings.start_recording("other.mkv")
        assert again.path == str(tmp_path / "other.mkv")
        await house.show(3)

    house.live(work())
    assert frames(str(tmp_path / "other.mkv")) == 3  # the end of the run ended it
    assert list((tmp_path / "journal").iterdir()) == []


def test_a_name_that_is_taken_is_refused_and_nothing_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "mine.mp4").write_text("mine")
    house = House(tmp_path)

    async def work() -> None:
        with pytest.raises(UsageError, match=r"mine\.mp4 exists"):
            await house.recordings.start_recording("mine.mp4")
        assert not house.recordings.record_status().recording
        assert len(house.fanout.sinks) == 1

    house.live(work())
    assert (tmp_path / "mine.mp4").read_text() == "mine"


def test_a_recording_that_cannot_go_on_is_over_and_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, max_bytes=1)

    async def work() -> None:
        await house.recordings.start_recording("")
        for _ in range(200):
            await house.show(10)
            if not house.recordings.record_status().recording:
                break
        status = house.recordings.record_status()
        assert not status.recording
        assert "largest size" in status.notice
        assert house.said == ["", status.notice]
        await house.recordings.start_recording("next.mp4")
        assert house.said[-1] == ""

    house.live(work())
    assert house.failed[0]
    assert frames(str(tmp_path / "2026-11-22-18-03-07.mp4")) > 0


def test_another_sinks_failure_is_not_ours(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert not house.recordings.failed(FakeSink(), DeviceLostError("gone"))
    assert house.said == []


def test_films_that_were_cut_off_are_finished_and_listed(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def work() -> None:
        await house.recordings.start_recording("cut.mp4")
        await house.show(40)
        await house.recordings.stop_recording()

    house.live(work())
    note = tmp_path / "journal" / "left.recording"
    note.write_text(str(tmp_path / "cut.mp4"))
    later = House(tmp_path)
    asyncio.run(later.recordings.recover())
    assert later.recordings.record_status().recovered == (str(tmp_path / "cut.mp4"),)
    assert not note.exists()
    assert frames(str(tmp_path / "cut.mp4")) == 40


def test_where_a_recording_goes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    settings = RecordSettings(folder=str(tmp_path / "new"))
    assert film_path("", settings, NOW) == tmp_path / "new" / "2026-11-22-18-03-07.mp4"
    assert (tmp_path / "new").is_dir()
    assert film_path("call {date}.mkv", settings, NOW) == tmp_path / "new" / "call 2026-11-22.mkv"
    assert film_path(str(tmp_path / "sub"), settings, NOW) == tmp_path / "sub" / "2026-11-22-18-03-07.mp4"
    with pytest.raises(UsageError, match="only"):
        film_path("{user}.mp4", settings, NOW)
    with pytest.raises(UsageError, match="ends with"):
        film_path("call", settings, NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingInputError, match="folder"):
        film_path("", RecordSettings(folder=str(tmp_path / "file" / "x")), NOW)


def test_the_folder_of_recordings_is_made_for_a_name_too_and_no_other_is(tmp_path: Path) -> None:
    settings = RecordSettings(folder=str(tmp_path / "videos"))
    film_path(str(tmp_path / "elsewhere" / "a.mp4"), settings, NOW)
    assert not (tmp_path / "elsewhere").exists()
    assert film_path("a.mp4", settings, NOW) == tmp_path / "videos" / "a.mp4"
    film_path("deep/a.mp4", settings, NOW)
    assert [*tmp_path.rglob("*")] == [tmp_path / "videos"]


def test_a_recording_that_did_not_begin_leaves_no_path_behind(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def work() -> None:
        with pytest.raises(MissingInputError):
            await house.recordings.start_recording(str(tmp_path / "none" / "a.mp4"))
        status = house.recordings.record_status()
        assert (status.recording, status.path, status.films) == (False, "", ())
        await house.recordings.start_recording("a.mp4")
        await house.show(3)
        await house.recordings.stop_recording()
        with pytest.raises(MissingInputError):
            await house.recordings.start_recording(str(tmp_path / "none" / "b.mp4"))
        assert house.recordings.record_status().path == str(tmp_path / "a.mp4")

    house.live(work())


def test_a_recording_with_sound_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeStream:
        def __init__(self, **asked: Any) -> None:
            self.callback = asked["callback"]

        def start(self) -> None:
            times = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=1.0)
            for _ in range(50):
                self.callback(np.full((480, 1), 0.5, np.float32), 480, times, None)

        def close(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(InputStream=FakeStream))
    house = House(tmp_path, sound=True)

    async def work() -> None:
        await house.recordings.start_recording("loud.mp4")
        await house.show(20)

    house.live(work())
    with av.open(str(tmp_path / "loud.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]


def test_a_recording_and_the_last_moments_hear_one_microphone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[dict[str, Any]] = []

    class FakeStream:
        def __init__(self, **asked: Any) -> None:
            streams.append(asked)

        def start(self) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(InputStream=FakeStream))
    house = House(tmp_path, sound=True, save_last_s=5.0)

    async def work() -> None:
        await house.recordings.start_replay()
        await house.recordings.start_recording("loud.mp4")
        times = SimpleNamespace(currentTime=1.0, inputBufferAdcTime=1.0)
        for _ in range(30):
            streams[0]["callback"](np.full((480, 1), 0.5, np.float32), 480, times, None)
            await house.show(2)
            await asyncio.sleep(0.01)
        await house.recordings.save_last("goal.mp4")

    house.live(work())
    assert len(streams) == 1
    for name in ("loud.mp4", "goal.mp4"):
        with av.open(str(tmp_path / name)) as film:
            loudest = max(float(np.abs(part.to_ndarray()).max()) for part in film.decode(audio=0))
        assert loudest > 0.3, name


def test_a_microphone_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    house = House(tmp_path, sound=True)

    async def work() -> None:
        with pytest.raises(NoDeviceError, match="sounddevice"):
            await house.recordings.start_recording("loud.mp4")
        assert not house.recordings.record_status().recording

    house.live(work())
    assert not (tmp_path / "loud.mp4").exists()


def test_a_pause_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house, put, taken = House(tmp_path), Recorder.put, list[Frame]()

    def noted(recorder: Recorder, frame: Frame) -> None:
        put(recorder, frame)
        taken.append(frame)

    async def has_taken(frames: int) -> None:
        while len(taken) < frames:  # noqa: ASYNC110 - another thread's list
            await asyncio.sleep(0.005)

    monkeypatch.setattr(Recorder, "put", noted)

    async def work() -> None:
        with pytest.raises(UsageError, match="nothing is being recorded"):
            await house.recordings.pause_recording(True)
        await house.recordings.start_recording("a.mp4")
        await house.show(10)
        await has_taken(10)
        assert (await house.recordings.pause_recording(True)).paused
        await house.show(10)
        await has_taken(20)
        assert not (await house.recordings.pause_recording(False)).paused
        await house.show(10)

    house.live(work())
    assert frames(str(tmp_path / "a.mp4")) == 20


def test_the_last_moments_are_saved_when_asked(tmp_path: Path) -> None:
    house = House(tmp_path, save_last_s=5.0)

    async def work() -> None:
        await house.recordings.start_replay()
        await house.show(60)
        saved = await house.recordings.save_last("goal.mp4")
        assert saved.path == str(tmp_path / "goal.mp4")
        assert not saved.recording
        assert frames(saved.path) >= 40
        with pytest.raises(UsageError, match="exists"):
            await house.recordings.save_last("goal.mp4")

    house.live(work())
    none = House(tmp_path)
    with pytest.raises(UsageError, match="--save-last"):
        asyncio.run(none.recordings.save_last(""))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"quality": 101}, "--quality: "),
        ({"segment_s": 0}, "--segment: "),
        ({"segment_s": "soon"}, "--segment: 'soon' is no duration"),
        ({"max_bytes": "4X"}, "--max-size: '4X' is no size"),
        ({"folders": "x"}, "folders"),
    ],
)
def test_settings_that_make_no_sense_are_named(tmp_path: Path, given: dict[str, object], says: str) -> None:
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(UsageError, match=says):
        load({"record": given}, tmp_path / "config.toml", {})


def test_durations_and_sizes_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[record]\nsegment_s = "10m"\nmax_bytes = "4G"\nsave_last_s = "30s"\n'
    )
    record = load({}, tmp_path / "config.toml", {"FACESWAPD_RECORD__KEEP_FREE": "1G"}).record
    assert (record.segment_s, record.max_bytes, record.save_last_s, record.keep_free) == (
        600,
        4 << 30,
        30,
        1 << 30,
    )


def test_a_film_that_is_being_finished_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, begun = House(tmp_path), threading.Event()
    left = list[threading.Event]()

    def recover(stop: threading.Event) -> tuple[Path, ...]:
        left.append(stop)
        begun.set()
        assert stop.wait(20)
        return ()

    monkeypatch.setattr(house.journal, "recover", recover)

    async def work() -> None:
        recovering = asyncio.create_task(house.recordings.recover())
        await asyncio.to_thread(begun.wait, 20)
        recovering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recovering

    asyncio.run(work())
    assert left[0].is_set()
