from typing import Any

import numpy as np
import pytest

from faceswapd.core.effect import Effect
from faceswapd.faces.attributes import Attributes
from faceswapd.faces.canonical import canonical
from faceswapd.faces.face import Face
from faceswapd.faces.overlay import draw, lines
from faceswapd.processors.annotate import Annotate, AnnotateParams
from faceswapd.processors.processor import Picture, Workshop


def face(score: float = 0.9, **more: Any) -> Face:
    """The canonical face, 100 pixels wide, in the middle of 400 x 400."""
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468] = canonical().xyz * np.array([6, -6, 6], np.float32) + np.array([200, 200, 0], np.float32)
    mesh[468:473], mesh[473:] = mesh[133], mesh[362]
    box = np.array([150, 140, 250, 260], np.float32)
    return Face(7, box, mesh, score, **more)


def black() -> Any:
    return np.zeros((400, 400, 3), np.uint8)


def test_box_and_points_are_where_they_are_known() -> None:
    five = np.array([[180, 180], [220, 180], [200, 200], [185, 230], [215, 230]], np.float32)
    pixels = black()
    draw(pixels, face(five=five), text=False)

    assert pixels[140, 200].any()
    assert pixels[200, 150].any()
    for x, y in five.astype(int).tolist():
        assert pixels[y, x].tolist() == [60, 220, 255]
    assert not pixels[150:170, 160:240].any()


def test_what_only_a_detector_sees_has_no_points() -> None:
    pixels = black()
    draw(pixels, face(score=0.0), mesh=True, text=False)

    assert np.ptp(pixels.astype(int), axis=2).max() == 0, "grey"
    assert not pixels[145:255, 155:245].any()


def test_words_tell_what_is_known() -> None:
    assert lines(face(attributes=Attributes("female", 33))) == [
        "#7 0.90",
        "female, 33",
        "pitch +0 yaw +0 roll +0",
    ]
    assert lines(face(score=0.0)) == ["#7 detector only"]
    assert lines(face(held_ns=300_000_000))[0] == "#7 0.90 held 0.3 s"


@pytest.mark.parametrize(
    ("part", "there"), [("box", (140, 200)), ("text", (275, 160)), ("points", (200, 200))]
)
def test_each_part_can_be_left_out(part: str, there: tuple[int, int]) -> None:
    nothing: Any = None
    five = np.full((5, 2), 200, np.float32)

    def drawn(**params: bool) -> Any:
        render = Annotate(Workshop(nothing, nothing)).prepare(AnnotateParams(**params))
        picture = render(Picture(black(), (face(five=five),)))
        assert (picture.effect, picture.treated) == (Effect.NONE, frozenset())
        y, x = there
        return picture.pixels[y - 3 : y + 4, x - 8 : x + 9]

    others = {name: False for name in ("box", "points", "text") if name != part}
    assert drawn(**others).any()
    assert not drawn(box=False, points=False, text=False).any()
