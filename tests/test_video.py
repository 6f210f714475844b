import itertools
import resource
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from fakes import frame, picture
from numpy.typing import NDArray
from structlog.testing import capture_logs

from faceswapd.core.errors import DeviceLostError, MissingInputError, UsageError
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import Size
from faceswapd.sinks.video import CONTAINERS, VideoSink

SIZE = (64, 48)
LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}
"""(Kr, Kb) of a matrix: ITU-R BT.709-6, 3.2 and BT.601-7, 2.5.1."""


def film(path: Path, size: Size = SIZE, fps: float = 30, **options: Any) -> VideoSink:
    return VideoSink(path, size, fps, **options)


def write(path: Path, times_s: list[float], **options: Any) -> None:
    sink = film(path, **options)
    sink.open()
    for n, t in enumerate(times_s):
        sink.put(frame(n, picture(*SIZE, value=n % 256), captured_ns=round((77 + t) * 1e9)))
    sink.close()


def times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [f.time for f in file.decode(video=0)]


def readable(path: Path) -> list[float]:
    """The frames before the place where a film is torn, as a player shows them."""
    seen: list[float] = []
    with av.open(str(path)) as file, suppress(av.InvalidDataError):
        for f in file.decode(video=0):
            seen.append(f.time)
    return seen


def duration(path: Path) -> float:
    with av.open(str(path)) as file:
        assert file.duration is not None
        return file.duration / 1e6


