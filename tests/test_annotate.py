"""What stands beside the pixels of TIFF and AVIF, read back by FFmpeg too."""

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from test_picture import scene

from faceswapd.capture import heif
from faceswapd.capture.heif import Heif
from faceswapd.capture.picture import load, upright
from faceswapd.core import tiff
from faceswapd.core.metadata import Metadata
from faceswapd.sinks import annotate
from faceswapd.sinks.picture import save

PROFILE = bytes(16) + b"RGB XYZ " + bytes(100) + b"odd"
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


@pytest.mark.parametrize("name", ["a.tiff", "a.avif"])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_colour_profile_comes_back(tmp_path: Path, name: str, alpha: bool) -> None:
    pixels = np.dstack([scene(), scene()[..., 0]]) if alpha else scene()
    save(tmp_path / f"plain-{name}", pixels)
    lost = save(tmp_path / name, pixels, Metadata(profile=PROFILE))
    assert lost == ()
    there = load(tmp_path / name)
    assert there.metadata == Metadata(profile=PROFILE, tags=there.metadata.tags)
    np.testing.assert_array_equal(there.stored, load(tmp_path / f"plain-{name}").stored)
    with av.open(tmp_path / name) as one, av.open(tmp_path / f"plain-{name}") as other:
        seen, plain = (next(file.decode(video=0)).to_ndarray(format="bgr24") for file in (one, other))
        np.testing.assert_array_equal(seen, plain)


def test_xmp_comes_back_in_a_tiff(tmp_path: Path) -> None:
    lost = save(tmp_path / "a.tif", scene(), Metadata(xmp=PACKET, profile=PROFILE))
    assert lost == ()
    assert load(tmp_path / "a.tif").metadata == Metadata(xmp=PACKET, profile=PROFILE)
    assert tiff.pages((tmp_path / "a.tif").read_bytes()) == 1


def test_an_avif_has_all_of_it_at_once(tmp_path: Path) -> None:
    beside = Metadata({tiff.MAKE: tiff.Value(tiff.ASCII, b"Camera\0")}, xmp=PACKET, profile=PROFILE)
    assert save(tmp_path / "a.avif", np.dstack([scene(), scene()[..., 0]]), beside) == ()
    assert load(tmp_path / "a.avif").metadata == beside


def test_tags_of_a_tiff_stay_in_order_in_either_order_of_bytes() -> None:
    width = struct.pack("<H", 7)
    for order, head in (("<", b"II*\0"), (">", b"MM\0*")):
        small = (
            head + struct.pack(order + "IH", 8, 1) + struct.pack(order + "HHIHH", 256, 3, 1, 7, 0) + bytes(4)
        )
        out = annotate.tiff_file(small, Metadata({tiff.MAKE: tiff.short(5)}, xmp=PACKET, profile=PROFILE))
        assert tiff.read(out) == {
            256: tiff.Value(tiff.SHORT, width),
            tiff.MAKE: tiff.short(5),
            tiff.XMP: tiff.Value(tiff.BYTE, PACKET),
            tiff.PROFILE: tiff.Value(tiff.UNDEFINED, PROFILE),
        }
        assert tiff.order(out) == order
    assert annotate.tiff_file(b"anything", Metadata()) == b"anything"


def test_a_jpeg_has_its_profile_in_as_many_segments_as_it_needs() -> None:
    jpeg = cv2.imencode(".jpg", scene())[1].tobytes()
    out = annotate.jpeg(jpeg, Metadata(profile=PROFILE + bytes(100_000), density=(300.0, 299.6)))
    assert out.count(b"ICC_PROFILE\0") == 2
    assert out[13:18] == struct.pack(">BHH", 1, 300, 300)
    np.testing.assert_array_equal(
        cv2.imdecode(np.frombuffer(out, np.uint8), -1), cv2.imdecode(np.frombuffer(jpeg, np.uint8), -1)
    )


TURNS = [
    (1, []),
    (2, [(b"imir", 1)]),
    (3, [(b"irot", 2)]),
    (4, [(b"imir", 0)]),
    (5, [(b"irot", 1), (b"imir", 0)]),
    (6, [(b"irot", 3)]),
    (7, [(b"irot", 3), (b"imir", 0)]),
    (8, [(b"irot", 1)]),
]
"""As libavif writes EXIF's orientations."""


@pytest.mark.parametrize(("orientation", "properties"), TURNS)
def test_an_avif_is_upright_as_its_own_properties_say(
    tmp_path: Path, orientation: int, properties: list[tuple[bytes, int]]
) -> None:
    save(tmp_path / "a.avif", scene(), Metadata({tiff.MAKE: tiff.short(1)}))
    content = stored = (tmp_path / "a.avif").read_bytes()
    for name, value in properties:
        content = annotate.described(content, name, bytes([value]), essential=True)
    (tmp_path / "b.avif").write_bytes(content)
    assert heif.orientation(Heif(content).said) == orientation
    lying = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(load(tmp_path / "b.avif").pixels, upright(lying, orientation))
