import asyncio
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fakes import FakeSink, ManualClock, frame, picture
from recorder_fakes import FragileFilm, Studio

from faceswapd.capture.pattern import Pattern, counter
from faceswapd.core.clock import SystemClock
from faceswapd.core.errors import ConfigError, DeviceLostError, UsageError
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.sinks.encoders import CANDIDATES, settings
from faceswapd.sinks.encoders import probe as try_out
from faceswapd.sinks.fanout import Fanout
from faceswapd.sinks.orphans import Journal, finish
from faceswapd.sinks.recorder import Limits, Recorder
from faceswapd.sinks.sink import WhenFull

SIZE = (320, 240)
FPS = 30.0
PATTERN = Pattern(SIZE, FPS)


def shot(n: int, at_s: float | None = None) -> Frame:
    """Frame n of the pattern, at its time or another one."""
    return Frame(n, round((77 + (n / FPS if at_s is None else at_s)) * 1e9), PATTERN.draw(n))


def recorder(path: Path, clock: ManualClock | None = None, **options: Any) -> Recorder:
    options.setdefault("encoder", "libx264")
    return Recorder(path, SIZE, FPS, clock or ManualClock(), **options)


def record(sink: Recorder, frames: Iterable[Frame]) -> None:
    sink.open()
    for each in frames:
        sink.put(each)
    sink.close()


def read(picture: av.VideoFrame) -> int:
    """The number in a decoded picture."""
    return counter(picture.to_ndarray(format="bgr24").astype(np.uint8, copy=False))


def shows(path: Path | str, numbers: Iterable[int], times: Iterable[float]) -> bool:
    """Whether a film has exactly these pictures at these times."""
    got = seen(path)
    return [n for n, _ in got] == [*numbers] and [t for _, t in got] == pytest.approx([*times], abs=1e-4)


def seen(path: Path | str) -> list[tuple[int, float]]:
    """(number in the picture, time) of every frame of a film, by a full decode."""
    with av.open(str(path)) as film:
        return [(read(f), f.time) for f in film.decode(video=0)]


def readable(path: Path) -> list[int]:
    """The numbers before the place where a film is torn, as a player shows them."""
    shown: list[int] = []
    with suppress(av.InvalidDataError, av.EOFError), av.open(str(path)) as film:
        shown.extend(map(read, film.decode(video=0)))
    return shown


def numbers(path: Path | str) -> list[int]:
    return [n for n, _ in seen(path)]


def probe(path: Path, entries: str) -> list[str]:
    """What an independent reader says."""
    words = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", entries, "-of", "default=nw=1:nk=1"]
    return subprocess.run([*words, str(path)], capture_output=True, text=True, check=True).stdout.split()


def test_what_is_put_is_in_the_film_at_its_time(tmp_path: Path) -> None:
    sink = recorder(tmp_path / "talk.mp4")
    record(sink, [shot(n) for n in range(45)])

    assert shows(tmp_path / "talk.mp4", range(45), (n / FPS for n in range(45)))
    assert sink.progress.films == (str(tmp_path / "talk.mp4"),)
    assert sink.progress.seconds == pytest.approx(1.5)
    assert sink.progress.bytes_written > 0


def test_the_film_is_there_from_its_first_byte_and_nobody_elses_is_touched(tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    sink = recorder(film)
    sink.open()
    assert film.exists()
    with pytest.raises(UsageError, match="exists"):
        recorder(film).open()
    sink.put(shot(0))
    sink.close()
    assert numbers(film) == [0]


def test_a_wrong_name_is_said_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"talk\.txt"):
        recorder(tmp_path / "talk.txt")


def test_segments_follow_each_other_without_a_frame_lost(tmp_path: Path) -> None:
    (tmp_path / "talk-2.mkv").write_text("mine")
    sink = recorder(tmp_path / "talk.mkv", limits=Limits(segment_s=1.0))
    record(sink, [shot(n) for n in range(75)])

    films = [Path(name).name for name in sink.progress.films]
    assert films == ["talk.mkv", "talk-3.mkv", "talk-4.mkv"]
    assert [numbers(f) for f in sink.progress.films] == [
        [*range(30)], [*range(30, 60)], [*range(60, 75)]]  # fmt: skip
    assert (tmp_path / "talk-2.mkv").read_text() == "mine"
    assert sink.progress.seconds == pytest.approx(2.5)


