"""The reading side of PipeWire, against a producer of our own in a session of its own."""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pipewire_session import missing, session

from faceswapd.capture.pattern import Pattern, counter
from faceswapd.capture.pipewire import PipeWireReader
from faceswapd.core.errors import DeviceLostError, NoDeviceError
from faceswapd.core.frame import Frame
from faceswapd.core.settings import Size
from faceswapd.native import pipewire as abi
from faceswapd.native.pod import pod_enum, pod_fraction, pod_id, pod_int, pod_object, pod_range, read_object
from faceswapd.native.pod import pod_rectangle as rectangle
from faceswapd.sinks.pipewire import PipeWireSink

SIZE = (640, 360)
needs_pipewire = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


class Desktop(PipeWireSink):
    """Shows 4 bytes a pixel, in this order, as desktops do."""

    def __init__(self, size: Size, code: int, order: tuple[int, int, int]) -> None:
        super().__init__(size, 30, "desktop")
        self.code, self.order = code, order
        self._bytes = size[0] * size[1] * 4

    def _format(self, rate: Fraction) -> bytes:
        return pod_object(
            abi.OBJECT_FORMAT,
            abi.PARAM_ENUM_FORMAT,
            {
                abi.MEDIA_TYPE: pod_id(abi.TYPE_VIDEO),
                abi.MEDIA_SUBTYPE: pod_id(abi.SUBTYPE_RAW),
                abi.VIDEO_FORMAT: pod_id(self.code),
                abi.VIDEO_SIZE: rectangle(*self._size),
                abi.VIDEO_FRAMERATE: pod_fraction(rate.numerator, rate.denominator),
            },
        )

    def _fill(self, frame: Frame, address: int) -> None:
        memory = (ctypes.c_uint8 * self._bytes).from_address(address)
        rows = np.frombuffer(memoryview(memory), np.uint8).reshape(self._size[1], self._size[0], 4)
        rows[..., self.order] = frame.pixels


@contextmanager
def showing(sink: PipeWireSink, size: Size = SIZE) -> Iterator[None]:
    """The pattern, 30 frames a second."""
    stop, pattern, begin = threading.Event(), Pattern(size, 30), time.monotonic()

    def show() -> None:
        n = 0
        while not stop.wait(max(0.0, begin + n / 30 - time.monotonic())):
            try:
                sink.put(Frame(n, 0, pattern.draw(n)))
            except DeviceLostError:
                return
            n += 1

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def watch(reader: PipeWireReader, seconds: float = 5.0) -> None:
    """Until it is lost."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reader.wait(0.1)


@needs_pipewire
@pytest.mark.parametrize(("code", "order"), [(abi.BGRX, (0, 1, 2)), (abi.RGBA, (2, 1, 0))])
def test_pictures_come_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, order: tuple[int, int, int]
) -> None:
    with session(tmp_path) as env:
        monkeypatch.setenv("XDG_RUNTIME_DIR", env["XDG_RUNTIME_DIR"])
        sink = Desktop(SIZE, code, order)
        sink.open()
        reader = PipeWireReader("screen:", label="desktop")
        with showing(sink):
            reader.open(30)
            assert reader.size == SIZE
            numbers, begin = list[int](), time.monotonic()
            while len(numbers) < 30 and time.monotonic() - begin < 20:
                if reader.wait(0.2) and (picture := reader.newest()) is not None:
                    numbers.append(counter(picture))
            expected = Pattern(SIZE, 30).draw(numbers[-1])
        assert picture is not None
        assert np.array_equal(picture, expected)
        assert numbers == sorted(set(numbers))
        assert len(numbers) == 30
        while reader.wait(0.3):  # what was shown since
            reader.newest()
        assert reader.newest() is None
        sink.close()
        with pytest.raises(DeviceLostError, match="screen: went away"):
            watch(reader)
        reader.close()


@needs_pipewire
def test_when_pipewire_stops_it_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PipeWireReader("screen:", label="desktop")
    with session(tmp_path) as env:
        monkeypatch.setenv("XDG_RUNTIME_DIR", env["XDG_RUNTIME_DIR"])
        sink = Desktop(SIZE, abi.BGRX, (0, 1, 2))
        sink.open()
        with showing(sink):
            reader.open(30)
    with pytest.raises(DeviceLostError, match="screen: went away"):
        watch(reader)
    reader.close()
    sink.close()


def test_without_pipewire_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if not missing():
        with pytest.raises(NoDeviceError, match=r"screen: cannot be read .*is PipeWire running"):
            PipeWireReader("screen:").open(30)
    monkeypatch.setattr(abi, "LIBRARY", "libnone.so.9")
    with pytest.raises(NoDeviceError, match=r"needs libnone\.so\.9: install PipeWire"):
        PipeWireReader("screen:").open(30)


def test_a_format_is_read_as_it_was_written() -> None:
    pod = pod_object(
        abi.OBJECT_FORMAT,
        abi.PARAM_FORMAT,
        {
            abi.MEDIA_TYPE: pod_id(2),
            abi.VIDEO_FORMAT: pod_enum(pod_id(8), pod_id(7)),
            abi.VIDEO_SIZE: rectangle(1280, 720),
            abi.VIDEO_FRAMERATE: pod_range(
                pod_fraction(30000, 1001), pod_fraction(0, 1), pod_fraction(60, 1)
            ),
            abi.STRIDE: pod_int(-4),
        },
    )
    assert read_object(pod) == {
        abi.MEDIA_TYPE: 2,
        abi.VIDEO_FORMAT: 8,
        abi.VIDEO_SIZE: (1280, 720),
        abi.VIDEO_FRAMERATE: (30000, 1001),
        abi.STRIDE: -4,
    }
    for broken in (b"", pod[:12], pod[:-8], pod_int(3)):
        with pytest.raises(ValueError, match="a pod"):
            read_object(broken)
