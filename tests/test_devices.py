import errno
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from capture_fakes import FakeKernel, FakeSystem, Node

from faceswapd.capture.devices import (
    Device,
    Format,
    Linux,
    cameras,
    find_camera,
    find_virtual_camera,
    first_camera,
    first_virtual_camera,
    virtual_cameras,
)
from faceswapd.capture.enumerated import Enumerated
from faceswapd.core.errors import UsageError
from faceswapd.native import v4l2 as abi

LOOPBACK = "v4l2 loopback"
LINK = "/dev/v4l/by-id/usb-Logitech_C920-video-index0"


def machine() -> FakeKernel:
    return FakeKernel(
        {LINK: "/dev/video4"},
        video0=Node("Integrated IR", formats={b"GREY": {(640, 360): ((1, 15),)}}),
        video1=Node("Integrated IR", caps=0x0080_0000),  # its metadata
        video2=Node("codec", "hantro", caps=0x4000),
        video3=Node("locked", error=errno.EACCES),
        video4=Node("HD Pro Webcam C920"),
        video5=Node("feed", LOOPBACK, caps=abi.CAP_CAPTURE),
        video6=Node("faceswapd", LOOPBACK, caps=abi.CAP_OUTPUT, ranges=True),
        video7=Node("both", LOOPBACK, caps=abi.CAP_CAPTURE | abi.CAP_OUTPUT),
        video8=Node("stuck", LOOPBACK, caps=0),
    )


def test_cameras_and_virtual_cameras_are_told_apart() -> None:
    kernel = machine()
    system = Linux(kernel)

    assert [d.path for d in cameras(system)] == ["/dev/video0", "/dev/video4"]
    assert [d.name for d in virtual_cameras(system)] == ["feed", "faceswapd", "both", "stuck"]
    assert [(d.captures, d.outputs) for d in virtual_cameras(system)] == [
        (True, False), (False, True), (True, True), (False, False),
    ]  # fmt: skip
    assert kernel.opened == 0


def test_formats_are_told_with_sizes_and_rates() -> None:
    camera = cameras(Linux(machine()))[1]

    assert [str(f) for f in camera.formats] == [
        "YUYV 640x480 at 30, 15",
        "YUYV 1280x720 at 10",
        "MJPG 640x480 at 30",
        "MJPG 1280x720 at 30",
    ]
    assert camera.stable == LINK
    assert msgspec.json.decode(msgspec.json.encode(camera), type=Device) == camera


def test_a_range_of_sizes_is_one_format() -> None:
    formats = virtual_cameras(Linux(machine()))[1].formats

    assert str(formats[0]) == "YUYV 2x1 to 8192x4096"
    assert formats[0].holds((1280, 720))
    assert not formats[0].holds((1280, 4320))


def test_the_first_ones() -> None:
    system = Linux(machine())
    camera, virtual = first_camera(system), first_virtual_camera(system)

    assert camera is not None
    assert camera.path == "/dev/video4"  # the infrared one is no first choice
    assert virtual is not None
    assert virtual.name == "faceswapd"  # the first that can be written to
    assert first_camera(FakeSystem()) is None
    assert first_virtual_camera(FakeSystem()) is None
    infrared = Device("IR", "/dev/video0", formats=(Format("GREY", (640, 360)),))
    assert first_camera(FakeSystem(infrared)) == infrared
    full = Device("full", "/dev/video5", virtual=True)
    assert first_virtual_camera(FakeSystem(full)) == full


@pytest.mark.parametrize(
    "name", ["/dev/video4", LINK, "4", "HD Pro Webcam C920", "hd pro webcam c920", "c920"]
)
def test_a_camera_is_found_by_what_users_call_it(name: str) -> None:
    found = find_camera(name, Linux(machine()))

    assert found is not None
    assert found.path == "/dev/video4"


def test_what_is_no_camera_now_is_not_found() -> None:
    system = Linux(machine())

    assert find_camera("nobody", system) is None
    assert find_camera("/dev/video6", system) is None
    assert find_camera("/dev/video1", system) is None
    assert find_virtual_camera("HD Pro Webcam C920", system) is None


def test_a_fed_virtual_camera_is_a_camera_when_named() -> None:
    found = find_camera("feed", Linux(machine()))

    assert found is not None
    assert found.virtual


def test_an_ambiguous_name_is_refused_with_the_paths() -> None:
    twins = FakeSystem(Device("cam", "/dev/video0"), Device("cam", "/dev/video2", stable="/dev/v4l/by-id/b"))

    with pytest.raises(
        UsageError, match="2 devices are called 'cam': say which by its path: /dev/video0, /dev/v4l"
    ):
        find_camera("cam", twins)
    assert find_camera("/dev/video2", twins) == twins.devices[1]


def test_a_device_that_vanishes_while_it_is_asked_is_left_out() -> None:
    class Vanishing(FakeKernel):
        def ioctl(self, fd: int, request: int, argument: Any) -> None:
            raise OSError(errno.ENODEV, "No such device")

    kernel = Vanishing(video0=Node("cam"))

    assert cameras(Linux(kernel)) == ()
    assert kernel.opened == 0


def test_layouts_have_the_kernels_sizes() -> None:
    assert [hex(n) for n in (abi.QUERYCAP, abi.ENUM_FMT, abi.REQBUFS)] == [
        "0x80685600",
        "0xc0405602",
        "0xc0145608",
    ]
    assert hex(abi.ENUM_FRAMESIZES) == "0xc02c564a"
    assert hex(abi.ENUM_FRAMEINTERVALS) == "0xc034564b"


def test_elsewhere_names_come_from_the_lister() -> None:
    def lister(_backend: int) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(index=700, name="FaceTime HD"),
            SimpleNamespace(index=701, name="OBS Virtual Camera"),
        ]

    system = Enumerated(lister)

    assert [(d.name, d.path) for d in cameras(system)] == [("FaceTime HD", "0")]
    assert [(d.name, d.path) for d in virtual_cameras(system)] == [("OBS Virtual Camera", "1")]
    found = find_camera("facetime", system)
    assert found is not None
    assert found.path == "0"