def test_an_encoder_that_fails_at_frame_100_costs_no_frame(tmp_path: Path) -> None:
    said: list[str] = []
    sink = recorder(
        tmp_path / "talk.mp4", make_film=Studio(SIZE, FPS, 100), encoder="auto", on_notice=said.append
    )
    record(sink, [shot(n) for n in range(150)])

    first, second = sink.progress.films
    # What was inside the encoder when it failed is in the second film, and nothing else twice.
    assert numbers(first) + numbers(second) == [*range(150)]
    assert 85 <= len(numbers(first)) <= 100
    assert len(said) == 1
    assert "libx264 failed" in said[0]
    assert f"goes on with {sink.progress.encoder} in {second}" in said[0]
    assert sink.progress.encoder != "libx264"


def test_a_session_that_the_driver_refuses_after_the_probe_costs_no_frame_and_no_name(tmp_path: Path) -> None:
    """Consumer graphics cards serve so many sessions at a time: another program may have taken the last one."""
    said: list[str] = []
    sink = recorder(
        tmp_path / "talk.mp4", make_film=Studio(SIZE, FPS, 0), encoder="auto", on_notice=said.append,
        journal=Journal(tmp_path / "journal"),
    )  # fmt: skip
    record(sink, [shot(n) for n in range(20)])

    assert sink.progress.films == (str(tmp_path / "talk.mp4"),)
    assert numbers(tmp_path / "talk.mp4") == [*range(20)]
    assert "libx264 failed" in said[0]
    assert sink.progress.encoder != "libx264"
    assert list((tmp_path / "journal").iterdir()) == []


def test_when_no_encoder_is_left_the_recording_ends_and_says_so(tmp_path: Path) -> None:
    sink = recorder(tmp_path / "talk.mp4", make_film=Studio(SIZE, FPS, 20, 20, 20, 20, 20, 20))
    sink.open()
    with pytest.raises(DeviceLostError, match="recording ended: encoder"):
        deque(map(sink.put, map(shot, range(200))))
    sink.close()
    got = [n for film in sink.progress.films for n in numbers(film)]
    assert got == [*range(len(got))]


def nvenc_refuses() -> bool:
    candidate = next(c for c in CANDIDATES if c.name == "h264_nvenc")
    return bool(try_out(settings(candidate, SIZE, FPS, live=True), SIZE, FPS))


@pytest.mark.skipif(not nvenc_refuses(), reason="this machine has NVENC")
def test_an_encoder_that_does_not_open_is_passed_over_unless_it_was_asked_for(tmp_path: Path) -> None:
    record(passed := recorder(tmp_path / "a.mp4", encoder="auto"), [shot(n) for n in range(10)])
    assert passed.progress.encoder not in ("", "h264_nvenc")
    assert numbers(tmp_path / "a.mp4") == [*range(10)]

    sink = recorder(tmp_path / "b.mp4", encoder="h264_nvenc", journal=Journal(tmp_path / "journal"))
    with pytest.raises(ConfigError, match="h264_nvenc"):
        sink.open()
    assert not (tmp_path / "b.mp4").exists()
    assert list((tmp_path / "journal").iterdir()) == []


def test_a_recording_that_gets_too_large_ends_whole(tmp_path: Path) -> None:
    clock = ManualClock()
    sink = recorder(tmp_path / "talk.mp4", clock, limits=Limits(max_bytes=40_000))

    def put(n: int) -> None:
        clock.advance(1 / FPS)
        sink.put(shot(n))

    sink.open()
    with pytest.raises(DeviceLostError, match="largest size"):
        deque(map(put, range(2000)))
    sink.close()
    assert 40_000 <= (tmp_path / "talk.mp4").stat().st_size < 80_000
    got = numbers(tmp_path / "talk.mp4")
    assert got == [*range(len(got))]


def test_a_disk_that_runs_full_ends_the_recording_before_it_is_full(tmp_path: Path) -> None:
    clock, space = ManualClock(), [1 << 30]
    sink = recorder(tmp_path / "talk.mp4", clock, free=lambda _: (space[0], 1 << 40))
    sink.open()
    for n in range(30):
        clock.advance(1 / FPS)
        sink.put(shot(n))
    space[0] = 200 << 20
    clock.advance(1.0)
    with pytest.raises(DeviceLostError, match=r"nearly full \(200 MiB\)"):
        sink.put(shot(30))
    sink.close()
    assert numbers(tmp_path / "talk.mp4") == [*range(30)]
    with pytest.raises(DeviceLostError, match="nearly full"):
        recorder(tmp_path / "more.mp4", clock, free=lambda _: (space[0], 1 << 40)).open()


def test_a_pause_leaves_no_gap(tmp_path: Path) -> None:
    sink = recorder(tmp_path / "talk.mp4")
    sink.open()
    for n in range(90):
        if n == 30:
            sink.pause()
        if n == 60:
            sink.resume()
        sink.put(shot(n))
    sink.close()
    assert shows(tmp_path / "talk.mp4", (*range(30), *range(60, 90)), (k / FPS for k in range(60)))


