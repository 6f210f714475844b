"""A Wayland screen, shared by a real portal, as the source of a run."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from e2e.cameras import good_take
from e2e.wayland import OUTPUT, Desktop, Player, desktop, missing

from faceswapd.capture.pattern import BARS, counter
from faceswapd.capture.portal import Kind
from faceswapd.capture.screencast import ScreenCast
from faceswapd.core.errors import DeviceLostError, NoDeviceError
from faceswapd.core.frame import Pixels

ROOT = Path(__file__).parents[2]
SIZE = (1280, 720)

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]


@pytest.fixture(scope="module")
def wayland(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    with desktop(tmp_path_factory.mktemp("wayland"), SIZE) as running:
        yield running


@pytest.fixture(autouse=True)
def within(wayland: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    for name, value in wayland.env.items():
        monkeypatch.setenv(name, value)


def test_a_run_with_the_screen_as_its_source(
    wayland: Desktop, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    film = tmp_path / "film.mp4"
    words = [
        "run",
        "--source",
        "screen:",
        "--no-control",
        "--output",
        str(film),
        "--overwrite",
        "--processors",
        "none",
        "--for",
        "3",
    ]

    def take() -> tuple[float, list[Pixels]]:
        """The rate, and what the film shows."""
        time.sleep(0.5)
        done = subprocess.run(
            [sys.executable, str(ROOT / "faceswapd.py"), *words, "--json"],
            env=wayland.env, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        with av.open(film) as container:
            frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
        return json.loads(done.stdout)["fps"], [np.asarray(frame, np.uint8) for frame in frames]

    def changing(pictures: list[Pixels]) -> float:
        """The share of pictures that are not a repeated one."""
        return len({counter(picture) for picture in pictures}) / len(pictures)

    with Player(wayland.env["WAYLAND_DISPLAY"], SIZE, 30):
        fps, pictures = good_take(take, lambda taken: taken[0] > 15 and changing(taken[1]) > 0.7)
    kept = Path(wayland.env["XDG_STATE_HOME"]) / "faceswapd" / "screen-cast.json"
    assert json.loads(kept.read_text())["monitor"]  # with which the dialog is not shown again

    record_property("frames a second", fps)
    assert pictures[0].shape == (SIZE[1], SIZE[0], 3)
    assert fps > 15  # 30, on a machine that is not busy otherwise
    numbers = [counter(picture) for picture in pictures]
    assert numbers == sorted(numbers)
    assert changing(pictures) > 0.7
    for index, bar in enumerate(BARS):
        seen = pictures[-1][SIZE[1] // 2, SIZE[0] * (2 * index + 1) // 16].tolist()
        assert seen == pytest.approx(bar, abs=8)


def test_a_still_screen_its_colours_and_a_change_of_its_size(wayland: Desktop, tmp_path: Path) -> None:
    source = ScreenCast("screen:", 30)
    source.open()
    try:
        assert source.size == SIZE
        wayland.tell(f"output {OUTPUT} bg #2040c0 solid_color")
        until(lambda: source.read().pixels[10, 10].tolist() == [0xC0, 0x40, 0x20])
        wayland.tell(f"output {OUTPUT} bg #30c060 solid_color")
        until(lambda: source.read().pixels[10, 10].tolist() == [0x60, 0xC0, 0x30])
        wayland.tell(f"output {OUTPUT} mode 800x600@60Hz")
        # The portal may miss the change that came with the size: it is shown with the next one.
        until(lambda: repainted(wayland, source.read().pixels.shape == (600, 800, 3)))
    finally:
        source.close()
        wayland.tell(f"output {OUTPUT} mode {SIZE[0]}x{SIZE[1]}@60Hz")


def test_what_this_portal_does_not_share(wayland: Desktop) -> None:
    with pytest.raises(NoDeviceError, match="does not share: it shares a monitor"):
        ScreenCast("screen:window", 30, Kind.WINDOW).open()


def test_a_desktop_that_ends_is_a_lost_source(wayland: Desktop) -> None:
    source = ScreenCast("screen:", 30)
    source.open()
    source.read()
    wayland.tell("exit")
    with pytest.raises(DeviceLostError):
        until(lambda: source.read() is None)
    source.close()


def repainted(wayland: Desktop, done: bool) -> bool:
    wayland.tell(f"output {OUTPUT} bg #30c060 solid_color")
    return done


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
