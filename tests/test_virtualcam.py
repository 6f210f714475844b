"""pyvirtualcam behind the sink's contract, with its module replaced by one that answers as the real ones do."""

from enum import Enum
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
import pytest
from fakes import frame, picture

from faceswapd.core.errors import BusyError, ConfigError, FaceswapdError, NoDeviceError, UsageError
from faceswapd.core.pixels import i420_to_bgr
from faceswapd.sinks.virtualcam import VirtualcamSink

SIZE = (64, 48)


class Library:
    """What this project uses of pyvirtualcam."""

    class PixelFormat(Enum):
        I420 = "I420"

    class Camera:
        error: ClassVar[Exception | None] = None

        def __init__(self, width: int, height: int, fps: float, *, fmt: Enum, device: str | None) -> None:
            if Library.Camera.error:
                raise Library.Camera.error
            self.asked = (width, height, fps, fmt, device)
            self.device = device or "OBS Virtual Camera"
            self.backend = "obs"
            self.sent: list[Any] = []
            self.closed = 0

        def send(self, planes: Any) -> None:
            self.sent.append(planes.copy())

        def close(self) -> None:
            self.closed += 1


def sink(device: str = "", sysfs: Path = Path("/nowhere")) -> VirtualcamSink:
    return VirtualcamSink(device, SIZE, 30.0, Library, sysfs)


def test_it_starts_the_camera_by_name_and_tells_which_it_is() -> None:
    output = sink()

    output.open()

    assert output._camera.asked == (64, 48, 30.0, Library.PixelFormat.I420, None)
    assert output.name == "OBS Virtual Camera"
    assert output.steady


def test_it_sends_i420() -> None:
    output = sink("Unity Video Capture")
    output.open()

    output.put(frame(pixels=picture(64, 48, 200)))

    (planes,) = output._camera.sent
    assert np.abs(i420_to_bgr(planes).astype(int) - 200).max() <= 2


def test_it_closes_the_camera_once() -> None:
    output = sink()
    output.open()
    camera = output._camera

    output.close()

    assert camera.closed == 1
    assert output._camera is None


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("'obs' backend: virtual camera output could not be started", BusyError, "in use.*OBS included"),
        ("'v4l2loopback' backend: Device /dev/video10 is not a video output device.", BusyError, "in use"),
        (
            "'obs' backend: OBS Virtual Camera device not found! Did you install OBS?\n"
            "'unitycapture' backend: No camera registered. Did you install any camera?",
            NoDeviceError,
            "not found.*; 'unitycapture'",
        ),
    ],
)
def test_its_refusals_are_typed_and_one_line(
    answer: str, kind: type[FaceswapdError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library.Camera, "error", RuntimeError(answer))
    output = sink()

    with pytest.raises(kind, match=words) as caught:
        output.open()
    output.close()

    assert "\n" not in str(caught.value)


def test_a_device_that_kept_its_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "video10").mkdir()
    (tmp_path / "video10" / "format").write_text("YU12:1280x720@30\n")
    output = sink("/dev/video10", tmp_path)

    with pytest.raises(NoDeviceError, match="answers YU12:1280x720@30 when asked for 64x48"):
        output.open()

    assert output._camera is None


def test_a_device_that_took_the_size_is_used(tmp_path: Path) -> None:
    (tmp_path / "video10").mkdir()
    (tmp_path / "video10" / "format").write_text("YU12:64x48@30\n")
    output = sink("/dev/video10", tmp_path)

    output.open()

    assert output._camera.device == "/dev/video10"


def test_a_broken_installation_is_a_configuration_error() -> None:
    with (
        patch.dict("sys.modules", {"pyvirtualcam": None}),
        pytest.raises(ConfigError, match="install it again"),
    ):
        VirtualcamSink("", SIZE, 30.0).open()


def test_the_real_library_without_a_device_says_how_to_get_one() -> None:
    with pytest.raises(NoDeviceError, match="/dev/no-such-video cannot be opened"):
        VirtualcamSink("/dev/no-such-video", SIZE, 30.0).open()


def test_an_odd_size_and_a_frame_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match="even"):
        VirtualcamSink("", (63, 48), 30.0)
    output = sink()
    output.open()
    with pytest.raises(ValueError, match=r"\(32, 48\)"):
        output.put(frame(pixels=picture(32, 48)))
