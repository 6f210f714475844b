"""The Linux output against a fake kernel that answers as v4l2loopback does (its source, 0.12.7 and 0.15.4)."""

import ctypes
import errno
import os

import numpy as np
import pytest
from fakes import frame, picture

from faceswapd.core.errors import BusyError, DeviceLostError, FaceswapdError, NoDeviceError, UsageError
from faceswapd.core.pixels import i420_to_bgr
from faceswapd.core.settings import Size
from faceswapd.native import v4l2 as abi
from faceswapd.sinks.sink import WhenFull
from faceswapd.sinks.v4l2 import V4l2Sink

PATH = "/dev/video10"
SIZE = (64, 48)


class FakeLoopback(abi.Kernel):
    """One v4l2loopback device. `fail` maps a call or request to the errno it ends with."""

    def __init__(
        self,
        exclusive: bool = True,
        old: bool = False,
        readers_keep: Size | None = None,
        driver: bytes = b"v4l2 loopback",
    ) -> None:
        self.exclusive = exclusive
        self.old = old
        self.driver = driver
        self.kept = readers_keep
        self.fail: dict[object, int] = {}
        self.opened: list[int] = []
        self.calls: list[object] = []
        self.writes: list[bytes] = []
        self.short = 0
        self.locked: int | None = None
        self.writer: int | None = None
        self.asked_to_stream: set[int] = set()
        self.stuck = False
        self.pix = abi.PixFormat()
        self.rate = (0, 0)
        self.subscribed: int | None = None
        self.events: list[int] = []
        self._next = 3

    def _check(self, call: object) -> None:
        self.calls.append(call)
        if call in self.fail:
            raise OSError(self.fail[call], os.strerror(self.fail[call]))

    def open(self, path: str) -> int:
        assert path == PATH
        self._check("open")
        self._next += 1
        self.opened.append(self._next)
        return self._next

    def lock(self, fd: int) -> None:
        self._check("lock")
        if self.locked not in (None, fd):
            raise BlockingIOError(errno.EAGAIN, "locked")
        self.locked = fd

    def write(self, fd: int, data: memoryview) -> int:
        self._check("write")
        self.writer = fd
        self.writes.append(data.tobytes())
        return len(self.writes[-1]) - self.short

    def event_waits(self, fd: int) -> bool:
        assert fd == self.subscribed
        return bool(self.events)

    def close(self, fd: int) -> None:
        self.opened.remove(fd)
        self.calls.append("close")
        self.locked = None if self.locked == fd else self.locked
        if self.writer == fd:
            self.writer = None
            self.stuck = self.old and fd not in self.asked_to_stream
        elif fd in self.asked_to_stream:
            self.stuck = False

    def ioctl(self, fd: int, request: int, argument: abi.Argument) -> None:
        assert fd in self.opened
        self._check(request)
        match argument:
            case abi.Capability():
                argument.driver = self.driver
                argument.capabilities = abi.CAP_DEVICE_CAPS | 0xFF
                argument.device_caps = self._caps()
            case abi.Format() if request == abi.S_FMT:
                self.pix = argument.pix
                if self.kept:
                    self.pix.width, self.pix.height = self.kept
            case abi.Format():
                argument.pix = self.pix
            case abi.StreamParm():
                self.rate = (argument.output.numerator, argument.output.denominator)
            case abi.EventSubscription():
                if self.old:
                    raise OSError(errno.EINVAL, "no such event")
                assert argument.type == 0x10E00001
                self.subscribed = fd
            case abi.Event():
                argument.count = self.events.pop(0)
            case ctypes.c_int() if request == abi.STREAMON:
                self.asked_to_stream.add(fd)
                if fd != self.writer:
                    raise OSError(errno.EINVAL, "no buffers")

    def _caps(self) -> int:
        if not self.exclusive:
            return abi.CAP_CAPTURE | abi.CAP_OUTPUT
        if self.stuck:
            return 0
        return abi.CAP_OUTPUT if self.writer is None else abi.CAP_CAPTURE


