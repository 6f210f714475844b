"""What a film of high dynamic range was mastered for comes along, read back by plain PyAV."""

from pathlib import Path
from typing import Any

import av
import pytest
from films import stripes
from test_film_job import run
from test_film_job import studio as studio

from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.studio import Studio
from faceswapd.sinks.encoders import Encoder
from faceswapd.sinks.mastering import mastered

MASTER = (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
)


def film(path: Path, params: str) -> Path:
    with av.open(path, "w") as file:
        video = file.add_stream("libx265", rate=30, options={"x265-params": f"log-level=none:{params}"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p10le"
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, 16
        for n in range(3):
            picture = av.VideoFrame.from_ndarray(stripes(n, (64, 64)), "bgr24").reformat(format="yuv420p10le")
            picture.pts = n
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
    return path


def told(path: Path) -> dict[str, list[float]]:
    """What the first frame says, as numbers."""
    with av.open(path) as file:
        all_: Any = next(file.decode(video=0)).side_data
        beside = {d.type.name: bytes(d) for d in all_}
    display = memoryview(beside.get("MASTERING_DISPLAY_METADATA", b"")).cast("i").tolist()
    light = [float(n) for n in memoryview(beside.get("CONTENT_LIGHT_LEVEL", b"")).cast("I")]
    return {"display": [a / b for a, b in zip(display[:20:2], display[1:20:2], strict=True)], "light": light}


@pytest.mark.parametrize("encoder", ["hevc", "libsvtav1"])
def test_it_is_said_again_where_the_light_is_kept(studio: Studio, tmp_path: Path, encoder: str) -> None:
    source = film(tmp_path / "a.mkv", MASTER)
    preset = "ultrafast" if encoder == "hevc" else "12"
    run(studio, source, tmp_path / "b.mp4", FilmOptions(encoder=encoder, preset=preset))
    one, other = told(source), told(tmp_path / "b.mp4")
    assert one["light"] == other["light"] == [1000, 400]
    assert other["display"] == pytest.approx(one["display"], abs=1e-4)
    assert len(one["display"]) == 10


def test_an_ordinary_film_says_nothing_of_it(studio: Studio, tmp_path: Path) -> None:
    run(studio, film(tmp_path / "a.mkv", MASTER), tmp_path / "b.mp4", FilmOptions(preset="ultrafast"))
    assert told(tmp_path / "b.mp4") == {"display": [], "light": []}
    run(
        studio,
        film(tmp_path / "c.mkv", "repeat-headers=1"),
        tmp_path / "d.mp4",
        FilmOptions(encoder="hevc", preset="ultrafast"),
    )
    assert told(tmp_path / "d.mp4") == {"display": [], "light": []}


def test_encoders_without_words_for_it_stay_as_they_are() -> None:
    nvenc = Encoder("hevc_nvenc", "hevc", "nv12", {"preset": "p7"})
    assert mastered(nvenc, bytes(88), bytes(8)) is nvenc
    x265 = Encoder("libx265", "hevc", "yuv420p", {})
    assert mastered(x265, b"", b"") is x265
    assert mastered(x265, bytes(88), b"") is x265  # neither colours nor light are known