def test_a_lost_camera_is_a_gap_and_the_film_lasts_to_its_end(tmp_path: Path) -> None:
    clock = ManualClock()
    clock.ns = 77_000_000_000
    sink = recorder(tmp_path / "talk.mp4", clock)
    sink.open()
    for n in (*range(30), *range(90, 100)):
        sink.put(shot(n))
    clock.advance(10)  # the camera was lost at 3.3 s, the recording was stopped at 10 s
    sink.close()
    times = dict(seen(tmp_path / "talk.mp4"))
    assert times[29] == pytest.approx(29 / FPS, abs=1e-4)
    assert times[90] == pytest.approx(90 / FPS, abs=1e-4)
    with av.open(str(tmp_path / "talk.mp4")) as film:
        assert film.duration is not None
        assert film.duration / 1e6 == pytest.approx(10, abs=1 / FPS)


def test_that_a_frame_comes_late_is_no_silence(tmp_path: Path) -> None:
    clock = ManualClock()
    sink = recorder(tmp_path / "talk.mp4", clock)
    sink.open()
    for n in range(30):
        each = shot(n)
        clock.ns = each.captured_ns + 400_000_000
        sink.put(each)
    clock.advance(1 / FPS)
    sink.close()
    assert shows(tmp_path / "talk.mp4", range(30), (n / FPS for n in range(30)))


def test_a_constant_rate_has_a_picture_for_every_tick(tmp_path: Path) -> None:
    # 24 pictures a second and a gap, made 30 a second.
    times = [n / 24 for n in range(24)] + [2 + n / 24 for n in range(24)]
    sink = recorder(tmp_path / "talk.mp4", constant=True)
    record(sink, [shot(n, at) for n, at in enumerate(times)])

    got = seen(tmp_path / "talk.mp4")
    assert [t for _, t in got] == pytest.approx([k / FPS for k in range(len(got))], abs=1e-4)
    assert got[-1][1] == pytest.approx(times[-1], abs=1 / FPS)
    for n, t in got:
        assert -0.02 < t - times[n] < (1.1 if n == 23 else 0.06)
    assert {n for n, _ in got} == set(range(48))


def test_an_independent_reader_finds_the_same(tmp_path: Path) -> None:
    record(recorder(tmp_path / "talk.mp4"), [shot(n) for n in range(60)])
    assert probe(tmp_path / "talk.mp4", "stream=nb_read_frames,color_space,color_range:format=duration") == [
        "tv", "smpte170m", "60", "2.000000"]  # fmt: skip


KILLED = """
import sys
from pathlib import Path
from faceswapd.capture.pattern import Pattern
from faceswapd.core.clock import SystemClock
from faceswapd.core.frame import Frame
from faceswapd.sinks.orphans import Journal
from faceswapd.sinks.recorder import Recorder
pattern = Pattern((320, 240), 30)
sink = Recorder(Path(sys.argv[1]), (320, 240), 30, SystemClock(), encoder="libx264", journal=Journal(Path(sys.argv[2])))
sink.open()
for n in range(100_000):
    sink.put(Frame(n, round(n * 1e9 / 30), pattern.draw(n)))
    sys.stderr.write(f"put {n}\\n")
"""


