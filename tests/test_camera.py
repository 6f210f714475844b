import errno
import time
from typing import Any

import cv2
import pytest
from capture_fakes import FakeCapture, FakeKernel, FakeSystem, Node

from faceswapd.capture import camera as module
from faceswapd.capture.camera import Camera, Mode, best_mode
from faceswapd.capture.devices import Device, Format, Linux, cameras
from faceswapd.core.errors import BusyError, DeviceLostError, NoDeviceError
from faceswapd.core.settings import Size

VGA, HD, FULL = (640, 480), (1280, 720), (1920, 1080)


def formats(*rows: tuple[str, Size, float]) -> tuple[Format, ...]:
    return tuple(Format(pixels, size, (fps,) if fps else ()) for pixels, size, fps in rows)


WEBCAM = formats(("YUYV", VGA, 30), ("YUYV", HD, 10), ("MJPG", VGA, 30), ("MJPG", HD, 30), ("MJPG", FULL, 30))


@pytest.mark.parametrize(
    ("size", "fps", "expected"),
    [
        (VGA, 30, Mode("YUYV", VGA, 30)),  # uncompressed where it is fast enough
        (HD, 30, Mode("MJPG", HD, 30)),
        (HD, 10, Mode("YUYV", HD, 10)),
        (FULL, 60, Mode("MJPG", FULL, 30)),  # the fastest there is
        ((960, 540), 30, Mode("MJPG", HD, 30)),  # the smallest that covers
        ((3840, 2160), 30, Mode("MJPG", FULL, 30)),  # the largest
    ],
)
def test_the_best_mode_of_a_webcam(size: Size, fps: float, expected: Mode) -> None:
    assert best_mode(WEBCAM, size, fps) == expected


def test_the_slowest_rate_that_is_enough_is_taken() -> None:
    fast = (Format("YUYV", HD, (120.0, 60.0, 29.97, 15.0)),)

    assert best_mode(fast, HD, 30) == Mode("YUYV", HD, 29.97)
    assert best_mode(fast, HD, 50) == Mode("YUYV", HD, 60)


def test_ranges_give_the_very_size_and_rate() -> None:
    assert best_mode((Format("YU12", (8192, 8192), (), (2, 1)),), HD, 30) == Mode("YU12", HD, 30)


def test_formats_that_opencv_cannot_read_do_not_count() -> None:
    assert best_mode(formats(("H264", HD, 30)), HD, 30) is None
    assert best_mode(formats(("H264", HD, 60), ("MJPG", HD, 30)), HD, 60) == Mode("MJPG", HD, 30)


class Rig:
    """A camera on a machine with one device."""

    def __init__(
        self, node: Node | None = None, captures: tuple[FakeCapture, ...] = (), **options: Any
    ) -> None:
        self.kernel = FakeKernel(video0=node or Node("cam"))
        self.captures = list(captures) or [FakeCapture()]
        self.opened: list[FakeCapture] = []
        self.camera = Camera(
            options.pop("device", Device("cam", "/dev/video0", formats=WEBCAM)),
            options.pop("size", HD),
            30,
            capture=self._capture,
            kernel=self.kernel,
        )

    def _capture(self, path: str, backend: int) -> FakeCapture:
        assert (path, backend) == (self.camera._device.path, cv2.CAP_V4L2)
        self.opened.append(self.captures.pop(0))
        return self.opened[-1]


def test_it_asks_for_motion_jpeg_where_the_size_needs_it() -> None:
    rig = Rig()
    rig.camera.open()

    props = rig.opened[0].props
    assert props[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert (rig.camera.size, rig.camera.fps, rig.camera.name) == (HD, 30, "cam")
    assert rig.camera.read().pixels.shape == (720, 1280, 3)
    rig.camera.close()
    assert rig.opened[0].released == 1
    assert rig.kernel.opened == 0


def test_what_the_camera_really_gives_is_read_back() -> None:
    class Stubborn(FakeCapture):
        def set(self, prop: int, value: float, /) -> bool:
            return False

    rig = Rig(captures=(Stubborn(fps=15.0),))
    rig.camera.open()

    assert rig.camera.size == VGA
    assert rig.camera.fps == 15


@pytest.mark.parametrize("told", [0.0, 1000.0, -1.0])
def test_a_rate_that_cannot_be_is_not_believed(told: float) -> None:
    rig = Rig(captures=(FakeCapture(fps=told),))
    rig.camera.open()

    assert rig.camera.fps == 30


def test_single_broken_pictures_are_passed_over() -> None:
    rig = Rig(captures=(FakeCapture(reads=(True, False, False, True)),))
    rig.camera.open()

    rig.camera.read()
    assert rig.camera.read().pixels.shape == (720, 1280, 3)


def test_a_silent_camera_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.05)
    rig = Rig(captures=(FakeCapture(reads=(True, *[False] * 1000)),))
    rig.camera.open()
    rig.camera.read()

    with pytest.raises(DeviceLostError, match=r"camera cam \(/dev/video0\) gives no pictures"):
        rig.camera.read()