def bgr(path: Path) -> tuple[NDArray[np.float64], int]:
    """The first picture of a film and its matrix, from the decoder's planes by the standards' own formulas."""
    with av.open(str(path)) as file:
        decoded = next(file.decode(video=0))
        assert decoded.format.name == "yuv420p"
        assert decoded.color_range == 1
        planes = decoded.to_ndarray().astype(float)
    w, h = decoded.width, decoded.height
    y = (planes[:h] - 16) / 219
    u, v = (
        np.kron((c.reshape(h // 2, w // 2) - 128) / 224, np.ones((2, 2)))
        for c in (planes[h : h + h // 4], planes[h + h // 4 :])
    )
    kr, kb = LUMA[decoded.colorspace]
    r, b = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.round(np.stack([b, g, r], -1) * 255), 0, 255), decoded.colorspace


def chart(size: Size) -> tuple[Pixels, NDArray[np.bool_]]:
    """Above a grey ramp, below bars of full and three-quarter colours; and where no edge is within a macroblock."""
    w, h = size
    pixels, calm = np.zeros((h, w, 3), np.uint8), np.ones((h, w), bool)
    pixels[: h // 2] = np.linspace(0, 255, w).round().astype(np.uint8)[None, :, None]
    colours = [
        tuple(level * c for c in bar) for level in (255, 191) for bar in itertools.product((0, 1), repeat=3)
    ]
    for n, colour in enumerate(colours):
        pixels[h // 2 :, n * w // 16 : (n + 1) * w // 16] = colour
        calm[h // 2 :, max(0, n * w // 16 - 16) : n * w // 16 + 16] = False
    calm[h // 2 - 16 : h // 2 + 16] = False
    return pixels, calm


@pytest.mark.parametrize("suffix", list(CONTAINERS))
def test_every_frame_is_there_at_its_time_in_every_kind_of_film(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    when = [n / 30 for n in range(20)] + [1.5 + n / 30 for n in range(20)]
    write(path, when)

    assert times(path) == pytest.approx(when, abs=0.0006)
    assert duration(path) == pytest.approx(1.5 + 20 / 30, abs=1 / 30)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_hour_does_not_drift(tmp_path: Path) -> None:
    when = [n * 1001 / 30000 * 300 for n in range(360)]
    write(tmp_path / "film.mp4", when)

    assert times(tmp_path / "film.mp4") == pytest.approx(when, abs=1 / 90000)


@pytest.mark.parametrize(("size", "matrix"), [((1280, 720), 1), ((640, 480), 6)])
def test_greys_and_colour_bars_survive(tmp_path: Path, size: Size, matrix: int) -> None:
    pixels, calm = chart(size)
    sink = film(tmp_path / "chart.mp4", size)
    sink.open()
    for n in range(3):
        sink.put(frame(n, pixels, captured_ns=n * 33_333_333))
    sink.close()
    seen, tagged = bgr(tmp_path / "chart.mp4")

    assert tagged == matrix
    assert np.abs(seen - pixels)[calm].max() <= 2


def test_an_odd_size_loses_one_line(tmp_path: Path) -> None:
    sink = film(tmp_path / "odd.mp4", (65, 49))
    sink.open()
    sink.put(frame(0, picture(65, 49, value=200)))
    sink.close()

    seen, _ = bgr(tmp_path / "odd.mp4")
    assert seen.shape == (48, 64, 3)
    assert np.abs(seen - 200).max() <= 2


def test_a_frame_that_is_not_later_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "film.mp4", [0, 0.1, 0.05, 0.1, 0.2])

    assert times(tmp_path / "film.mp4") == pytest.approx([0, 0.1, 0.2], abs=0.0001)


def test_no_frame_no_film(tmp_path: Path) -> None:
    sink = film(tmp_path / "film.mp4")
    sink.open()
    sink.close()

    assert list(tmp_path.iterdir()) == []


def test_a_film_is_overwritten_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        film(path).open()
    assert path.read_text() == "precious"

    write(path, [0, 0.1], overwrite=True)
    assert len(times(path)) == 2


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no folder"):
        film(tmp_path / "nowhere" / "film.mp4").open()
    with pytest.raises(UsageError, match=r"\.mp4, \.mov, \.mkv, \.webm"):
        film(tmp_path / "film.xyz")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match="exists"):
        film(tmp_path / "folder.mp4", overwrite=True).open()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that refuses everybody, root too")
def test_a_folder_that_refuses_is_said() -> None:
    with pytest.raises(MissingInputError, match=r"cannot write /proc/film\.mp4"):
        film(Path("/proc/film.mp4")).open()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("room", [0, 100, 500_000])
def test_a_disk_that_is_full_is_said_and_what_is_there_plays(tmp_path: Path, suffix: str, room: int) -> None:
    """A limit on the size of files makes the same kind of error in the same place as a full disk."""
    path, noise = tmp_path / f"film{suffix}", np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = film(path, (320, 240))
    sink.open()

    def fill() -> None:
        for n in range(100):
            pixels = noise.integers(0, 255, (240, 320, 3), np.uint8)
            sink.put(frame(n, pixels, captured_ns=n * 33_333_333))

    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with capture_logs():  # printing them would meet the limit too
            with pytest.raises(DeviceLostError, match="could not be written: File too large: free some"):
                fill()
            sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if room > 1000:
        assert len(readable(path)) > 5


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_growing_film_plays_after_the_process_was_killed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    script = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from fakes import frame, picture
from faceswapd.sinks.video import VideoSink
sink = VideoSink(Path({str(path)!r}), (64, 48), 30)
sink.open()
for n in range(120):
    sink.put(frame(n, picture(64, 48, n), captured_ns=n * 33_333_333))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parent.parent, capture_output=True, check=False
    )

    assert killed.returncode == -9, killed.stderr
    assert times(path)[-1] > 3
    assert times(path)[:90] == pytest.approx([n / 30 for n in range(90)], abs=0.0006)


def test_frame_rates_that_are_no_whole_number_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "film.mp4", [n * 1001 / 30000 for n in range(60)], fps=30000 / 1001)
    with av.open(str(tmp_path / "film.mp4")) as file:
        rate = file.streams.video[0].average_rate

    assert rate is not None
    assert abs(rate - Fraction(30000, 1001)) < Fraction(1, 1000)