def sink(kernel: abi.Kernel, size: Size = SIZE, fps: float = 30.0) -> V4l2Sink:
    return V4l2Sink(PATH, size, fps, kernel)


def test_it_is_a_steady_output_that_keeps_the_newest_frame() -> None:
    output = sink(FakeLoopback())

    assert (output.name, output.steady, output.when_full) == (PATH, True, WhenFull.NEWEST)


def test_the_first_frame_is_black_and_written_at_once() -> None:
    kernel = FakeLoopback()

    sink(kernel).open()

    (first,) = kernel.writes
    assert set(first[: 64 * 48]) == {16}
    assert set(first[64 * 48 :]) == {128}
    assert kernel._caps() == abi.CAP_CAPTURE


def test_the_device_gets_i420_of_the_frame() -> None:
    kernel = FakeLoopback()
    output = sink(kernel)
    output.open()
    bgr = picture(64, 48)
    bgr[:, :32] = (255, 0, 0)
    bgr[:, 32:] = (0, 0, 255)

    output.put(frame(pixels=bgr))

    planes = np.frombuffer(kernel.writes[-1], np.uint8).reshape(72, 64)
    assert np.abs(i420_to_bgr(planes).astype(int) - bgr).max() <= 4
    assert (kernel.pix.pixelformat, kernel.pix.width, kernel.pix.height) == (abi.I420, 64, 48)
    assert kernel.pix.sizeimage == 64 * 48 * 3 // 2


@pytest.mark.parametrize(("fps", "period"), [(30.0, (1, 30)), (12.5, (2, 25)), (30000 / 1001, (1001, 30000))])
def test_readers_are_told_the_rate(fps: float, period: tuple[int, int]) -> None:
    kernel = FakeLoopback()

    sink(kernel, fps=fps).open()

    assert kernel.rate == period


def test_a_driver_without_a_rate_is_still_an_output() -> None:
    kernel = FakeLoopback()
    kernel.fail[abi.S_PARM] = errno.ENOTTY

    sink(kernel).open()

    assert kernel.writes


def test_close_stops_the_stream_and_keeps_nothing() -> None:
    kernel = FakeLoopback()
    output = sink(kernel)
    output.open()

    output.close()

    assert abi.STREAMOFF in kernel.calls
    assert not kernel.opened
    assert kernel._caps() == abi.CAP_OUTPUT


def test_an_old_driver_notices_the_end_of_the_writer() -> None:
    kernel = FakeLoopback(old=True)
    output = sink(kernel)
    output.open()

    output.close()

    assert not kernel.stuck
    assert not kernel.opened


def test_a_device_left_stuck_by_somebody_else_is_freed_by_open() -> None:
    kernel = FakeLoopback(old=True)
    kernel.stuck = True

    sink(kernel).open()

    assert kernel.writes


def test_an_old_device_with_a_writer_is_left_alone() -> None:
    kernel = FakeLoopback(old=True)
    kernel.writer = 99

    with pytest.raises(BusyError, match="busy or stuck"):
        sink(kernel).open()

    assert abi.STREAMON not in kernel.calls
    assert abi.STREAMOFF not in kernel.calls


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_second_daemon_is_refused(exclusive: bool) -> None:
    kernel = FakeLoopback(exclusive)
    first = sink(kernel)
    first.open()

    with pytest.raises(BusyError, match="another faceswapd") as caught:
        sink(kernel).open()

    assert caught.value.exit_code == 75
    assert kernel.locked in kernel.opened
    first.close()
    assert not kernel.opened


def test_another_size_answered_is_an_error_that_names_it() -> None:
    kernel = FakeLoopback(readers_keep=(1280, 720))

    with pytest.raises(NoDeviceError, match="answers I420 1280x720 when asked for I420 64x48"):
        sink(kernel).open()

    assert not kernel.opened
    assert not kernel.writes


