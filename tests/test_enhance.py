from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import standins

from faceswapd.core.effect import Effect
from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.align import five_points
from faceswapd.faces.face import Face
from faceswapd.faces.templates import TEMPLATES, crop_matrix
from faceswapd.inference.engines import Engines
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.enhance import Enhance, EnhanceParams
from faceswapd.processors.processor import Picture, Workshop, render_many
from faceswapd.processors.track_faces import FaceTracker

PHOTO = np.asarray(cv2.imread(str(Path(__file__).parent.parent / "capture/assets/portrait.jpg")), np.uint8)
BGR = (200, 100, 40)
FIVE = (468, 473, 1, 61, 291)


class Nobody:
    def photo(self, name: str) -> Pixels:
        raise UsageError(f"no face is called {name!r}")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, *standins.ENHANCERS, "w600k_r50")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


@pytest.fixture(scope="module")
def face(engines: Engines) -> Face:
    return FaceTracker(engines).track(Frame(0, 0, PHOTO), every_frame=True).faces[0]


@pytest.fixture
def enhance(engines: Engines) -> Callable[..., Callable[[Picture], Picture]]:
    def enhance(**params: Any) -> Callable[[Picture], Picture]:
        return Enhance(Workshop(engines, Nobody())).prepare(EnhanceParams(**params))

    return enhance


def plain(*faces: Face) -> Picture:
    return Picture(np.full(PHOTO.shape, BGR, np.uint8), faces)


def at(picture: Picture, face: Face, index: int) -> list[int]:
    x, y = np.rint(face.points[index, :2]).astype(int)
    return [int(v) for v in picture.pixels[y, x]]


def expected(third: float = 0.0) -> list[float]:
    """RGB in -1 to 1, times GAIN, `third` added to blue: back as BGR."""
    rgb = (np.array(BGR[::-1]) / 127.5 - 1) * standins.GAIN + [0, 0, third]
    return list(np.clip((rgb + 1) * 127.5, 0, 255)[::-1])


@pytest.mark.parametrize("model", standins.ENHANCERS)
def test_each_family_is_fed_read_and_laid_back(model: str, enhance: Any, face: Face) -> None:
    picture = enhance(model=model, blend=1.0, fidelity=0.25)(plain(face))

    want = expected(0.25 if model in ("codeformer_fp16", "vqfr_v2") else 0.0)
    np.testing.assert_allclose(at(picture, face, 50), want, atol=1.5)
    assert picture.effect is Effect.RESTORED
    assert picture.treated == frozenset()


@pytest.mark.parametrize("model", standins.ENHANCERS)
def test_the_five_points_lie_where_the_template_has_them(
    model: str, enhance: Any, engines: Engines, face: Face
) -> None:
    template, side = engines.shelf.family(model).template, 300
    exact = face.moved(crop_matrix(five_points(face.points), template, side))
    points = exact.points.copy()
    points[list(FIVE), :2] = TEMPLATES[template] * side
    exact = Face(1, exact.box, points, 1.0)

    picture = enhance(model=model, blend=1.0)(Picture(np.full((side, side, 3), BGR, np.uint8), (exact,)))
    for index in FIVE:
        b, g, r = at(picture, exact, index)
        assert (g > 250, b < 20, r < 20) == (True, True, True), index


@pytest.mark.parametrize("model", ["gfpgan_1024", "codeformer_fp16", "restoreformer_plus_plus", "vqfr_v2"])
def test_openvino_gives_the_same_picture(
    model: str, enhance: Any, engines: Engines, face: Face, tmp_path: Path
) -> None:
    settings = InferenceSettings(engine="openvino", precision="fp32")
    others = Engines(settings, cache=tmp_path / "engines.json", shelf=engines.shelf)
    render = Enhance(Workshop(others, Nobody())).prepare(EnhanceParams(model=model))
    pictures = [r(Picture(PHOTO.copy(), (face,))).pixels for r in (render, enhance(model=model))]
    others.close()

    assert np.abs(pictures[0].astype(int) - pictures[1].astype(int)).max() <= 1


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("sizes", [[], [1]])
@pytest.mark.parametrize("model", ["codeformer_fp16", "vqfr_v2"])
def test_the_fidelity_is_a_number_or_a_vector_of_one(
    model: str, sizes: list[int], engine: Any, face: Face, tmp_path: Path
) -> None:
    file = onnx.load_from_string(standins.standin(model))
    number = file.graph.input[1].type.tensor_type
    number.shape.CopyFrom(onnx.helper.make_tensor_type_proto(number.elem_type, sizes).tensor_type.shape)
    path = tmp_path / "mine.onnx"
    path.write_bytes(file.SerializeToString())
    shelf = Shelf(tmp_path / "models")
    card = shelf.add(path)
    engines = Engines(
        InferenceSettings(engine=engine, precision="fp32"), cache=tmp_path / "engines.json", shelf=shelf
    )
    render = Enhance(Workshop(engines, Nobody())).prepare(EnhanceParams(model="mine", blend=1, fidelity=0.25))
    picture = render(plain(face))
    engines.close()

    assert (card.family, card.batch) == (standins.catalogue(model)[model].family, True)
    np.testing.assert_allclose(at(picture, face, 50), expected(0.25), atol=1.5)


