"""Reading films frame by frame."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from films import make_film, number, stripes

from faceswapd.capture.film import Film
from faceswapd.core.errors import BadInputError, MissingInputError
from faceswapd.sinks.niceness import kept_priority


def test_shape_and_frames(tmp_path: Path) -> None:
    film = Film(make_film(tmp_path / "ü.mp4", 12, rate=Fraction(30000, 1001)))
    shape = film.open()
    assert (shape.size, shape.frames, shape.fps) == ((64, 48), 12, Fraction(30000, 1001))
    assert shape.plain
    pictures = list(film.pictures())
    assert [number(film.pixels(p.image)) for p in pictures] == list(range(12))
    assert [p.n for p in pictures] == list(range(12))
    assert [p.key for p in pictures][:9] == [True] + [False] * 7 + [True]
    film.close()


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_film_is_upright(tmp_path: Path, turned: int) -> None:
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=30)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(turned)
        image = np.zeros((48, 64, 3), np.uint8)
        image[:12, :12] = 255
        file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        file.mux(stream.encode(None))
    film = Film(path)
    shape = film.open()
    assert shape.size == ((64, 48) if turned == 180 else (48, 64))
    assert not shape.plain
    [picture] = film.pictures()
    pixels = film.pixels(picture.image)
    height, width = pixels.shape[:2]
    bright = {
        name: pixels[y, x].mean() > 128
        for name, (y, x) in {
            "ul": (4, 4), "ur": (4, width - 5), "ll": (height - 5, 4), "lr": (height - 5, width - 5)
        }.items()
    }  # fmt: skip
    assert [name for name, is_bright in bright.items() if is_bright] == [
        {90: "ll", 180: "lr", 270: "ur"}[turned]
    ]
    film.close()


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_seeking_is_exact_or_begins_at_the_beginning(tmp_path: Path, codec: str) -> None:
    quiet = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"preset": "12"}}
    with kept_priority():
        path = make_film(tmp_path / "a.mkv", 40, codec=codec, options=quiet.get(codec))
    film = Film(path)
    film.open()
    straight = [(p.pts, p.key, p.image.to_ndarray()) for p in film.pictures()]
    for pts, key, _ in straight[1::5] + [s for s in straight if s[1]]:
        film.close()
        film.open()
        film.seek(pts)
        after = [(p.pts, p.image.to_ndarray()) for p in film.pictures() if p.pts >= pts]
        expected = [(p, image) for p, _, image in straight if p >= pts]
        assert [a[0] for a in after] == [e[0] for e in expected], key
        assert all(np.array_equal(a[1], e[1]) for a, e in zip(after, expected, strict=True))
    film.close()


def test_colours_of_a_film(tmp_path: Path) -> None:
    film = Film(make_film(tmp_path / "a.mkv", 2, codec="ffv1", pix_fmt="yuv420p10le"))
    assert film.open().colour.bits == 10
    film.close()
    film = Film(make_film(tmp_path / "b.mkv", 2, codec="ffv1", pix_fmt="bgr0"))
    assert film.open().colour.rgb
    film.close()


def test_a_film_whose_times_repeat_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
    context.time_base = Fraction(1, 30)
    data = b""
    for n in range(8):
        picture = av.VideoFrame.from_ndarray(stripes(n), "bgr24").reformat(format="yuv420p")
        picture.pts = n
        data += b"".join(bytes(p) for p in context.encode(picture))
    data += b"".join(bytes(p) for p in context.encode(None))
    path.write_bytes(data)
    film = Film(path)
    film.open()
    pictures = list(film.pictures())
    times = [p.pts for p in pictures]
    assert [number(film.pixels(p.image)) for p in pictures] == list(range(8))
    assert times == sorted(set(times))
    film.close()


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_what_is_no_film(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(BadInputError, match=r"a\.mp4"):
        Film(tmp_path / "a.mp4").open()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        Film(tmp_path / "a.mp4").open()
    with pytest.raises(MissingInputError, match="folder"):
        Film(tmp_path).open()
