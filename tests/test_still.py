import struct
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest

from faceswapd.capture.sources import make_source
from faceswapd.capture.still import Still, load_picture
from faceswapd.core.errors import BadInputError, MissingInputError
from faceswapd.core.frame import Pixels
from faceswapd.core.picture_format import WRITABLE, PictureFormat, in_words


def corners() -> Pixels:
    """40x20, the upper left quarter red."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :20] = (0, 0, 255)
    return pixels


def with_orientation(jpeg: bytes, value: int) -> bytes:
    """The JPEG with an EXIF block that holds nothing but the orientation."""
    tiff = b"II*\0" + struct.pack("<IHHHIIH", 8, 1, 0x0112, 3, 1, value, 0) + bytes(4)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_a_picture_is_given_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "größe 写真.png"
    path.write_bytes(cv2.imencode(".png", corners())[1].tobytes())
    still = Still(path, fps=25)
    still.open()
    shots = [still.read() for _ in range(3)]

    assert still.size == (40, 20)
    assert still.name == str(path)
    assert (shots[2].pixels == corners()).all()
    assert [s.pts_s for s in shots] == pytest.approx([0, 0.04, 0.08])
    assert not shots[0].pixels.flags.writeable
    still.close()


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        (1, (40, 20), "top left"),
        (3, (40, 20), "bottom right"),
        (6, (20, 40), "top right"),
        (8, (20, 40), "bottom left"),
    ],
)
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int, size: tuple[int, int], red: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(with_orientation(cv2.imencode(".jpg", corners())[1].tobytes(), orientation))
    pixels = load_picture(path)

    assert (pixels.shape[1], pixels.shape[0]) == size
    row, column = (2 if "top" in red else -3), (2 if "left" in red else -3)
    assert pixels[row, column, 2] > 200
    assert pixels[-row, -column, 2] < 60


def test_transparency_and_grey_become_bgr(tmp_path: Path) -> None:
    for name, picture in (("a.png", np.zeros((4, 6, 4), np.uint8)), ("g.png", np.zeros((4, 6), np.uint8))):
        (tmp_path / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        assert load_picture(tmp_path / name).shape == (4, 6, 3)


@pytest.mark.parametrize("kind", WRITABLE, ids=lambda kind: kind.value)
@pytest.mark.parametrize("suffix", [0, -1])
def test_every_format_that_is_named_is_read(tmp_path: Path, kind: PictureFormat, suffix: int) -> None:
    path = tmp_path / f"photo{kind.suffixes[suffix].upper()}"
    path.write_bytes(cv2.imencode(kind.suffixes[0], corners())[1].tobytes())
    still = make_source(str(path), (1280, 720), 30)

    assert isinstance(still, Still)
    still.open()
    assert still.read().pixels[5, 5].astype(int) == pytest.approx((0, 0, 255), abs=20)
    assert kind.value in in_words()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + bytes(20)])
def test_what_is_no_picture_is_bad_input(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)

    with pytest.raises(BadInputError, match=rf"photo\.jpg is (damaged: get it|no picture: {in_words()})"):
        Still(path).open()


def test_a_file_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="there is no such file"):
        Still(tmp_path / "nothing.png").open()
    with pytest.raises(MissingInputError, match="that is a folder"):
        Still(tmp_path).open()
    with (
        mock.patch("pathlib.Path.read_bytes", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(MissingInputError, match="Permission denied"),
    ):
        Still(tmp_path / "secret.png").open()
