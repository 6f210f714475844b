import numpy as np
import pytest

from faceswapd.core.frame import Pixels, Points
from faceswapd.faces.canonical import canonical
from faceswapd.faces.texture import LARGEST, Texture


def photo(scale: float, width: int, height: int) -> tuple[Pixels, Points]:
    """A picture whose colours tell the place: blue grows to the right, green downwards."""
    y, x = np.mgrid[:height, :width]
    pixels = np.dstack([x * 255 // width, y * 255 // height, np.full_like(x, 120)]).astype(np.uint8)
    points = canonical().xyz * np.array([scale, -scale, -scale], np.float32)
    return pixels, np.asarray(points + np.array([width / 2, height / 2, 0], np.float32))


def looked_up(texture: Texture, level: int) -> np.ndarray:
    picture = texture.levels[level]
    height, width = picture.shape[:2]
    x = (texture.values[:468, 0] * width - 0.5).round().astype(int).clip(0, width - 1)
    y = (texture.values[:468, 1] * height - 0.5).round().astype(int).clip(0, height - 1)
    return np.asarray(picture[y, x, :3].astype(float))


@pytest.mark.parametrize("scale", [8, 20, 60])
def test_each_corner_of_the_mesh_lies_where_it_lay_in_the_photo(scale: float) -> None:
    pixels, points = photo(scale, 1600, 1500)

    texture = Texture.of_photo(pixels, points)

    where = points[:, :2].round().astype(int)
    for level in (0, 1):
        found = looked_up(texture, level)
        assert np.abs(found - pixels[where[:, 1], where[:, 0]]).max() <= 3


def test_a_large_face_is_kept_no_larger_than_it_is_ever_seen() -> None:
    texture = Texture.of_photo(*photo(60, 1600, 1500))

    assert texture.height == pytest.approx(LARGEST, rel=0.01)
    assert max(texture.levels[0].shape) < 1.3 * LARGEST


def test_a_face_at_the_border_of_its_photo_goes_on() -> None:
    pixels, points = photo(20, 400, 400)
    points[:, 0] -= 150

    texture = Texture.of_photo(pixels, points)

    assert texture.values.min() > 0
    assert texture.values.max() <= 1
    assert texture.levels[0][:, 0, :3].min(axis=0)[2] == 120, "continued, not black"


def test_the_level_is_never_much_too_small_and_never_far_too_large() -> None:
    texture = Texture.of_photo(*photo(30, 800, 800))

    for wanted in np.geomspace(10, 3000, 40):
        level, size = texture.level(float(wanted))
        kept = texture.height * size[0] / texture.levels[0].shape[1]
        assert level.shape[1::-1] == size
        assert kept >= 0.8 * min(wanted, texture.height)
        assert kept <= max(2.6 * wanted, 16)


def test_a_face_of_no_height_has_a_level_too() -> None:
    texture = Texture.of_photo(*photo(30, 800, 800))

    assert texture.level(0.0)[1][0] >= 1