@pytest.mark.parametrize("model", standins.ENHANCERS)
def test_many_faces_in_one_run_are_what_they_are_one_by_one(model: str, enhance: Any, face: Face) -> None:
    places = ((0.6, -90, 0), (0.5, 60, 40), (0.7, 120, 160))
    faces = [face.moved(np.array([[s, 0, x], [0, s, y]], np.float32)) for s, x, y in places]
    render, scene = enhance(model=model, fidelity=0.3), PHOTO[::-1].copy()

    together, alone = render(Picture(scene.copy(), tuple(faces))).pixels, scene.copy()
    for one in faces:
        single = render(Picture(scene.copy(), (one,))).pixels
        mine = np.any(single != scene, axis=2)
        assert not np.any(alone[mine] != scene[mine]), "the faces are far enough apart"
        alone[mine] = single[mine]
    np.testing.assert_array_equal(together, alone)


def test_many_frames_in_one_run_are_what_they_are_one_by_one(enhance: Any, face: Face) -> None:
    render, other = enhance(model="gpen_bfr_256"), Face(9, face.box, face.points * np.float32(0.6), 1.0)
    scenes = [PHOTO.copy(), PHOTO[::-1].copy(), PHOTO[:, ::-1].copy()]
    pictures = [Picture(s, f) for s, f in zip(scenes, ((face,), (), (face, other)), strict=True)]
    alone = [render(Picture(p.pixels.copy(), p.faces)).pixels for p in pictures]

    for together, single in zip(render_many(render, pictures), alone, strict=True):
        np.testing.assert_array_equal(together.pixels, single)


def test_the_original_shines_through_a_blend(enhance: Any, face: Face) -> None:
    half = enhance(model="gfpgan_1.4", blend=0.5)(plain(face))

    np.testing.assert_allclose(at(half, face, 50), (np.array(expected()) + BGR) / 2, atol=2)
    nothing = enhance(model="gfpgan_1.4", blend=0.0)(plain(face))
    assert (nothing.pixels == BGR).all()
    assert nothing.effect is Effect.NONE


def test_a_held_face_is_restored_only_where_another_processor_shows_one(enhance: Any, face: Face) -> None:
    render, held = enhance(model="gpen_bfr_256", blend=1.0), replace(face, held_ns=1)
    wall = render(plain(held))
    assert (wall.pixels == BGR).all()
    assert wall.effect is Effect.NONE
    hidden = render(replace(plain(held), treated=frozenset({face.id})))
    np.testing.assert_allclose(at(hidden, face, 50), expected(), atol=1.5)


def test_only_who_was_there_first_if_asked(enhance: Any, face: Face) -> None:
    small = Face(7, face.box * 0.4, face.points * np.float32(0.4), 1.0)
    picture = enhance(model="gfpgan_1.4", faces="first")(plain(face, small))

    assert at(picture, small, 50) == list(BGR)
    assert at(picture, face, 50) != list(BGR)


def test_a_missing_or_wrong_model_is_refused(enhance: Any) -> None:
    with pytest.raises(UsageError, match="no model is called 'gpen_bfr_256x'"):
        enhance(model="gpen_bfr_256x")
    with pytest.raises(UsageError, match="w600k_r50 is no enhancer but a recogniser"):
        enhance(model="w600k_r50")