def test_a_camera_silent_from_the_start_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.05)
    rig = Rig(captures=(FakeCapture(reads=(False,) * 1000),))

    with pytest.raises(DeviceLostError):
        rig.camera.open()
    assert rig.opened[0].released == 1


def test_an_unplugged_camera_is_lost_even_if_its_driver_repeats_pictures() -> None:
    rig = Rig()
    rig.camera.open()
    rig.camera.read()
    rig.kernel.devices.clear()

    with pytest.raises(DeviceLostError, match="was unplugged"):
        rig.camera.read()


@pytest.mark.parametrize(
    ("node", "error", "message"),
    [
        (Node("cam", busy=True), BusyError, "is in use: close the program"),
        (Node("cam", error=errno.EBUSY), BusyError, "is in use"),
        (
            Node("cam", error=errno.EACCES),
            NoDeviceError,
            "permission denied: add yourself to the group `video`",
        ),
        (Node("cam", error=errno.ENODEV), NoDeviceError, "is not there"),
    ],
)
def test_refusals_name_the_remedy(node: Node, error: type[Exception], message: str) -> None:
    rig = Rig(node)

    with pytest.raises(error, match=message):
        rig.camera.open()
    assert rig.opened == []
    assert rig.kernel.opened == 0


def test_what_opencv_cannot_open_is_no_device() -> None:
    rig = Rig(captures=(FakeCapture(opened=False),))

    with pytest.raises(NoDeviceError, match="cannot be opened"):
        rig.camera.open()


def test_a_camera_that_comes_back_under_another_number_is_found() -> None:
    link = "/dev/v4l/by-id/usb-cam"
    kernel = FakeKernel({link: "/dev/video0"}, video0=Node("cam"), video1=Node("cam"))
    paths: list[str] = []

    def capture(path: str, _backend: int) -> FakeCapture:
        paths.append(path)
        return FakeCapture()

    camera = Camera(cameras(Linux(kernel))[0], HD, 30, capture=capture, kernel=kernel)
    camera.open()
    camera.close()
    kernel.devices = {"/dev/video1": Node("cam"), "/dev/video3": Node("cam")}
    kernel.links = {link: "/dev/video3"}
    camera.open()
    camera.close()
    kernel.links = {}
    camera.open()  # without a stable path, the same name at the same place
    kernel.devices = {"/dev/video7": Node("cam")}
    camera.close()
    camera.open()  # else the same name anywhere

    assert paths == ["/dev/video0", "/dev/video3", "/dev/video3", "/dev/video7"]


def test_elsewhere_cameras_are_opened_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    seen: list[tuple[object, int]] = []

    def capture(number: object, backend: int) -> FakeCapture:
        seen.append((number, backend))
        return FakeCapture()

    camera = Camera(Device("FaceTime", "1"), HD, 30, capture=capture, system=FakeSystem())
    camera.open()

    assert seen == [(1, cv2.CAP_AVFOUNDATION)]
    assert camera.size == HD
    camera.close()


@pytest.mark.parametrize(("stamp_s_ago", "believed"), [(0.08, True), (30.0, False), (-3.0, False)])
def test_how_old_a_picture_is_is_told_where_the_drivers_clock_is_ours(
    stamp_s_ago: float, believed: bool
) -> None:
    rig = Rig()
    rig.camera.open()
    stamp_s = time.monotonic() - stamp_s_ago
    rig.opened[0].props[cv2.CAP_PROP_POS_MSEC] = 1000 * stamp_s

    for _ in range(2):  # also the picture that was taken at `open`
        before_s = time.monotonic() - stamp_s
        age_s = rig.camera.read().age_s
        if believed:
            assert age_s is not None
            assert before_s - 1e-6 <= age_s <= time.monotonic() - stamp_s + 1e-6
        else:
            assert age_s is None
