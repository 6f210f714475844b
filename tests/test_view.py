import itertools

import cv2
import numpy as np
import pytest
from fakes import FakeModels

from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Pixels
from faceswapd.faces.face import Face
from faceswapd.processors.processor import Effect, Picture, Workshop
from faceswapd.processors.view import View, ViewParams, matrix

SIZE = (96, 64)
SPOT = (40.0, 27.0)


class NoWardrobe:
    def photo(self, name: str) -> Pixels:
        raise UsageError(f"no face is called {name}")


def seen(params: ViewParams, size: tuple[int, int] = SIZE) -> tuple[Picture, Picture]:
    """A soft spot on black with a face right there, before and after."""
    w, h = size
    y, x = np.mgrid[:h, :w]
    spot = 255 * np.exp(-((x - SPOT[0]) ** 2 + (y - SPOT[1]) ** 2) / 18)
    points = np.tile(np.array([*SPOT, 0], np.float32), (478, 1))
    face = Face(3, np.array([24, 16, 32, 24], np.float32), points, 1.0)
    before = Picture(
        np.repeat(spot.astype(np.uint8)[..., None], 3, axis=2), (face,), Effect.SWAPPED, frozenset({3}), frozenset({4})
    )  # fmt: skip
    return before, View(Workshop(FakeModels(), NoWardrobe())).prepare(params)(before)


def spot(pixels: Pixels) -> tuple[float, float]:
    moments = cv2.moments(pixels[..., 0].astype(np.float32))
    return moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]


@pytest.mark.parametrize("size", [SIZE, (64, 64)])
@pytest.mark.parametrize(
    ("mirror", "flip", "rotate", "zoom", "crop"),
    list(
        itertools.product((False, True), (False, True), ("0", "90", "180", "270"), (1.0, 1.5), (False, True))
    ),
)
def test_pixels_and_faces_move_alike(
    size: tuple[int, int], mirror: bool, flip: bool, rotate: str, zoom: float, crop: bool
) -> None:
    params = ViewParams(mirror=mirror, flip=flip, rotate=rotate, zoom=zoom, crop=crop)  # type: ignore[arg-type]

    before, after = seen(params, size)

    assert after.pixels.shape == before.pixels.shape
    assert after.pixels.flags.c_contiguous
    assert spot(after.pixels) == pytest.approx(after.faces[0].points[0, :2].tolist(), abs=0.3)
    assert (after.effect, after.treated, after.spared) == (before.effect, before.treated, before.spared)


@pytest.mark.parametrize(
    ("params", "place"),
    [
        (ViewParams(mirror=True), (95 - 40, 27)),
        (ViewParams(flip=True), (40, 63 - 27)),
        (ViewParams(rotate="180"), (95 - 40, 63 - 27)),
        (ViewParams(rotate="90", crop=True), (47.5 + 4.5 * 1.5, 31.5 - 7.5 * 1.5)),
        (ViewParams(zoom=2, x=0, y=0), (40 * 2 + 0.5, 27 * 2 + 0.5)),
        (ViewParams(zoom=2), (47.5 - 15, 31.5 - 9)),
    ],
)
def test_where_the_picture_goes(params: ViewParams, place: tuple[float, float]) -> None:
    assert matrix(params, SIZE) @ [*SPOT, 1] == pytest.approx(place, abs=1e-4)


def test_a_turn_leaves_borders_or_fills_the_frame() -> None:
    white = Picture(np.full((64, 96, 3), 255, np.uint8), ())
    view = View(Workshop(FakeModels(), NoWardrobe()))

    borders = view.prepare(ViewParams(rotate="90"))(white).pixels
    filled = view.prepare(ViewParams(rotate="90", crop=True))(white).pixels

    assert borders[:, 48].all()
    assert not borders[:, :20].any()
    assert not borders[:, -20:].any()
    assert filled.all()


def test_nothing_to_do_does_nothing() -> None:
    before, after = seen(ViewParams())

    assert after is before
