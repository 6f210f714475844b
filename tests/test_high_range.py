"""Films of high dynamic range that keep it: what processors see, and what is written back."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from test_film_job import QUICK, run, step
from test_film_job import studio as studio

from faceswapd.capture.tonemap import HLG, PQ, WHITE_NITS, restored, tone_mapped
from faceswapd.capture.upright import Upright
from faceswapd.daemon.studio import Studio
from faceswapd.processors.chain import Chain
from faceswapd.processors.processor import Picture
from faceswapd.sinks.develop import Developer, Grade
from faceswapd.sinks.encoders import Encoder
from faceswapd.sinks.segments import Print

SIZE = (160, 96)
DEEP: Any = "yuv420p10le"
BOX = np.s_[32:64, 48:96]
SKIN = (140, 170, 215)
"""BGR of an ordinary picture."""


def nits(code: Any, transfer: int) -> Any:
    """Light of codes 0 to 1, written down again from ITU-R BT.2100, table 4 (PQ) and table 5 (HLG, 1000 cd/m2)."""
    if transfer == PQ:
        power = code ** (32 / 2523)
        return 10_000 * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (
            8192 / 1305
        )
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return 1000 * scene**1.2


def stored(transfer: int) -> av.VideoFrame:
    """From black to the brightest code, with all ten bits in use."""
    frame = av.VideoFrame(*SIZE, "yuv420p10le")
    rng = np.random.default_rng(1)
    for n, plane in enumerate(frame.planes):
        wide = plane.line_size // 2
        ramp = np.linspace(64, 940, wide)[None, :] if n == 0 else np.full((1, wide), 512.0)
        noise = rng.integers(-2, 3, (plane.height, wide))
        plane.update(np.clip(ramp + noise, 64, 940).astype(np.uint16).tobytes())
    frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 9, 9, transfer, 1
    return frame


def planes(frame: av.VideoFrame) -> list[Any]:
    return [
        np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width].astype(int)  # type: ignore[call-overload]
        for plane in frame.planes
    ]


def developed(transfer: int, *, plain: bool = True) -> tuple[list[Any], list[Any], Any]:
    """(planes before, planes after, what the processor drew into)."""
    original, upright = stored(transfer), Upright()
    print_ = Print(Encoder("libx265", "hevc", DEEP), SIZE, Fraction(30), Fraction(1, 30), 9, 9, transfer)
    grade = Grade(upright, lambda drawn: restored(drawn, transfer))
    before = tone_mapped(upright(original), transfer)
    after = before.copy()
    after[BOX] = SKIN
    out = Developer(print_, plain=plain, grade=grade).develop(original, before, after)
    assert out.format.name == "yuv420p10le"
    return planes(original), planes(out), before


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_was_left_alone_keeps_its_ten_bits(transfer: int) -> None:
    before, after, seen = developed(transfer)
    untouched = np.ones(before[0].shape, bool)
    untouched[BOX] = False
    assert np.array_equal(before[0][untouched], after[0][untouched])
    for plane in (1, 2):
        same = before[plane] == after[plane]
        same[16:32, 24:48] = True
        assert same.all()
    assert seen[:, -1].min() > 250  # the processors see an ordinary picture, bright parts pressed together


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_face_of_an_ordinary_picture_is_as_bright_as_it_was(transfer: int, plain: bool) -> None:
    _, after, _ = developed(transfer, plain=plain)
    y, cb, cr = (
        p[s].mean()
        for p, s in zip(after, (np.s_[36:60, 52:92], np.s_[20:28, 28:44], np.s_[20:28, 28:44]), strict=True)
    )
    luma, blue, red = (y - 64) / 876, (cb - 512) / 896, (cr - 512) / 896
    rgb = np.array([luma + 1.4746 * red, 0.0, luma + 1.8814 * blue])
    rgb[1] = (luma - 0.2627 * rgb[0] - 0.0593 * rgb[2]) / 0.6780
    light = nits(rgb, transfer) @ (0.2627, 0.6780, 0.0593)
    # By BT.709 this skin has 43 % of white's light; as codes of PQ it would be thirty times as bright.
    assert 0.25 * WHITE_NITS < light < 0.65 * WHITE_NITS
    shown = tone_mapped(np.rint(rgb[::-1].reshape(1, 1, 3) * 255).astype(np.uint8), transfer)[0, 0]
    assert np.abs(shown.astype(int) - SKIN).max() <= 8


@pytest.mark.parametrize("plain", [True, False])
def test_nothing_brighter_than_white_shows_through_a_cover(plain: bool) -> None:
    """Where a face is so bright that both pictures are white, its own light must not come back."""
    original, upright = stored(PQ), Upright()
    grade = Grade(upright, lambda drawn: restored(drawn, PQ))
    print_ = Print(Encoder("libx265", "hevc", DEEP), SIZE, Fraction(30), Fraction(1, 30), 9, 9, PQ)
    before = tone_mapped(upright(original), PQ)
    after = before.copy()
    part = np.s_[20:80, 60:156]
    after[part] = 255  # from grey to what was white already
    assert (before[part] == 255).all(axis=2).mean() > 0.2
    after[20:80, 60:64] = after[20:80, 152:156] = 250
    luma = planes(Developer(print_, plain=plain, grade=grade).develop(original, before, after))[0]
    assert planes(original)[0][24:76, 148:150].min() > 850
    assert luma[24:76, 64:152].max() < 64 + 876 * 0.65


def frames_of(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(path) as file:
        yield from file.decode(video=0)


def test_a_film_keeps_its_range_around_a_face(studio: Studio, tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(source, "w") as file:
        stream: Any = file.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p10le"
        stream.codec_context.color_trc, stream.codec_context.color_primaries = PQ, 9
        stream.codec_context.colorspace = 9
        for n in range(5):
            frame = stored(PQ)
            frame.pts = n
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    seen = []

    def wears(picture: Picture) -> Picture:
        seen.append(int(picture.pixels[:, 100].mean()))
        picture.pixels[BOX] = SKIN
        return replace(picture)

    studio.chain = Chain((step(wears),))
    options = msgspec.structs.replace(QUICK, encoder="libx265", quality=100)
    assert run(studio, source, tmp_path / "b.mp4", options).notes == ()
    [first, *_] = frames_of(tmp_path / "b.mp4")
    assert (first.format.name, first.color_trc, int(first.colorspace)) == ("yuv420p10le", PQ, 9)
    luma, original = planes(first)[0], planes(stored(PQ))[0]
    away = np.ones(luma.shape, bool)
    away[24:72, 40:104] = False
    assert np.abs(luma - original)[away].mean() < 4  # of 1023: the encoder's own loss
    assert luma[:, 150:].min() > 850  # bright parts stay bright
    assert np.abs(luma[40:56, 56:88] - planes_of_skin()).max() < 12
    assert 150 < seen[0] <= 255


def planes_of_skin() -> float:
    codes = restored(np.full((2, 2, 3), SKIN, np.uint8), PQ)[0, 0]
    return float(64 + 876 * (codes[::-1] @ (0.2627, 0.6780, 0.0593)))
