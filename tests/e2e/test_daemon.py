"""The main job on real devices: a camera, the daemon, a virtual camera, and the programs that use it."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from e2e.browser import seen_by_chromium
from e2e.cameras import (
    LABEL,
    OUTPUT,
    SPARE,
    Driver,
    Reader,
    capabilities,
    flowing,
    good_take,
    moves,
    near,
    off,
    program,
    seen_by_ffmpeg,
    seen_by_opencv,
    wait_for,
)
from e2e.daemon import Daemon

from faceswapd.core.frame import Pixels
from faceswapd.core.settings import Size
from faceswapd.native import v4l2 as abi

Note = Callable[[str, object], None]
VGA, HD = (640, 480), (1280, 720)
PASS = ("--processors", "none")


def to(size: Size = VGA, output: str = OUTPUT) -> tuple[str, ...]:
    return "--output", output, "--size", f"{size[0]}x{size[1]}", "--fps", "30"


def grab(path: str, frames: int = 5) -> list[Pixels]:
    """Some frames of a camera at its own size, BGR."""
    camera = cv2.VideoCapture(path, cv2.CAP_V4L2)
    read = [camera.read() for _ in range(frames)]
    camera.release()
    assert all(ok for ok, _ in read)
    return [np.asarray(pixels, np.uint8) for _, pixels in read]


def turned(pixels: Pixels, reference: Pixels) -> tuple[int, float]:
    """How far a picture is turned to the right in pixels (even), and its mean distance from the turned one.

    Only the lower half counts: the driver writes text into the upper one.
    """
    half = pixels.shape[0] // 2
    row, own = pixels[-8].astype(np.int16), reference[-8].astype(np.int16)
    x = min(range(0, pixels.shape[1], 2), key=lambda shift: np.abs(np.roll(own, shift, 0) - row).sum())
    return x, float(np.abs(np.roll(reference[half:], x, 1).astype(np.int16) - pixels[half:]).mean())


@pytest.mark.parametrize("size", [VGA, HD])
def test_the_pattern_passes_through_in_order_at_the_asked_rate(
    driver: Driver, tmp_path: Path, size: Size, record_property: Note
) -> None:
    with Daemon(tmp_path, "--source", "pattern:", *to(size), *PASS) as daemon:
        daemon.wait_until_live()
        opencv = flowing(lambda: seen_by_opencv(OUTPUT, 150), 30)
        ffmpeg = flowing(lambda: seen_by_ffmpeg(OUTPUT, size, 150), 30)
        assert daemon.stop() == 0, daemon.log

    for name, seen in (("opencv", opencv), ("ffmpeg", ffmpeg)):
        record_property(f"daemon to {name} {size[1]}p fps", round(seen.fps, 2))
        record_property("repeated", sum(a == b for a, b in pairwise(seen.counters)))
        record_property("missed", sum(b - a - 1 for a, b in pairwise(seen.counters) if b > a))
    assert capabilities(OUTPUT) == abi.CAP_OUTPUT


def test_a_webcam_passes_through_with_its_pixels_and_in_order(
    driver: Driver, vivid: str, tmp_path: Path, record_property: Note
) -> None:
    # Its picture turns by two pixels a frame: 320 frames that can be told apart.
    subprocess.run(["v4l2-ctl", "-d", vivid, "-v", "width=640,height=480,pixelformat=YUYV"], check=True)
    subprocess.run(["v4l2-ctl", "-d", vivid, "-c", "horizontal_movement=4"], check=True)
    reference = grab(vivid)[0]
    with Daemon(tmp_path, "--source", vivid, *to(), *PASS) as daemon:
        daemon.wait_until_live()

        def take() -> tuple[float, list[int], float]:
            start = time.monotonic()
            frames = grab(OUTPUT, 151)
            fps = 150 / (time.monotonic() - start)
            turns, distances = zip(*(turned(frame, reference) for frame in frames), strict=True)
            return fps, [(b - a) % 640 // 2 for a, b in pairwise(turns)], max(distances)

        fps, steps, distance = good_take(take, lambda taken: near(taken[0], 30))
        assert daemon.stop() == 0, daemon.log

    record_property("webcam to opencv fps", round(fps, 2))
    record_property("colours off by", round(distance, 2))
    record_property("repeated", steps.count(0))
    record_property("missed", sum(step - 1 for step in steps if step))
    assert distance < 4
    assert max(steps) < 160, "a step back"
    assert near(fps, 30)
    assert sum(steps) == pytest.approx(150, abs=8)


def test_the_first_processed_frame_of_a_face_is_there_within_ten_seconds(
    driver: Driver, tmp_path: Path, record_property: Note
) -> None:
    homes = count()

    def take() -> list[float]:
        """Seconds of a cold and of a warm start."""
        home, seconds = tmp_path / str(next(homes)), list[float]()
        home.mkdir()
        for _ in range(2):
            with Daemon(home, "--source", "portrait:", *to(HD)) as daemon:
                seconds.append(daemon.wait_until_live(60))
                assert np.ptp(grab(OUTPUT)[-1]) > 100
                assert daemon.stop() == 0, daemon.log
        return seconds

    cold, warm = good_take(take, lambda seconds: max(seconds) < 10)
    record_property("first processed frame, cold, s", round(cold, 2))
    record_property("first processed frame, warm, s", round(warm, 2))
    assert max(cold, warm) < 10


def test_a_missing_camera_is_one_line_and_leaves_the_device_alone(driver: Driver, tmp_path: Path) -> None:
    with Daemon(tmp_path, "--source", "/dev/video99", *to(), *PASS) as daemon:
        assert daemon.wait() == 69

    assert "/dev/video99" in daemon.log
    assert "Traceback" not in daemon.log
    assert capabilities(OUTPUT) == abi.CAP_OUTPUT


def test_a_reader_survives_a_restart_of_the_daemon(driver: Driver, tmp_path: Path) -> None:
    with Daemon(tmp_path, "--source", "pattern:", *to(), *PASS) as daemon:
        daemon.wait_until_live()
        reader = Reader(OUTPUT, 400, 55)
        reader.wait_until_open()
        time.sleep(2)
        daemon.stop()
    with Daemon(tmp_path, "--source", "pattern:", *to(), *PASS) as daemon:
        daemon.wait_until_live()
        seen = reader.seen()
        daemon.stop()

    assert seen.size == VGA
    assert off(seen.last) <= 3
    assert len(seen.counters) == 400, "more than the first daemon gave before it ended"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_whatever_ends_it_the_device_can_be_used_again(driver: Driver, tmp_path: Path, name: str) -> None:
    number = signal.Signals[name]
    for _ in range(2):
        with Daemon(tmp_path, "--source", "pattern:", *to(), *PASS) as daemon:
            daemon.wait_until_live()
            status = daemon.stop(number)
            assert status == (-number if name == "SIGKILL" else 0), daemon.log

    assert "Traceback" not in daemon.log
    assert capabilities(OUTPUT) == abi.CAP_OUTPUT


def test_a_second_daemon_on_the_same_output_is_told_so(driver: Driver, tmp_path: Path) -> None:
    with Daemon(tmp_path, "--source", "pattern:", *to(), *PASS) as first:
        first.wait_until_live()
        with Daemon(tmp_path, "--source", "pattern:", *to(), *PASS, "--no-control") as second:
            assert second.wait() == 75
        assert "another faceswapd writes to it" in second.log
        assert len(second.log.strip().splitlines()) <= 3, second.log
        assert moves(OUTPUT), "the first one goes on"


def test_switching_a_processor_from_another_process_changes_the_pixels(
    driver: Driver, tmp_path: Path
) -> None:
    def left() -> float:
        """The bar at the left: the pattern's is white, the mirrored one's black."""
        return float(grab(OUTPUT)[-1][240, 40].mean())

    with Daemon(
        tmp_path, "--source", "pattern:", *to(), "--processors", "view", "--set", "view.mirror=true"
    ) as daemon:
        daemon.wait_until_live()
        wait_for(lambda: left() == pytest.approx(0, abs=3))
        daemon.ctl("set", "view", "enabled=false")
        wait_for(lambda: left() == pytest.approx(255, abs=3))
        daemon.ctl("toggle", "view")
        wait_for(lambda: left() == pytest.approx(0, abs=3))
        assert daemon.stop() == 0, daemon.log


def test_switching_a_face_processor_off_and_on_is_seen_in_the_face(
    driver: Driver, tmp_path: Path, record_property: Note
) -> None:
    def detail() -> float:
        face = cv2.cvtColor(grab(OUTPUT)[-1], cv2.COLOR_BGR2GRAY)[200:520, 440:840]
        return float(cv2.Laplacian(face, cv2.CV_64F).var())

    with Daemon(tmp_path, "--source", "portrait:", *to(HD), "--processors", "anonymize") as daemon:
        daemon.wait_until_live()
        hidden = detail()
        daemon.ctl("set", "anonymize", "enabled=false")
        wait_for(lambda: detail() > 2 * hidden)
        plain = detail()
        daemon.ctl("toggle", "anonymize")
        wait_for(lambda: detail() < plain / 2)
        assert daemon.stop() == 0, daemon.log

    record_property("detail hidden, plain", [round(x, 1) for x in (hidden, plain)])


def test_an_unplugged_webcam_leaves_a_picture_and_comes_back(
    driver: Driver, vivid: str, tmp_path: Path, record_property: Note
) -> None:
    plug = Path("/sys/bus/platform/drivers/vivid")
    reference = grab(vivid)[0]

    def take() -> float:
        """The longest time without a frame, in seconds."""
        with Daemon(tmp_path, "--source", vivid, *to(), *PASS) as daemon:
            daemon.wait_until_live()
            longest = unplugged(daemon)
            assert daemon.stop() == 0, daemon.log
        assert daemon.log.count("event=source.lost") == 1
        return longest

    def unplugged(daemon: Daemon) -> float:
        camera = cv2.VideoCapture(OUTPUT, cv2.CAP_V4L2)
        times: list[float] = []

        def read_until(webcam: bool) -> None:
            end = time.monotonic() + 30
            while times[-1:] < [end]:
                ok, pixels = camera.read()
                times.append(time.monotonic())
                if ok and (turned(np.asarray(pixels, np.uint8), reference)[1] < 4) is webcam:
                    return
            pytest.fail(f"the webcam's picture is {'not there' if webcam else 'still there'}:\n{daemon.log}")

        read_until(webcam=True)
        (plug / "unbind").write_text("vivid.0")
        read_until(webcam=False)
        (plug / "bind").write_text("vivid.0")
        read_until(webcam=True)
        camera.release()
        return max(b - a for a, b in pairwise(times))

    longest = good_take(take, lambda longest: longest < 0.5)
    record_property("longest time without a frame, s", round(longest, 3))
    assert longest < 0.5


def test_an_mjpg_webcam_is_read_at_its_rate(driver: Driver, tmp_path: Path, record_property: Note) -> None:
    """A loopback that ffmpeg feeds with JPEG pictures is such a webcam: vivid has none."""
    film = tmp_path / "film.avi"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30", "-t", "4", "-c:v", "mjpeg", "-q:v", "3"]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *picture, film], check=True)
    replay = ["-re", "-stream_loop", "-1", "-i", str(film), "-c", "copy", "-f", "v4l2", SPARE]
    with program("ffmpeg", "-v", "error", "-nostdin", *replay):
        wait_for(lambda: capabilities(SPARE) == abi.CAP_CAPTURE)
        fourcc = subprocess.run(["v4l2-ctl", "-d", SPARE, "-V"], capture_output=True, text=True, check=True)

        def take() -> tuple[float, list[Pixels]]:
            with Daemon(tmp_path, "--source", SPARE, *to(HD), *PASS, "--for", "6", "--json") as daemon:
                daemon.wait_until_live()
                moving = grab(OUTPUT, frames=10)
                assert daemon.wait() == 0, daemon.log
            report = json.loads(next(line for line in daemon.log.splitlines() if line.startswith("{")))
            return report["fps"], moving

        fps, moving = good_take(take, lambda taken: near(taken[0], 30))

    record_property("mjpg webcam fps", fps)
    assert "MJPG" in fourcc.stdout or "JPEG" in fourcc.stdout
    assert near(fps, 30)
    assert any((a != b).any() for a, b in pairwise(moving))
    assert np.ptp(moving[-1]) > 200


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_call_in_a_browser_sees_the_daemons_picture(
    driver: Driver, tmp_path: Path, record_property: Note
) -> None:
    with Daemon(tmp_path, "--source", "pattern:", *to(), *PASS) as daemon:
        daemon.wait_until_live()
        seen = good_take(lambda: seen_by_chromium(LABEL, 5), lambda seen: seen.in_order and seen.fps >= 10)
        assert daemon.stop() == 0, daemon.log

    record_property("daemon to chromium fps", round(seen.fps, 1))
    assert seen.in_order
    assert off(seen.last) <= 6
    assert seen.fps >= 10
