"""Decoding by a device: when it is taken, and what happens when it fails. The device is a stand-in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import av
import av.error
import numpy as np
import pytest
from av.container import InputContainer
from films import make_film

from faceswapd.capture import hwaccel
from faceswapd.capture.film import Film
from faceswapd.core.errors import BadInputError, NoDeviceError, UsageError


class Packet:
    """Gives the device's frames: both colours in one plane."""

    def __init__(self, packet: Any, film: "DeviceFilm") -> None:
        self._packet, self._film = packet, film

    def decode(self) -> list[Any]:
        frames = []
        for frame in self._packet.decode():
            if self._film.device.fails_after == self._film.given:
                raise self._film.device.error
            self._film.given += 1
            device = frame.reformat(format={"yuv420p": "nv12", "yuv420p10le": "p010le"}[frame.format.name])
            frames.append(device)
        return frames


class DeviceFilm:
    """A container whose pictures a device decodes."""

    def __init__(self, path: Path, device: "FakeDevices") -> None:
        self._file = av.open(str(path))
        self.device = device
        self.given = 0

    def demux(self, stream: Any) -> Iterator[Packet]:
        return (Packet(packet, self) for packet in self._file.demux(stream))

    def __enter__(self) -> "DeviceFilm":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@dataclass
class FakeDevices:
    """One device, `vaapi`."""

    fails_after: int | None = None
    """Frames that it decodes of an opened film."""
    error: Exception = field(default_factory=lambda: av.error.ExternalError(1, "device lost"))
    broken: bool = False
    opened: int = 0

    def names(self) -> Sequence[str]:
        return ("vaapi",)

    def open(self, path: Path, device: str) -> InputContainer:
        assert device == "vaapi"
        self.opened += 1
        if self.broken:
            raise av.error.ExternalError(1, "no such device")
        return cast(InputContainer, DeviceFilm(path, self))


def read(film: Film) -> list[tuple[int, bool, Any]]:
    return [(p.pts, p.key, p.image.to_ndarray()) for p in film.pictures()]


def same(a: list[tuple[int, bool, Any]], b: list[tuple[int, bool, Any]]) -> bool:
    return len(a) == len(b) and all(
        x[:2] == y[:2] and np.array_equal(x[2], y[2]) for x, y in zip(a, b, strict=True)
    )


def straight(path: Path) -> list[tuple[int, bool, Any]]:
    film = Film(path)
    film.open()
    return read(film)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_a_devices_frames_are_the_softwares(tmp_path: Path, pix_fmt: str) -> None:
    path = make_film(tmp_path / "a.mp4", 30, codec="libx264", pix_fmt=pix_fmt)
    film = Film(path, device="vaapi", devices=FakeDevices())
    film.open()
    assert film.decoder == "h264 (vaapi)"
    assert same(read(film), straight(path))
    film.seek_before(15 * 512)
    assert film.decoder == "h264 (vaapi)"
    film.close()


@pytest.mark.parametrize("options", [{}, {"bf": "3", "x264-params": "open-gop=1"}])
@pytest.mark.parametrize("after", [16, 17, 23, 31, 39])
def test_a_device_that_fails_loses_and_doubles_nothing(
    tmp_path: Path, after: int, options: dict[str, str]
) -> None:
    path = make_film(tmp_path / "a.mp4", 40, options=options)
    film = Film(path, device="vaapi", devices=FakeDevices(fails_after=after))
    film.open()
    assert same(read(film), straight(path))
    assert film.decoder == "h264 after vaapi"
    film.close()


@pytest.mark.parametrize("sought", [0, 300, 1000])
def test_a_device_that_fails_in_a_part_of_a_film(tmp_path: Path, sought: int) -> None:
    path = make_film(tmp_path / "a.mkv", 60)
    films = (Film(path, device="vaapi", devices=FakeDevices(fails_after=20)), Film(path))
    for film in films:
        film.open()
        film.seek_before(sought)
    assert same(*(read(film) for film in films))
    assert [film.decoder for film in films] == ["h264 after vaapi", "h264"]


def test_damage_is_for_the_software_to_judge(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", 40)
    devices = FakeDevices(fails_after=20, error=av.error.InvalidDataError(1, "bad"))
    film = Film(path, device="vaapi", devices=devices)
    film.open()
    assert len(read(film)) == 40
    assert film.damaged == 0
    film.close()


def test_auto_takes_a_device_for_long_films_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, devices = make_film(tmp_path / "a.mp4", 30), FakeDevices()
    film = Film(path, device="auto", devices=devices)
    film.open()
    assert (film.decoder, devices.opened) == ("h264", 0)
    assert len(read(film)) == 30
    monkeypatch.setattr(hwaccel, "WORTH", 1000)
    monkeypatch.setattr(hwaccel, "_tried", lambda *_: hwaccel._Trial((), 0.001, 0.002))
    film.open()
    assert film.decoder == "h264 (vaapi)"
    monkeypatch.setattr(hwaccel, "_tried", lambda *_: hwaccel._Trial((), 0.003, 0.002))
    film.open()
    assert film.decoder == "h264"  # slower than a core
    film.close()


def test_auto_does_without_a_device_that_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hwaccel, "WORTH", 1000)
    path, devices = make_film(tmp_path / "a.mp4", 30), FakeDevices(broken=True)
    film = Film(path, device="auto", devices=devices)
    film.open()
    assert (film.decoder, devices.opened, len(read(film))) == ("h264", 1, 30)
    film.close()
    mpeg2 = Film(make_film(tmp_path / "b.mkv", 30, codec="mpeg2video"), device="auto", devices=devices)
    mpeg2.open()
    assert devices.opened == 1  # two decoders of it may differ
    mpeg2.close()


def test_a_device_asked_for_and_not_got_is_an_error(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", 5)
    with pytest.raises(NoDeviceError, match=r"vaapi cannot decode .*no such device"):
        Film(path, device="vaapi", devices=FakeDevices(broken=True)).open()
    with pytest.raises(NoDeviceError, match="device lost"):
        Film(path, device="vaapi", devices=FakeDevices(fails_after=3)).open()
    with pytest.raises(NoDeviceError, match="qsv"):
        Film(path, device="qsv", devices=FakeDevices()).open()
    with pytest.raises(UsageError, match="toaster"):
        Film(path, device="toaster", devices=FakeDevices()).open()


def test_ffmpegs_own_devices_are_tried_not_believed(tmp_path: Path) -> None:
    """Whatever this machine has: a device either decodes the film's frames, or it is refused by name."""
    path = make_film(tmp_path / "a.mp4", 20)
    for name in hwaccel.FFmpegDevices().names():
        film = Film(path, device=name)
        refusal = ""
        try:
            film.open()
        except NoDeviceError as error:
            refusal = str(error)
        assert name in (refusal or film.decoder)
        assert refusal or len(read(film)) == 20
        film.close()


def test_software_that_finds_other_frames_is_an_error(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", 40)
    film = Film(path, device="vaapi", devices=FakeDevices(fails_after=20))
    film.open()
    pictures = film.pictures()
    for _ in range(20):
        next(pictures)
    make_film(path, 10)
    with pytest.raises(BadInputError, match="after 20 frames"):
        next(pictures)
    film.close()