def killed(film: Path, journal: Path, after: int) -> int:
    """Records until some frames after `after`, then kill -9; returns how many frames were put."""
    words = [sys.executable, "-c", KILLED, str(film), str(journal)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as child:
        assert child.stderr is not None
        put = 0
        for line in child.stderr:
            put += line.startswith("put")
            if put >= after:
                break
        child.kill()
        put += sum(line.startswith("put") for line in child.stderr if line.endswith("\n"))
    return put


def check_killed(tmp_path: Path, suffix: str, after: int) -> None:
    film, journal = tmp_path / f"{after}{suffix}", tmp_path / "journal"
    put = killed(film, journal, after)
    torn = readable(film)
    assert torn == [*range(len(torn))]
    assert len(torn) > put - FPS, "more than its last second is lost"

    finished = Journal(journal).recover()
    assert list(journal.iterdir()) == []
    assert finished == ((film,) if torn else ())
    if torn:
        assert numbers(film) == torn
        index = film.read_bytes()
        assert suffix != ".mp4" or index.index(b"moov") < index.index(b"mdat")


@pytest.mark.parametrize(("suffix", "after"), [(".mp4", 3), (".mp4", 100), (".mkv", 57)])
def test_after_a_kill_the_film_plays_and_is_finished_at_the_next_start(
    tmp_path: Path, suffix: str, after: int
) -> None:
    check_killed(tmp_path, suffix, after)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_a_kill_at_any_of_50_moments_it_plays(tmp_path: Path) -> None:
    import random

    moments = random.Random(4)
    for n in range(50):
        (folder := tmp_path / str(n)).mkdir()
        check_killed(folder, (".mp4", ".mkv")[n % 2], moments.randint(1, 400))


@pytest.mark.slow
def test_an_hour_lasts_an_hour(tmp_path: Path) -> None:
    clock = ManualClock()
    start_ns = clock.ns
    sink = Recorder(tmp_path / "hour.mp4", (64, 48), 30, clock, encoder="libx264")
    sink.open()
    still = picture()
    for n in range(3600 * 30):
        clock.ns = start_ns + round(n * 1e9 / 30)
        if not 50_000 < n < 52_000:  # the camera is away for a minute
            sink.put(frame(n, still, captured_ns=clock.ns))
    clock.advance(1 / 30)
    sink.close()
    with av.open(str(tmp_path / "hour.mp4")) as film:
        assert film.duration is not None
        assert film.duration / 1e6 == pytest.approx(3600, abs=1 / 30)


class Slow(FragileFilm):
    """A film whose disk takes nothing until it is told to."""

    gate, first = threading.Event(), threading.Event()

    def put(self, frame: Frame) -> None:
        self.first.set()
        assert self.gate.wait(30)
        super().put(frame)


def test_live_never_waits_for_a_recorder_that_is_slow(tmp_path: Path) -> None:
    Slow.gate.clear()
    Slow.first.clear()
    loops: list[asyncio.AbstractEventLoop] = []

    def wake() -> None:
        loops[0].call_soon_threadsafe(everything.set)

    everything = asyncio.Event()
    camera, meter = FakeSink(WhenFull.DROP, on_put=lambda f: wake() if f.seq == 99 else None), Meter()
    sink = Recorder(
        tmp_path / "talk.mp4", SIZE, FPS, ManualClock(),
        make_film=lambda path, encoder, without: Slow(
            path, SIZE, FPS, encoder="libx264", good=[]
        ),
    )  # fmt: skip

    async def live() -> None:
        loops.append(asyncio.get_running_loop())
        fanout = Fanout([camera], SIZE, FPS, SystemClock(), meter)
        await fanout.start()
        await fanout.add(sink)
        for n in range(100):
            fanout.publish(shot(n))
            if n == 0:
                assert await asyncio.to_thread(Slow.first.wait, 20)
            await asyncio.sleep(0.001)
        await asyncio.wait_for(everything.wait(), 20)
        Slow.gate.set()
        await fanout.remove(sink)
        await fanout.close()

    asyncio.run(live())
    # Two seconds wait, one frame is in hand; the first of them are in the film at their own times.
    assert meter.counted("dropped") == {"recorder_full": 39}
    assert shows(tmp_path / "talk.mp4", range(61), (n / FPS for n in range(61)))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def noise(n: int) -> Frame:
    """A picture that takes much room."""
    pixels = np.random.default_rng(n).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:32] = PATTERN.draw(n)[:32]
    return Frame(n, round(n * 1e9 / FPS), pixels)


@pytest.mark.parametrize(("keep_free", "says"), [(None, "nearly full"), (0, "could not be written")])
def test_on_a_disk_of_8_mb_what_was_recorded_plays(
    tiny_disk: Path, tmp_path: Path, keep_free: int | None, says: str
) -> None:
    clock, film = ManualClock(), tiny_disk / "talk.mp4"
    clock.ns = 0
    journal = Journal(tmp_path / "journal")
    sink = recorder(film, clock, limits=Limits(keep_free=keep_free), journal=journal)
    sink.open()
    put = 0

    def go_on(n: int) -> None:
        nonlocal put
        clock.advance(1 / FPS)
        sink.put(noise(n))
        put += 1

    with pytest.raises(DeviceLostError, match=says):
        deque(map(go_on, range(5000)))
    sink.close()
    torn = readable(film)
    assert torn == [*range(len(torn))]
    assert len(torn) > put - FPS

    if keep_free is None:  # whole, and some room is left
        assert len(torn) == put
        assert shutil.disk_usage(tiny_disk).free > 0
        assert journal.recover() == ()
    else:  # finished as soon as there is room
        assert journal.recover() == ()
        room = tmp_path / "room.mp4"
        shutil.copy(film, room)
        assert finish(room)
        assert numbers(room) == torn
