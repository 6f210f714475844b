"""The project's output on a real v4l2loopback, as other programs see it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import pyvirtualcam
from e2e.cameras import (
    ENV,
    OUTPUT,
    SPARE,
    Driver,
    Reader,
    capabilities,
    flowing,
    moves,
    program,
    seen_by_ffmpeg,
    seen_by_opencv,
    wait_for,
    writing,
)

from faceswapd.core.errors import BusyError, NoDeviceError
from faceswapd.core.settings import Size
from faceswapd.native import v4l2 as abi
from faceswapd.sinks.v4l2 import V4l2Sink
from faceswapd.sinks.virtualcam import VirtualcamSink

VGA, HD = (640, 480), (1280, 720)


def raw_writer() -> int:
    """A descriptor that has set a format and written nothing, as a careless program would leave it."""
    kernel = abi.Kernel()
    fd = kernel.open(OUTPUT)
    pix = abi.PixFormat(width=640, height=480, pixelformat=abi.I420, field=abi.FIELD_NONE)
    kernel.ioctl(fd, abi.S_FMT, abi.Format(type=abi.TYPE_OUTPUT, pix=pix))
    return fd


def test_an_idle_camera_is_hidden_until_its_first_frame(driver: Driver) -> None:
    assert capabilities(OUTPUT) == abi.CAP_OUTPUT
    assert not seen_by_opencv(OUTPUT, 1).opened

    fd = raw_writer()
    assert capabilities(OUTPUT) == abi.CAP_OUTPUT, "opening and a format do not make it a camera"
    abi.Kernel().close(fd)

    sink = V4l2Sink(OUTPUT, VGA, 30.0)
    sink.open()
    assert capabilities(OUTPUT) == abi.CAP_CAPTURE
    sink.close()
    assert capabilities(OUTPUT) == abi.CAP_OUTPUT


def test_a_device_that_an_old_driver_left_stuck_is_freed(driver: Driver) -> None:
    fd = raw_writer()
    abi.Kernel().write(fd, memoryview(bytes(640 * 480 * 3 // 2)))
    abi.Kernel().close(fd)
    assert capabilities(OUTPUT) == (0 if driver.version < (0, 13) else abi.CAP_OUTPUT)

    for _ in range(2):
        sink = V4l2Sink(OUTPUT, VGA, 30.0)
        sink.open()
        sink.close()

    assert capabilities(OUTPUT) == abi.CAP_OUTPUT


def test_a_killed_writer_leaves_a_device_that_can_be_opened_again(driver: Driver) -> None:
    code = f"from e2e.cameras import *; import time\nwith writing({OUTPUT!r}, (640, 480)): time.sleep(60)"
    writer = subprocess.Popen([sys.executable, "-c", code], env=ENV)
    wait_for(lambda: capabilities(OUTPUT) == abi.CAP_CAPTURE)
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    with writing(OUTPUT, VGA):
        assert moves(OUTPUT)


def test_it_knows_whether_a_program_reads(driver: Driver) -> None:
    with writing(OUTPUT, VGA) as sink:
        if not driver.tells_readers:
            assert sink.watched() is None
            return
        assert sink.watched() is False
        reader = Reader(OUTPUT, 10_000)
        reader.wait_until_open()
        wait_for(sink.watched)
        reader.stop()
        wait_for(lambda: sink.watched() is False)


def test_a_second_reader(driver: Driver) -> None:
    """The driver serves one streaming reader from 0.13 on, all of them before."""
    with writing(OUTPUT, VGA):
        first = Reader(OUTPUT, 10_000)
        first.wait_until_open()
        second = seen_by_opencv(OUTPUT, 5)
        first.stop()

    assert bool(second.counters) is not driver.tells_readers


@pytest.mark.parametrize("size", [VGA, HD])
def test_a_late_opencv_sees_every_frame_and_colour_at_the_asked_rate(
    driver: Driver, size: Size, record_property: Callable[[str, object], None]
) -> None:
    with writing(OUTPUT, size):
        time.sleep(1)
        seen = flowing(lambda: seen_by_opencv(OUTPUT, 90), 30, lost=4)

    assert seen.size == size
    assert seen.counters[0] > 0
    record_property(f"opencv {size[1]}p fps", round(seen.fps, 2))


@pytest.mark.parametrize("size", [VGA, HD])
def test_ffmpeg_gets_the_native_i420_at_the_asked_rate(
    driver: Driver, size: Size, record_property: Callable[[str, object], None]
) -> None:
    with writing(OUTPUT, size):
        seen = flowing(lambda: seen_by_ffmpeg(OUTPUT, size, 90), 30)

    record_property(f"ffmpeg {size[1]}p fps", round(seen.fps, 2))


def test_readers_are_told_the_rate(driver: Driver) -> None:
    with writing(OUTPUT, VGA, fps=12.5):
        told = subprocess.run(
            ["v4l2-ctl", "-d", OUTPUT, "--get-parm"], capture_output=True, text=True, check=True
        )

    assert "12.500" in told.stdout


def test_a_restarted_writer_goes_on_before_the_same_reader(driver: Driver) -> None:
    with writing(OUTPUT, VGA):
        reader = Reader(OUTPUT, 60, 60)
        reader.wait_until_open()
    time.sleep(1)
    with writing(OUTPUT, VGA, first=30_000):
        seen = reader.seen()

    assert seen.size == VGA
    assert seen.counters[-1] > 30_000
    assert len(seen.counters) == 60


def test_a_size_kept_by_a_reader_is_an_error_that_names_it(driver: Driver) -> None:
    with writing(OUTPUT, VGA):
        reader = Reader(OUTPUT, 10_000)
        reader.wait_until_open()
    try:
        with pytest.raises(
            NoDeviceError, match="answers I420 640x480 when asked for I420 1280x720"
        ) as caught:
            V4l2Sink(OUTPUT, HD, 30.0).open()
        assert caught.value.exit_code == 69
        with pyvirtualcam.Camera(1280, 720, 30, device=OUTPUT) as unaware:
            assert (unaware.width, unaware.height) == HD, "pyvirtualcam has begun to look at the answer"
        with pytest.raises(NoDeviceError, match=r"640x480@.* when asked for 1280x720"):
            VirtualcamSink(OUTPUT, HD, 30.0).open()
    finally:
        reader.stop()


def test_one_writer_at_a_time(driver: Driver) -> None:
    with writing(OUTPUT, VGA):
        with pytest.raises(BusyError, match="another faceswapd") as caught:
            V4l2Sink(OUTPUT, VGA, 30.0).open()
        assert caught.value.exit_code == 75
        with pytest.raises(BusyError):
            VirtualcamSink(OUTPUT, VGA, 30.0).open()
        assert moves(OUTPUT), "the attempt did no harm"


def test_another_programs_device_is_busy(driver: Driver) -> None:
    picture = ["-re", "-f", "lavfi", "-i", "testsrc2=s=640x480:r=30", "-pix_fmt", "yuv420p"]
    with program("ffmpeg", "-v", "error", "-nostdin", *picture, "-f", "v4l2", SPARE):
        wait_for(lambda: capabilities(SPARE) == abi.CAP_CAPTURE)
        with pytest.raises(BusyError, match="busy or stuck"):
            V4l2Sink(SPARE, VGA, 30.0).open()
        assert capabilities(SPARE) == abi.CAP_CAPTURE, "the attempt did no harm"


def test_a_camera_is_no_output(vivid: str) -> None:
    with pytest.raises(NoDeviceError, match="device of vivid"):
        V4l2Sink(vivid, VGA, 30.0).open()


def test_unloading_the_driver_is_refused_while_it_is_held(driver: Driver) -> None:
    with writing(OUTPUT, VGA):
        refused = subprocess.run(["rmmod", "v4l2loopback"], capture_output=True, text=True, check=False)

    assert refused.returncode != 0
    assert "in use" in refused.stderr
