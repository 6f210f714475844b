from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswapd.core.errors import BadInputError, UsageError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.params import changed, describe
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces import masks
from faceswapd.faces.face import Face
from faceswapd.inference.engines import Engines
from faceswapd.processors.mesh_swap import MASK, MeshSwap, MeshSwapParams
from faceswapd.processors.processor import Effect, Picture, Workshop
from faceswapd.processors.track_faces import FaceTracker

ASSETS = Path(__file__).parent / "assets"


class Photos:
    """A wardrobe of test pictures."""

    def photo(self, name: str) -> Pixels:
        if name == "wall":
            return np.full((200, 200, 3), 140, np.uint8)
        found = cv2.imread(str(ASSETS / name))
        if found is None:
            raise UsageError(f"unknown face {name!r}", "add it first")
        return np.asarray(found, np.uint8)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    cache = tmp_path_factory.mktemp("engines") / "engines.json"
    engines = Engines(InferenceSettings(engine="onnxruntime", precision="fp32"), cache=cache)
    yield Workshop(engines, Photos())
    engines.close()


@pytest.fixture(scope="module")
def astronaut(workshop: Workshop) -> tuple[Pixels, Face]:
    return portrait("astronaut.png", workshop)


@pytest.fixture(scope="module")
def other(workshop: Workshop) -> tuple[Pixels, Face]:
    return portrait("obama.jpg", workshop)


def portrait(name: str, workshop: Workshop) -> tuple[Pixels, Face]:
    photo = Photos().photo(name)
    (face,) = FaceTracker(workshop.models).track(Frame(0, 0, photo), every_frame=True).faces
    return photo, face


def worn(workshop: Workshop, pixels: Pixels, *faces: Face, **params: object) -> Picture:
    swap = MeshSwap(workshop)
    picture = Picture(pixels.copy(), faces)
    return swap.prepare(changed(MeshSwapParams(), params))(picture)


def inside(pixels: Pixels, face: Face, grow: float = 0.0) -> NDArray[np.bool_]:
    return np.asarray(masks.oval_mask(face.points, pixels.shape[:2], grow) > 127)


def difference(a: Pixels, b: Pixels) -> NDArray[np.float64]:
    return np.asarray(np.abs(a.astype(float) - b).mean(axis=2))


def scaled(
    pixels: Pixels, face: Face, factor: float, at: tuple[float, float], size: tuple[int, int]
) -> tuple[Pixels, Face]:
    """The same picture drawn smaller or larger, the middle of its face at a place of a frame of `size`."""
    middle = face.points[:, :2].mean(axis=0) * factor
    matrix = np.array([[factor, 0, at[0] - middle[0]], [0, factor, at[1] - middle[1]]], np.float32)
    drawn = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8), face.moved(matrix)


