"""Sound and picture in step: a flash and a tone at the same moments, through the recorder and back."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from fakes import ManualClock, picture
from numpy.typing import NDArray

from faceswapd.capture.pump import Pump
from faceswapd.capture.source import EndOfSource, Shot
from faceswapd.capture.straighten import Straightener
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.core.sound import RATE, Block
from faceswapd.sinks.recorder import Limits, Recorder
from faceswapd.sinks.replay import ReplayBuffer

SIZE = (64, 48)
FPS = 30.0
BEGIN_NS = 40_000_000_000


class Bells:
    """A microphone that hears a tone of 0.1 s at every whole second; its crystal is `ppm` fast.

    It begins to listen a little before the recording, and hears nothing more after `ends_s`.
    """

    name = "bells"
    channels = 1

    def __init__(
        self, ppm: float = 0.0, jitter_s: float = 0.003, ends_s: float = 1e9, delay_s: float = 0.0
    ) -> None:
        self._delay_s = delay_s
        self._rate = RATE * (1 + ppm * 1e-6)
        self._jitter_s, self._ends_s = jitter_s, ends_s
        self._random = np.random.default_rng(2)
        self._straightener = Straightener(1)
        self._heard = 0
        self.log: list[str] = []

    def open(self) -> None:
        self.log.append("open")

    def take(self, until_ns: int) -> Block | None:
        # What was heard more than a minute ago is forgotten.
        self._heard = max(self._heard, round(((until_ns - BEGIN_NS) / 1e9 - 60) * RATE / 480) * 480)
        while (begin_s := self._heard / self._rate - 0.3) < min(
            (until_ns - BEGIN_NS) / 1e9 + 0.05, self._ends_s
        ):
            at_s = begin_s + np.arange(480) / self._rate
            tone = np.where((at_s % 1 < 0.1) & (at_s > 0.5), np.sin(2 * np.pi * 1000 * at_s), 0)
            late_s = self._random.uniform(0, self._jitter_s)
            self._straightener.put(
                Block(
                    tone.astype(np.float32)[:, None],
                    BEGIN_NS + round((begin_s + late_s + self._delay_s) * 1e9),
                )
            )
            self._heard += 480
        return self._straightener.take(until_ns)

    def close(self) -> None:
        self.log.append("close")


def shown(first: int, last: int, step: int = 1) -> Iterator[Frame]:
    """A white picture where the tone sounds, else a black one."""
    black, white = picture(*SIZE), picture(*SIZE, value=255)
    for n in range(first, last, step):
        at_s = n / FPS
        flash = at_s % 1 < 0.1 and at_s > 0.5
        yield Frame(n, BEGIN_NS + round(at_s * 1e9), white if flash else black)


def recorded(path: Path, ear: Bells, frames: Iterator[Frame], **options: object) -> Recorder:
    clock = ManualClock()
    sink = Recorder(path, SIZE, FPS, clock, encoder="libx264", ear=ear, **options)  # type: ignore[arg-type]
    sink.open()
    for each in frames:
        clock.ns = each.captured_ns
        sink.put(each)
    sink.close()
    assert ear.log == ["open", "close"]
    return sink


def sound_of(path: Path) -> tuple[float, NDArray[np.float32]]:
    """(time of the first sample, all samples)."""
    parts: list[NDArray[np.float32]] = []
    first = None
    with av.open(str(path)) as film:
        for each in film.decode(audio=0):
            first = each.time if first is None else first
            parts.append(each.to_ndarray()[0])
    assert first is not None
    return first, np.concatenate(parts)


def tones(path: Path) -> list[float]:
    """When tones begin."""
    first, sound = sound_of(path)
    loud = np.abs(sound) > 0.25
    begins = [i for i in np.flatnonzero(loud) if not loud[max(0, i - 4800) : i].any()]
    return [first + i / RATE for i in begins]


def flashes(path: Path) -> list[float]:
    """When white pictures begin."""
    begins: list[float] = []
    with av.open(str(path)) as film:
        before = False
        for each in film.decode(video=0):
            white = bool(each.to_ndarray(format="gray").mean() > 128)
            if white and not before:
                begins.append(each.time)
            before = white
    return begins


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("ppm", [0, 400])
def test_tone_and_flash_are_in_step_at_the_start_and_at_the_end(
    tmp_path: Path, suffix: str, ppm: float
) -> None:
    path = tmp_path / f"talk{suffix}"
    recorded(path, Bells(ppm), shown(0, 30 * 30))
    heard, seen = tones(path), flashes(path)
    assert len(heard) == len(seen) == 29
    offsets_ms = [1000 * (tone - flash) for tone, flash in zip(heard, seen, strict=True)]
    assert max(map(abs, offsets_ms)) < 10, offsets_ms


def test_webm_has_opus_in_step(tmp_path: Path) -> None:
    path = tmp_path / "talk.webm"
    sink = Recorder(path, SIZE, FPS, ManualClock(), encoder="libvpx-vp9", ear=Bells())
    sink.open()
    for each in shown(0, 150):
        sink.put(each)
    sink.close()
    with av.open(str(path)) as film:
        assert film.streams.audio[0].codec_context.name.endswith("opus")
    assert tones(path) == pytest.approx(flashes(path), abs=0.010)


def test_a_microphone_that_falls_silent_does_not_hold_the_picture_back(tmp_path: Path) -> None:
    path = tmp_path / "talk.mkv"
    sink = Recorder(path, SIZE, FPS, ManualClock(), encoder="libx264", ear=Bells(ends_s=2.0))
    sink.open()
    for each in shown(0, 300):
        sink.put(each)
    # What a kill now would leave: all but the last second.
    with av.open(str(path)) as film:
        grown = sum(1 for _ in film.decode(video=0))
    sink.close()
    assert grown >= 300 - 30
    first, sound = sound_of(path)
    assert first + len(sound) / RATE == pytest.approx(10, abs=0.6)
    assert np.abs(sound[-5 * RATE :]).max() < 0.01


def test_sound_goes_on_over_segments_and_pauses(tmp_path: Path) -> None:
    sink = recorded(tmp_path / "talk.mp4", Bells(), shown(0, 180), limits=Limits(segment_s=2.0))
    assert len(sink.progress.films) == 3
    for name in sink.progress.films:
        assert tones(Path(name)) == pytest.approx(flashes(Path(name)), abs=0.012)

    paused = Recorder(tmp_path / "pause.mp4", SIZE, FPS, ManualClock(), encoder="libx264", ear=Bells())
    paused.open()
    for n, each in enumerate(shown(0, 240)):
        if n == 75:
            paused.pause()
        if n == 135:
            paused.resume()
        paused.put(each)
    paused.close()
    heard, seen = tones(tmp_path / "pause.mp4"), flashes(tmp_path / "pause.mp4")
    assert seen == pytest.approx([1, 2, 3, 4, 5], abs=0.05)
    assert heard == pytest.approx(seen, abs=0.012)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_replay_has_its_sound_in_step(tmp_path: Path, suffix: str) -> None:
    replay = ReplayBuffer(5, SIZE, FPS, encoder="libx264", ear=Bells(ppm=200))
    replay.open()
    for each in shown(0, 30 * 20):
        replay.put(each)
    path = tmp_path / f"goal{suffix}"
    seconds = replay.save(path)
    replay.close()

    with av.open(str(path)) as film:
        lasts = {s.type: float((s.duration or 0) * (s.time_base or 0)) for s in film.streams}
    if suffix != ".mkv":  # it does not tell the length of its streams
        assert lasts == pytest.approx({"video": seconds, "audio": seconds}, abs=0.1)
    heard, seen = after_its_begin(tones(path)), after_its_begin(flashes(path))
    assert len(seen) in (5, 6)
    assert heard == pytest.approx(seen, abs=0.010)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg, as a reader that is not ours")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_independent_reader_has_nothing_to_say_about_a_replay(tmp_path: Path, suffix: str) -> None:
    replay = ReplayBuffer(3, SIZE, FPS, encoder="libx264", ear=Bells())
    replay.open()
    for each in shown(0, 200):
        replay.put(each)
    path = tmp_path / f"goal{suffix}"
    replay.save(path)
    replay.close()

    words = ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-"]
    decoded = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (decoded.returncode, decoded.stderr) == (0, "")


def after_its_begin(times: list[float]) -> list[float]:
    """Without what began before the film did: its first 40 ms of sound may be missing."""
    return [at for at in times if at > 0.1]


def test_after_a_long_silence_a_replay_begins_anew_and_keeps_little(tmp_path: Path) -> None:
    replay = ReplayBuffer(3, SIZE, FPS, encoder="libx264", ear=Bells())
    replay.open()
    for first in (0, 30 * 3600):  # an hour without a picture
        for each in shown(first, first + 100):
            replay.put(each)
    assert replay.save(tmp_path / "goal.mp4") < 100 / FPS + 0.1
    heard, seen = tones(tmp_path / "goal.mp4"), flashes(tmp_path / "goal.mp4")
    assert after_its_begin(heard) == pytest.approx(after_its_begin(seen), abs=0.010)
    assert len(seen) >= 3
    assert replay.kept_bytes < 200_000
    replay.close()
    assert replay.kept_bytes == 0


class SlowCamera:
    """Exposes, sends and decodes for 0.12 s before it hands a picture over, and tells so unless `silent`."""

    name, size, fps, paced = "camera", SIZE, FPS, False

    def __init__(self, clock: ManualClock, frames: Iterator[Frame], silent: bool) -> None:
        self._clock, self._frames, self._silent = clock, frames, silent

    def open(self) -> None:
        pass

    def read(self) -> Shot:
        taken = next(self._frames, None)
        if taken is None:
            raise EndOfSource
        self._clock.ns = max(self._clock.ns, taken.captured_ns + 120_000_000)
        return Shot(taken.pixels, age_s=None if self._silent else 0.12)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("silent", [False, True])
def test_a_slow_camera_is_in_step_by_its_stamps_or_by_av_delay(tmp_path: Path, silent: bool) -> None:
    """What the pipeline takes moves nothing; what the camera takes is known, or is laid on the sound."""
    clock, meter = ManualClock(), Meter()
    clock.ns = BEGIN_NS
    path = tmp_path / "talk.mp4"
    ear = Bells(delay_s=0.12 if silent else 0.0)
    sink = Recorder(path, SIZE, FPS, clock, encoder="libx264", ear=ear)
    sink.open()

    def offer(frame: Frame) -> None:
        clock.advance(0.03)  # the pipeline's own work
        meter.observe(frame.marked("handed", clock.now_ns()))
        sink.put(frame)

    over = threading.Event()
    pump = Pump(
        SlowCamera(clock, shown(0, 150), silent), offer, clock, meter, on_end=lambda _: over.set()
    )  # fmt: skip
    pump.start()
    assert over.wait(30)
    now = meter.latency(clock.now_ns())
    sink.close()

    assert tones(path) == pytest.approx(flashes(path), abs=0.012)
    assert len(tones(path)) == 4
    assert now.p50 == pytest.approx(30 if silent else 150, rel=0.02)