@pytest.mark.parametrize(
    ("call", "number", "kind", "words"),
    [
        ("open", errno.ENOENT, NoDeviceError, "does not exist.*modprobe"),
        ("open", errno.EACCES, NoDeviceError, "usermod -aG video"),
        ("open", errno.EBUSY, BusyError, "busy or stuck"),
        (abi.QUERYCAP, errno.ENOTTY, NoDeviceError, "no video device"),
        (abi.S_FMT, errno.EINVAL, NoDeviceError, "no I420"),
        (abi.S_FMT, errno.EBUSY, BusyError, "busy or stuck"),
        ("write", errno.EBUSY, BusyError, "busy or stuck"),
        ("write", errno.EIO, NoDeviceError, "cannot be used"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing_open(
    call: object, number: int, kind: type[FaceswapdError], words: str
) -> None:
    kernel = FakeLoopback()
    kernel.fail[call] = number

    with pytest.raises(kind, match=words) as caught:
        sink(kernel).open()

    assert PATH in str(caught.value)
    assert not kernel.opened


def test_a_camera_is_no_output() -> None:
    kernel = FakeLoopback(driver=b"uvcvideo")
    kernel.writer = 99

    with pytest.raises(NoDeviceError, match="device of uvcvideo"):
        sink(kernel).open()


@pytest.mark.parametrize("size", [(641, 480), (640, 481), (0, 0)])
def test_an_odd_size_is_refused(size: Size) -> None:
    with pytest.raises(UsageError, match="even"):
        sink(FakeLoopback(), size)


def test_a_frame_of_another_size_is_a_bug() -> None:
    output = sink(FakeLoopback())
    output.open()

    with pytest.raises(ValueError, match=r"\(32, 48\)"):
        output.put(frame(pixels=picture(32, 48)))


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO])
def test_a_device_that_goes_away_is_lost_and_can_be_closed(number: int) -> None:
    kernel = FakeLoopback()
    output = sink(kernel)
    output.open()
    kernel.fail["write"] = kernel.fail[abi.STREAMOFF] = kernel.fail[abi.QUERYCAP] = number

    with pytest.raises(DeviceLostError, match="went away"):
        output.put(frame(pixels=picture(64, 48)))
    output.close()

    assert not kernel.opened


def test_half_a_frame_is_a_lost_device() -> None:
    kernel = FakeLoopback()
    output = sink(kernel)
    output.open()
    kernel.short = 1

    with pytest.raises(DeviceLostError, match="took 4607 of 4608 bytes"):
        output.put(frame(pixels=picture(64, 48)))


def test_it_knows_whether_somebody_reads() -> None:
    kernel = FakeLoopback()
    output = sink(kernel)
    output.open()

    assert output.watched() is False
    kernel.events = [0, 1]
    assert output.watched() is True
    assert output.watched() is True
    kernel.events = [2, 0]
    assert output.watched() is False


def test_an_old_driver_does_not_tell_who_reads() -> None:
    kernel = FakeLoopback(old=True)
    output = sink(kernel)
    output.open()

    assert output.watched() is None
    output.close()
    assert not kernel.opened


def test_it_opens_again_after_close() -> None:
    kernel = FakeLoopback(old=True)
    output = sink(kernel)

    for _ in range(3):
        output.open()
        output.put(frame(pixels=picture(64, 48)))
        output.close()

    assert len(kernel.writes) == 6
    assert not kernel.opened


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="V4L2 is Linux's")
def test_the_real_kernel_refuses_what_is_no_video_device() -> None:
    with pytest.raises(NoDeviceError, match="/dev/null is no video device"):
        V4l2Sink("/dev/null", SIZE, 30.0).open()
    with pytest.raises(NoDeviceError, match="does not exist"):
        V4l2Sink("/dev/no-such-video", SIZE, 30.0).open()
