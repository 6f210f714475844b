from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standins
from test_enhance import BGR, PHOTO, Nobody, at

from faceswapd.core.effect import Effect
from faceswapd.core.errors import ModelError, UsageError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.face import Face
from faceswapd.inference.engines import Engines
from faceswapd.inference.portrait import Portrait
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.processor import Picture, Workshop
from faceswapd.processors.restore_expression import RestoreExpression, RestoreExpressionParams
from faceswapd.processors.track_faces import FaceTracker

OWN = (190, 105, 45)
"""What the person's own face is like; BGR is what it was swapped for."""
CHEEK = 50


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, *standins.PORTRAIT)
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


@pytest.fixture(scope="module")
def face(engines: Engines) -> Face:
    return FaceTracker(engines).track(Frame(0, 0, PHOTO), every_frame=True).faces[0]


EXPORTS = ("live_portrait", "live_portrait_ff")


def prepared(engines: Engines, **params: Any) -> Any:
    return RestoreExpression(Workshop(engines, Nobody())).prepare(RestoreExpressionParams(**params))


@pytest.fixture(params=EXPORTS)
def restore(engines: Engines, request: pytest.FixtureRequest) -> Callable[..., Any]:
    return partial(prepared, engines, model=request.param)


def swapped(*faces: Face, own: tuple[int, int, int] = OWN) -> Picture:
    original = np.full(PHOTO.shape, own, np.uint8)
    return Picture(np.full(PHOTO.shape, BGR, np.uint8), faces, original=original)


def expected(factor: float) -> list[float]:
    """Twice (the scale) the way of point 3, which is pulled by three times the mean colour."""
    return list(np.array(BGR) + 2 * 3 * factor * (np.array(OWN, float) - BGR))


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0])
def test_the_expression_is_led_back_by_the_factor(factor: float, restore: Any, face: Face) -> None:
    picture = restore(factor=factor)(swapped(face))

    np.testing.assert_allclose(at(picture, face, CHEEK), expected(factor), atol=1.5)
    assert picture.effect is Effect.RESTORED
    corner: Pixels = picture.pixels[:4, :4]
    assert (corner == BGR).all()


def test_only_the_area_asked_for_moves(restore: Any, face: Face) -> None:
    """Point 3 belongs to the mouth."""
    np.testing.assert_allclose(
        at(restore(area="lower", factor=0.5)(swapped(face)), face, CHEEK), expected(0.5), atol=1.5
    )
    np.testing.assert_allclose(at(restore(area="upper")(swapped(face)), face, CHEEK), BGR, atol=1.5)


def test_a_face_that_nothing_has_changed_is_left_alone(restore: Any, face: Face) -> None:
    picture = Picture(PHOTO.copy(), (face,), original=PHOTO)
    assert (restore()(picture).pixels == PHOTO).all()
    assert restore()(picture).effect is Effect.NONE
    nowhere = replace(swapped(face), original=None)
    assert (restore()(nowhere).pixels == BGR).all()
    assert (restore(factor=0.0)(swapped(face)).pixels == BGR).all()
    assert (restore()(swapped(replace(face, held_ns=1))).pixels == BGR).all(), "it is not there to be seen"


def test_several_frames_in_one_run_are_what_they_are_one_by_one(restore: Any, face: Face) -> None:
    render = restore(factor=0.4)
    small = face.moved(np.array([[0.5, 0, 40], [0, 0.5, 30]], np.float32))
    scenes = [swapped(face), swapped(small, own=(180, 100, 40)), swapped(small, face, own=(200, 90, 60))]
    alone = [render(replace(s, pixels=s.pixels.copy())).pixels for s in scenes]

    together = render.many(scenes)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.pixels, other)


@pytest.fixture(scope="module")
def others(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of trios whose motion tells angles in other shapes, or is called otherwise."""
    folder = tmp_path_factory.mktemp("others")
    motions = {
        "one": standins.portrait_motion_degrees((1,)),
        "row": standins.portrait_motion_degrees((1, 1)),
        "misnamed": standins.portrait_motion_degrees(
            names=["yaw", "roll", "pitch", "scale", "t", "kp", "exp"]
        ),
    }
    for name, motion in motions.items():
        for part in ("features", "motion", "generator"):
            path = folder / f"{name}_{part}.onnx"
            path.write_bytes(motion if part == "motion" else standins.standin(f"{EXPORTS[1]}_{part}"))
            engines.shelf.add(path, path.stem)
    return list(motions)


def test_a_motion_is_the_same_in_whatever_export(engines: Engines, others: list[str]) -> None:
    crops = [np.full((256, 256, 3), colour, np.uint8) for colour in (BGR, OWN)]
    batches = {}

    for model in (*EXPORTS, *others):
        batches[model] = engines.shelf.card(f"{model}_motion").batch
        for crop, motion in zip(crops, Portrait(engines, model).motions(crops), strict=True):
            colour = crop[0, 0, ::-1] / 255
            np.testing.assert_allclose(motion.angles, tuple(standins.ANGLES.values()), atol=1e-3)
            assert motion.scale == 2
            assert motion.translation.tolist() == [0.5, 0, 0]
            np.testing.assert_allclose(motion.expression, np.outer(np.arange(21) % 7, colour), atol=1e-3)
            np.testing.assert_allclose(motion.points[5], (0.5, 0.1, 0.2), atol=1e-6)
    # A number without a batch is one face's: such a file is run face by face.
    scalar = ("live_portrait_ff", "one", "misnamed")
    assert batches == {model: model not in scalar for model in batches}


def test_a_missing_or_wrong_part_is_refused(engines: Engines, tmp_path: Path) -> None:
    restore = partial(prepared, engines)
    with pytest.raises(UsageError, match="no model is called 'nobody_features'"):
        restore(model="nobody")
    with pytest.raises(UsageError, match="one part of three: name what they share: model=live_portrait"):
        restore(model="live_portrait_motion")
    with pytest.raises(ModelError) as missing:
        Shelf(tmp_path).read("live_portrait_ff_features")
    assert missing.value.remedy == "faceswapd models add live_portrait_feature_extractor.onnx"
    for part, model in (("features", "motion"), ("motion", "motion"), ("generator", "generator")):
        path = tmp_path / f"{part}.onnx"
        path.write_bytes(standins.standin(f"live_portrait_{model}"))
        engines.shelf.add(path, f"wrong_{part}")
    with pytest.raises(UsageError, match="wrong_features is of the family portrait_motion"):
        restore(model="wrong")