def test_ones_own_face_is_nearly_invisible(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut

    out = worn(workshop, pixels, face, face="astronaut.png")

    assert difference(out.pixels, pixels)[inside(pixels, face)].mean() < 1.0
    assert np.percentile(difference(out.pixels, pixels), 99.9) < 8


def test_anothers_face_is_worn_and_the_rest_stays(
    workshop: Workshop, astronaut: tuple[Pixels, Face], other: tuple[Pixels, Face]
) -> None:
    pixels, face = astronaut

    out = worn(workshop, pixels, face, face="obama.jpg")

    change = difference(out.pixels, pixels)
    assert change[inside(pixels, face, -0.2)].mean() > 8
    assert change[~inside(pixels, face, 0.25)].max() == 0
    assert out.effect is Effect.SWAPPED
    assert out.treated == {face.id}
    assert out.faces == (face,)


def test_a_worn_face_takes_on_the_scenes_colour(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    blue = np.clip(pixels * np.array([1.0, 0.75, 0.5]), 0, 255).astype(np.uint8)
    core = inside(pixels, face, -0.25)

    matched = worn(workshop, blue, face, face="obama.jpg", colour=1.0).pixels[core].mean(axis=0)
    plain = worn(workshop, blue, face, face="obama.jpg", colour=0.0).pixels[core].mean(axis=0)

    assert matched == pytest.approx(blue[core].mean(axis=0), rel=0.1)
    assert plain[0] < plain[2], "an unmatched face keeps its warm skin"


def test_eyes_and_mouth_are_the_wearers_own_where_kept(
    workshop: Workshop, astronaut: tuple[Pixels, Face]
) -> None:
    pixels, face = scaled(*astronaut, 3.0, (400, 400), (800, 800))
    irises = np.rint(face.points[[468, 473], :2]).astype(int)
    teeth = np.rint(face.points[[13, 14], :2].mean(axis=0)).astype(int)

    def change(**params: object) -> tuple[float, float]:
        found = difference(worn(workshop, pixels, face, face="obama.jpg", **params).pixels, pixels)
        return float(found[irises[:, 1], irises[:, 0]].max()), float(found[teeth[1], teeth[0]])

    eyes, mouth = change()
    assert max(eyes, mouth) < 2
    eyes, mouth = change(keep_eyes=False, keep_mouth=False, colour=0.0)
    assert min(eyes, mouth) > 4


def test_the_painted_mask_leaves_the_eyes_and_covers_the_face(
    workshop: Workshop, astronaut: tuple[Pixels, Face]
) -> None:
    pixels, face = astronaut

    out = worn(workshop, pixels, face).pixels

    change = difference(out, pixels)
    eyes = np.rint(face.points[[468, 473], :2]).astype(int)
    assert change[eyes[:, 1], eyes[:, 0]].max() < 3
    assert (change[inside(pixels, face, -0.2)] > 5).mean() > 0.85
    assert change[~inside(pixels, face, 0.2)].max() == 0


def test_the_painted_mask_is_darker_in_the_dark(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    dark = (pixels * 0.3).astype(np.uint8)
    core = inside(pixels, face, -0.1)

    bright = worn(workshop, pixels, face).pixels[core].mean()

    assert worn(workshop, dark, face).pixels[core].mean() < 0.75 * bright


def test_a_shadow_falls_on_the_painted_mask(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    shaded = pixels.copy()
    nose = int(face.points[1, 0])
    shaded[:, :nose] = (shaded[:, :nose] * 0.4).astype(np.uint8)
    core = inside(pixels, face, -0.2)
    left, right = core.copy(), core.copy()
    left[:, nose:], right[:, :nose] = False, False

    out = worn(workshop, shaded, face).pixels

    assert out[left].mean() < 0.8 * out[right].mean()


def test_opacity_mixes(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    core = inside(pixels, face, -0.2)

    whole, half = (
        difference(worn(workshop, pixels, face, opacity=o).pixels, pixels)[core].mean() for o in (1.0, 0.5)
    )

    assert half == pytest.approx(whole / 2, rel=0.06)


def test_it_never_gets_so_thin_that_the_wearer_is_recognised(workshop: Workshop) -> None:
    with pytest.raises(UsageError, match="opacity"):
        changed(MeshSwapParams(), {"opacity": 0.4})


def test_what_only_a_detector_saw_is_not_worn_on(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    picture = worn(workshop, pixels, replace(face, score=0.0))

    assert picture.treated == frozenset()
    assert np.array_equal(picture.pixels, pixels)


def test_a_wider_feather_changes_the_edge_less(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    edge = inside(pixels, face) & ~inside(pixels, face, -0.12)

    hard, soft = (
        difference(worn(workshop, pixels, face, face="obama.jpg", feather=f, colour=0.0).pixels, pixels)[
            edge
        ].mean()
        for f in (0.0, 0.3)
    )

    assert soft < 0.5 * hard


def test_everybody_or_only_who_was_there_first_however_large_another_gets(
    workshop: Workshop, astronaut: tuple[Pixels, Face]
) -> None:
    pixels, face = astronaut
    small, small_face = scaled(pixels, face, 0.5, (100, 100), (512, 512))
    small[:, 256:] = pixels[:, :256]
    large_face = replace(face.moved(np.array([[1, 0, 256], [0, 1, 0]], np.float32)), id=7)

    both = worn(workshop, small, small_face, large_face)
    one = worn(workshop, small, small_face, large_face, faces="first")

    assert both.treated == {small_face.id, 7}
    assert both.spared == frozenset()
    assert small_face.id < 7
    assert one.treated == {small_face.id}
    assert one.spared == {7}
    assert np.array_equal(one.pixels[:, 256:], small[:, 256:])


def test_a_held_face_stays_covered(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    held = replace(face, held_ns=200_000_000)

    out = worn(workshop, pixels, held)

    assert out.treated == {face.id}
    assert np.array_equal(out.pixels, worn(workshop, pixels, face).pixels)


def test_what_was_done_before_is_not_forgotten(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = astronaut
    before = Picture(pixels.copy(), (face,), Effect.ANONYMIZED, frozenset({3}), frozenset({4}))

    out = MeshSwap(workshop).prepare(MeshSwapParams())(before)

    assert out.effect == Effect.ANONYMIZED | Effect.SWAPPED
    assert out.treated == {3, face.id}
    assert out.spared == {4}


def test_without_a_face_nothing_changes(workshop: Workshop) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)

    out = worn(workshop, pixels)

    assert np.array_equal(out.pixels, pixels)
    assert out.effect is Effect.NONE
    assert not out.treated


@pytest.mark.parametrize("face_name", [MASK, "obama.jpg"])
@pytest.mark.parametrize("at", [(0, 180), (639, 180), (320, 0), (320, 359), (640, 360)])
def test_a_face_partly_outside_of_the_frame_is_covered_as_far_as_it_is_seen(
    workshop: Workshop, astronaut: tuple[Pixels, Face], at: tuple[int, int], face_name: str
) -> None:
    pixels, face = scaled(*astronaut, 2.0, at, (640, 360))
    wide, wide_face = scaled(*astronaut, 2.0, (at[0] + 400, at[1] + 400), (1440, 1160))

    out = worn(workshop, pixels, face, face=face_name)
    whole = worn(workshop, wide, wide_face, face=face_name).pixels[400:760, 400:1040]

    seen = inside(pixels, face, -0.15)
    assert out.treated == {face.id}
    assert difference(out.pixels, pixels)[seen].mean() > 4
    # The light is judged by what is seen; the shapes are the same.
    assert difference(out.pixels, whole)[seen].mean() < 20


@pytest.mark.parametrize("factor", [0.05, 0.2, 12.0])
@pytest.mark.parametrize("face_name", [MASK, "obama.jpg"])
def test_faces_of_every_size_are_covered(
    workshop: Workshop, astronaut: tuple[Pixels, Face], factor: float, face_name: str
) -> None:
    pixels, face = scaled(*astronaut, factor, (320, 180), (640, 360))

    out = worn(workshop, pixels, face, face=face_name, colour=0.0)

    assert out.treated == {face.id}
    assert difference(out.pixels, pixels)[inside(pixels, face, -0.2)].mean() > 3


def test_a_mesh_that_cannot_be_drawn_is_not_said_to_be_covered(
    workshop: Workshop, astronaut: tuple[Pixels, Face]
) -> None:
    pixels, face = astronaut
    broken = replace(face, points=np.full_like(face.points, np.nan))
    away = face.moved(np.array([[1, 0, 5000], [0, 1, 0]], np.float32))

    for bad in (broken, away):
        out = worn(workshop, pixels, bad)

        assert not out.treated
        assert np.array_equal(out.pixels, pixels)


def test_every_expression_is_drawn_the_same_by_all_threads(
    workshop: Workshop, astronaut: tuple[Pixels, Face]
) -> None:
    pixels, face = astronaut
    render = MeshSwap(workshop).prepare(MeshSwapParams(face="obama.jpg"))
    first = render(Picture(pixels.copy(), (face,))).pixels

    with ThreadPoolExecutor(4) as pool:
        outs = list(pool.map(lambda _: render(Picture(pixels.copy(), (face,))).pixels, range(24)))

    assert all(np.array_equal(out, first) for out in outs)


def test_a_closing_eye_closes_the_worn_one(workshop: Workshop, astronaut: tuple[Pixels, Face]) -> None:
    pixels, face = scaled(*astronaut, 3.0, (400, 400), (800, 800))
    points = face.points.copy()
    for upper, lower in ((159, 145), (158, 153), (160, 144), (157, 154), (161, 163), (173, 155), (246, 7)):
        points[upper, :2] = points[lower, :2] - np.array([0, 0.5], np.float32)
    box = np.rint(
        [*points[list(masks.RIGHT_EYE), :2].min(axis=0), *points[list(masks.RIGHT_EYE), :2].max(axis=0)]
    )
    x0, y0, x1, y1 = box.astype(int)

    def darkest(face: Face) -> float:
        out = worn(workshop, pixels, face, face="obama.jpg", keep_eyes=False, colour=0.0).pixels
        return float(np.percentile(out[y0 - 14 : y1, x0:x1].mean(axis=2), 5))

    assert darkest(replace(face, points=points)) > darkest(face) + 10


@pytest.mark.parametrize(("name", "error"), [("wall", BadInputError), ("nobody", UsageError)])
def test_photos_that_cannot_be_worn_are_refused(
    workshop: Workshop, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        MeshSwap(workshop).prepare(MeshSwapParams(face=name))


def test_each_parameter_can_be_drawn_as_a_control() -> None:
    infos = {info.name: info for info in describe(MeshSwapParams)}

    assert set(infos) == {"face", "faces", "opacity", "feather", "colour", "keep_eyes", "keep_mouth"}
    assert all(info.help for info in infos.values())
    assert all(info.step and info.max is not None for info in infos.values() if info.type == "float")
    assert msgspec.convert(msgspec.to_builtins(MeshSwapParams()), MeshSwapParams) == MeshSwapParams()


def test_a_photo_is_looked_at_once_while_other_parameters_change(workshop: Workshop) -> None:
    asked: list[str] = []

    class Counting(Photos):
        def photo(self, name: str) -> Pixels:
            asked.append(name)
            return super().photo(name)

    swap = MeshSwap(Workshop(workshop.models, Counting()))
    swap.prepare(MeshSwapParams(face="obama.jpg"))
    before = swap._last

    swap.prepare(MeshSwapParams(face="obama.jpg", opacity=0.5))

    assert asked == ["obama.jpg"] * 2, "the wardrobe must be able to refuse it every time"
    assert swap._last is before
    swap.prepare(MeshSwapParams(face="astronaut.png"))
    assert swap._last is not before
