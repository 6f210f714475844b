from collections.abc import Set
from pathlib import Path

import av
import pytest
from recorder_fakes import Failing

from faceswapd.capture.pattern import Pattern, counter
from faceswapd.core.errors import ConfigError, DeviceLostError, MissingInputError, UsageError
from faceswapd.core.frame import Frame
from faceswapd.sinks.encoders import CANDIDATES, Encoder, settings
from faceswapd.sinks.replay import ReplayBuffer

SIZE = (320, 240)
PATTERN = Pattern(SIZE, 30)


def shot(n: int) -> Frame:
    return Frame(n, round((77 + n / 30) * 1e9), PATTERN.draw(n))


def opened(keep_s: float) -> ReplayBuffer:
    replay = ReplayBuffer(keep_s, SIZE, 30, encoder="libx264")
    replay.open()
    return replay


def seen(path: Path) -> list[tuple[int, float]]:
    with av.open(str(path)) as film:
        return [
            (counter(f.to_ndarray(format="bgr24").astype("uint8", copy=False)), f.time)
            for f in film.decode(video=0)
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_the_last_seconds_are_saved_at_their_times(tmp_path: Path, suffix: str) -> None:
    replay = opened(5)
    for n in range(600):
        replay.put(shot(n))
    path = tmp_path / f"goal{suffix}"
    seconds = replay.save(path)
    for n in range(600, 660):
        replay.put(shot(n))
    later = tmp_path / f"later{suffix}"
    replay.save(later)
    replay.close()

    got = seen(path)
    numbers = [n for n, _ in got]
    assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    assert numbers[-1] >= 585  # what the encoder still held is missing
    assert 5 - 0.5 <= seconds <= 5 + 2.1
    assert [t for _, t in got] == pytest.approx([k / 30 for k in range(len(got))], abs=0.001)
    assert seen(later)[-1][0] > numbers[-1]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_gaps_stay_gaps(tmp_path: Path) -> None:
    replay = opened(30)
    for n in (*range(60), *range(120, 180)):
        replay.put(shot(n))
    replay.save(tmp_path / "a.mp4")
    times = dict(seen(tmp_path / "a.mp4"))
    assert times[120] - times[59] == pytest.approx(61 / 30, abs=0.001)


def test_what_cannot_be_saved_is_said(tmp_path: Path) -> None:
    replay = opened(5)
    with pytest.raises(MissingInputError, match="nothing is kept yet"):
        replay.save(tmp_path / "a.mp4")
    for n in range(60):
        replay.put(shot(n))
    with pytest.raises(UsageError, match="ends with"):
        replay.save(tmp_path / "a.webm")
    (tmp_path / "mine.mp4").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        replay.save(tmp_path / "mine.mp4")
    with pytest.raises(MissingInputError, match=r"cannot write .*a\.mp4: No such file or directory: save"):
        replay.save(tmp_path / "none" / "a.mp4")
    replay.close()


@pytest.mark.parametrize(("keep_s", "size"), [(0, SIZE), (5, (321, 240))])
def test_what_makes_no_sense_is_refused(keep_s: float, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError):
        ReplayBuffer(keep_s, size, 30)


def test_memory_is_bounded() -> None:
    replay = opened(2)
    sizes: list[int] = []
    for n in range(900):
        replay.put(shot(n))
        sizes.append(replay.kept_bytes)
    assert max(sizes[600:]) < 1.2 * max(sizes[200:500])
    assert sizes[-1] < 400_000


def test_an_encoder_that_fails_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    class Fragile(ReplayBuffer):
        def put(self, frame: Frame) -> None:
            if frame.seq == 60:
                assert self._take is not None
                self._take._video = Failing(self._take._video, 0)  # type: ignore[assignment]
            super().put(frame)

    replay = Fragile(30, SIZE, 30, encoder="libx264")
    replay.open()
    for n in range(150):
        replay.put(shot(n))
    replay.save(tmp_path / "a.mkv")
    numbers = [n for n, _ in seen(tmp_path / "a.mkv")]
    assert numbers[0] == 60  # what another encoder gave cannot be joined to it
    assert numbers == [*range(60, 60 + len(numbers))]


def test_when_no_encoder_is_left_it_ends() -> None:
    class Hopeless(ReplayBuffer):
        def put(self, frame: Frame) -> None:
            if self._take is not None:
                self._take._video = Failing(self._take._video, 0)  # type: ignore[assignment]
            super().put(frame)

    def choose(without: Set[str]) -> Encoder:
        if without:
            raise ConfigError("no encoder works here")
        return settings(next(c for c in CANDIDATES if c.name == "libx264"), SIZE, 30, live=True)

    replay = Hopeless(5, SIZE, 30, choose=choose)
    replay.open()
    replay.put(shot(0))
    with pytest.raises(DeviceLostError, match="libx264 failed"):
        replay.put(shot(1))
    replay.close()
