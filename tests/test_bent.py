"""A swapped face bent to later frames, on a person who can be painted with any expression."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswapd.capture.motion import REST
from faceswapd.capture.person import Person
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.crop import face_alpha, moved, soft_box, take
from faceswapd.faces.templates import crop_matrix
from faceswapd.inference.engines import Engines
from faceswapd.processors.bent import Worn
from faceswapd.processors.look import Look
from faceswapd.processors.track_faces import FaceTracker

SIDE = 128
PERSON = Person((640, 360))
Painted = Callable[..., Look]


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Painted]:
    """Paints the person and looks at the face as a run does."""
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=tmp_path_factory.mktemp("cache") / "engines.json")
    done: dict[str, Look] = {}

    def painted(**pose: float) -> Look:
        if str(pose) not in done:
            pixels = PERSON.paint(replace(REST, **pose)).copy()
            face = FaceTracker(engines).track(Frame(0, 0, pixels), every_frame=True).faces[0]
            face = replace(face, id=1)
            matrix = crop_matrix(face.anchors, "arcface_128", SIDE)
            done[str(pose)] = Look(face, matrix, take(pixels, matrix, SIDE))
        return done[str(pose)]

    yield painted
    engines.close()


def swapped(crop: Pixels) -> Pixels:
    """What stands for the worn face: every colour is another."""
    return np.ascontiguousarray(crop[..., ::-1])


def worn(look: Look, mask: NDArray[np.uint8] | None = None) -> Worn:
    return Worn.of(swapped(look.crop), mask, look)


def shown(look: Look) -> NDArray[Any]:
    """How much of the crop is laid back, 0 to 1."""
    alpha = face_alpha(moved(look.face.points, look.matrix), soft_box(SIDE, 0.08), 0.08)
    return np.asarray(alpha / 255)


def apart(one: Pixels, other: Pixels, where: NDArray[Any]) -> float:
    """The mean difference in levels."""
    return float((np.abs(one.astype(int) - other).mean(axis=2) * where).sum() / where.sum())


def test_to_the_same_look_it_is_itself(painted: Painted) -> None:
    rest = painted()
    now = worn(rest).now(rest)
    assert now is not None
    assert apart(now[0], swapped(rest.crop), shown(rest)) < 0.5


@pytest.mark.parametrize(
    ("pose", "better"),
    [
        ({"yaw": 0.15}, 0.5),
        ({"yaw": 0.3}, 0.5),
        ({"yaw": -0.3}, 0.5),
        ({"lean": 0.1, "x": 0.05}, 0.7),
        ({"blink": 1.0}, 0.8),
        ({"mouth": 0.5}, 0.9),  # what an open mouth shows, a closed one did not
    ],
)
def test_it_follows_the_head_and_the_expression(
    painted: Painted, pose: dict[str, float], better: float
) -> None:
    rest, there = painted(), painted(**pose)
    now = worn(rest).now(there)
    assert now is not None
    want, where = swapped(there.crop), shown(there)
    held = apart(swapped(rest.crop), want, where)
    assert apart(now[0], want, where) < better * held


def test_all_that_is_laid_back_is_covered(painted: Painted) -> None:
    for pose in ({}, {"yaw": 0.3}, {"mouth": 1.0}):
        there = painted(**pose)
        now = worn(painted()).now(there)
        assert now is not None
        assert now[1] is not None
        assert now[1][shown(there) > 0.05].mean() > 254
        assert now[1][shown(there) > 0.5].min() == 255


def test_open_eyes_are_bent_shut_and_shut_ones_are_known(painted: Painted) -> None:
    rest, blink = painted(), painted(blink=1.0)
    assert worn(blink).blinks(worn(rest))
    assert not worn(rest).blinks(worn(blink))
    assert not worn(painted(mouth=1.0)).blinks(worn(rest))
    now = worn(rest).now(blink)
    assert now is not None
    for iris in (468, 473):
        x, y = np.rint(moved(blink.face.points[iris : iris + 1], blink.matrix)[0]).astype(int)
        eye, want = np.s_[y - 3 : y + 4, x - 7 : x + 8], swapped(blink.crop).astype(int)
        held = np.abs(swapped(rest.crop)[eye] - want[eye]).mean()
        assert np.abs(now[0][eye] - want[eye]).mean() < 0.85 * held


def test_it_follows_the_light(painted: Painted) -> None:
    rest, there = painted(), painted(yaw=0.15)
    dim = replace(there, crop=np.asarray(np.rint(there.crop * 0.6), np.uint8))
    now, bright = worn(rest).now(dim), worn(rest).now(there)
    assert now is not None
    assert bright is not None
    want, where = swapped(dim.crop), shown(dim)
    assert apart(now[0], want, where) < 0.1 * apart(bright[0], want, where)
    np.testing.assert_array_equal(now[1], bright[1])


def test_a_mask_is_bent_with_it(painted: Painted) -> None:
    rest, there = painted(), painted(yaw=0.3)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x, y = moved(rest.face.points[:468], rest.matrix)[1]  # the tip of the nose
    cv2.circle(mask, (round(float(x)), round(float(y))), 6, 255, -1)
    now = worn(rest, mask).now(there)
    assert now is not None
    assert now[1] is not None
    moments = cv2.moments(now[1])
    at = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    nose = moved(there.face.points[:468], there.matrix)[1]
    assert np.linalg.norm(at - nose) < 2
    assert np.linalg.norm(nose - (x, y)) > 4, "it has moved"


def test_another_face_another_view_or_another_size_waits_for_the_network(painted: Painted) -> None:
    rest = painted()
    kept = worn(rest)
    assert kept.now(replace(rest, face=replace(rest.face, id=2))) is None
    assert kept.now(painted(yaw=0.6)) is None
    grown = np.array([[1.6, 0, 0], [0, 1.6, 0]], np.float32)
    near = rest.face.moved(grown)
    assert kept.now(Look(near, crop_matrix(near.anchors, "arcface_128", SIDE), rest.crop)) is None
    lost = replace(rest, face=replace(rest.face, points=np.full_like(rest.face.points, np.nan)))
    assert kept.now(lost) is None


def test_a_face_that_came_in_from_the_border_is_looked_at_anew(painted: Painted) -> None:
    rest = painted()
    x = rest.face.points[:, 0]

    def seen(part: float) -> Look:
        """So much of the face lies within the frame."""
        return replace(rest, size=(int(np.quantile(x, part)), 360))

    half = worn(seen(0.6))
    assert half.fits(seen(0.6))
    assert half.fits(seen(0.65))
    assert half.fits(seen(0.3)), "it leaves"
    assert not half.fits(seen(0.8))
    assert not half.fits(rest)
    assert worn(rest).fits(seen(0.6))
