from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import standins
from numpy.typing import NDArray

from faceswapd.core.effect import Effect
from faceswapd.core.errors import BadInputError, InferenceError, ModelError, UsageError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings, ProcessorSettings
from faceswapd.faces.align import five_points
from faceswapd.faces.face import Face, Sighting
from faceswapd.faces.templates import TEMPLATES, crop_matrix
from faceswapd.inference.engines import Engines
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.chain import Chain, ChainBuilder
from faceswapd.processors.neural_swap import NeuralSwap
from faceswapd.processors.processor import Picture, Workshop, render_many
from faceswapd.processors.registry import registry
from faceswapd.processors.swapping import NeuralSwapParams
from faceswapd.processors.track_faces import FaceTracker
from faceswapd.processors.wearer import UnwearableError

PHOTO = np.asarray(cv2.imread(str(Path(__file__).parent.parent / "capture/assets/portrait.jpg")), np.uint8)
BGR = (200, 100, 40)


class Wardrobe:
    """Two photos of a face, the second one mirrored, and one of a wall."""

    def photo(self, name: str) -> Pixels:
        return {"ada": PHOTO, "mirrored": PHOTO[:, ::-1].copy(), "wall": np.full((99, 99, 3), 90, np.uint8)}[
            name
        ]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    shelf = standins.shelf(folder, *standins.SWAPPERS, *standins.OTHERS)
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


@pytest.fixture(scope="module")
def face(engines: Engines) -> Face:
    return FaceTracker(engines).track(Frame(0, 0, PHOTO), every_frame=True).faces[0]


Wear = Callable[..., Callable[[Picture], Picture]]


@pytest.fixture
def wear(engines: Engines) -> Wear:
    def wear(**params: Any) -> Callable[[Picture], Picture]:
        return NeuralSwap(Workshop(engines, Wardrobe())).prepare(
            NeuralSwapParams(**{"face": "ada", **params})
        )

    return wear


def plain(face: Face, scale: float = 1.0) -> Picture:
    """One colour, with faces said to be in it."""
    size = (round(PHOTO.shape[0] * scale), round(PHOTO.shape[1] * scale), 3)
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
    return Picture(np.full(size, BGR, np.uint8), (face.moved(matrix),))


def at(picture: Picture, face: Face, index: int) -> list[int]:
    """The colour at a point of the mesh."""
    x, y = np.rint(face.points[index, :2]).astype(int)
    return [int(v) for v in picture.pixels[y, x]]


def embedding(
    photo: Pixels, face: Face, template: str = "arcface_112_v2", seed: int = 1
) -> NDArray[np.float32]:
    """What the recogniser's stand-in says, worked out without the house's code."""
    matrix = crop_matrix(five_points(face.points), template, 112)
    crop = cv2.warpAffine(photo, matrix, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    rgb = (crop[..., ::-1].astype(np.float32) - 127.5) / 127.5
    blocks = rgb.reshape(14, 8, 14, 8, 3).mean(axis=(1, 3)).transpose(2, 0, 1).reshape(-1)
    mix = np.random.default_rng(seed).normal(0, 0.05, (588, 512)).astype(np.float32)
    return np.asarray(blocks @ mix)


def told(
    model: str, photo: Pixels, face: Face, embed: Callable[[str, int], NDArray[np.float32]] | None = None
) -> NDArray[np.float32]:
    """The first three numbers that each model has to be told of a face; `embed` takes the place of `embedding`."""
    embed = embed or (lambda template, seed: embedding(photo, face, template, seed))
    if model == "cscs_256":
        raws = [embed("ffhq_512", seed) for seed in (2, 3)]
        return np.asarray(np.sum([raw / np.linalg.norm(raw) for raw in raws], axis=0)[:3])
    raw = embed("arcface_112_v2", 1)
    unit = raw / np.linalg.norm(raw)
    if model in ("inswapper_128", "reswapper_128", "reswapper_256", "instyle_256_a"):
        latent = unit @ standins.emap()
        return np.asarray((latent / np.linalg.norm(latent))[:3])
    if model == "hyperswap_1a_256":
        return np.asarray(unit[:3])
    if model == "ghost_1_256":
        return np.asarray(2 * raw[::-1][:3])
    if model in ("blendswap_256", "uniface_256"):
        side, template = (112, "arcface_112_v2") if model == "blendswap_256" else (256, "ffhq_512")
        matrix = crop_matrix(five_points(face.points), template, side)
        crop = cv2.warpAffine(photo, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(crop[..., ::-1].reshape(-1, 3).mean(axis=0) / 255)
    return np.asarray(unit[::-1][:3])


def expected(model: str, told: NDArray[np.float32]) -> NDArray[np.float32]:
    """The BGR that BGR has to become: by each model's own normalisation, which is written down here once more."""
    rgb = np.array(BGR[::-1], np.float32)
    if model not in ("ghost_1_256", "blendswap_256", "uniface_256"):
        told = told * standins.LOUD
    if model == "simswap_256":
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        out = ((rgb / 255 - mean) / std * standins.GAIN + standins.SHIFT * told) * 255
    elif model in ("hyperswap_1a_256", "ghost_1_256", "hififace_unofficial_256", "uniface_256", "cscs_256"):
        out = ((rgb / 127.5 - 1) * standins.GAIN + standins.SHIFT * told + 1) * 127.5
    else:
        out = (rgb / 255 * standins.GAIN + standins.SHIFT * told) * 255
    return np.asarray(np.clip(out, 0, 255)[::-1], np.float32)


@pytest.mark.parametrize("model", standins.SWAPPERS)
def test_each_family_is_fed_and_read_as_it_was_trained(model: str, wear: Wear, face: Face) -> None:
    picture = wear(model=model, feather=0.02)(plain(face))

    want = expected(model, told(model, PHOTO, face))
    for cheek in (50, 280, 199):
        np.testing.assert_allclose(at(picture, face, cheek), want, atol=1.5)
    assert picture.effect is Effect.SWAPPED
    assert picture.treated == {face.id}


@pytest.mark.parametrize("model", standins.SWAPPERS)
def test_the_five_points_lie_where_the_template_has_them(
    model: str, wear: Wear, engines: Engines, face: Face
) -> None:
    family = engines.shelf.family(model)
    side = engines.shelf.card(model).side
    # A face that stands exactly as the template: each mark must then cover its point.
    matrix = crop_matrix(five_points(face.points), family.template, side)
    exact = face.moved(matrix)
    points = exact.points.copy()
    points[[468, 473, 1, 61, 291], :2] = TEMPLATES[family.template] * side
    exact = Face(1, exact.box, points, 1.0)

    picture = wear(model=model)(Picture(np.full((side, side, 3), BGR, np.uint8), (exact,)))

    for index in (468, 473, 1, 61, 291):
        b, g, r = at(picture, exact, index)
        assert (g > 250, b < 60, r < 60) == (True, True, True), index


def test_what_lies_beside_the_face_is_untouched(wear: Wear, face: Face) -> None:
    before = plain(face)
    picture = wear()(plain(face))

    changed = np.any(picture.pixels != before.pixels, axis=2)
    x0, y0, x1, y1 = face.box
    ys, xs = np.nonzero(changed)
    margin = 0.12 * (x1 - x0)
    assert xs.min() > x0 - margin
    assert xs.max() < x1 + margin
    assert ys.min() > y0 - margin
    assert ys.max() < y1 + margin
    assert changed.mean() > 0.02


@pytest.mark.parametrize("model", standins.SWAPPERS)
def test_many_faces_in_one_run_are_what_they_are_one_by_one(model: str, wear: Wear, face: Face) -> None:
    scene = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    places = ((1.0, -130, 0), (0.8, 60, 40), (1.2, 200, 80))
    moved = [face.moved(np.array([[s, 0, x], [0, s, y]], np.float32)) for s, x, y in places]
    faces = tuple(Face(n, f.box, f.points, 1.0) for n, f in enumerate(moved))
    render = wear(model=model)
    together = render(Picture(scene.copy(), faces))
    alone = scene.copy()
    for one in faces:
        single = render(Picture(scene.copy(), (one,))).pixels
        mine = np.any(single != scene, axis=2)
        assert not np.any(alone[mine] != scene[mine]), "the faces are far enough apart"
        alone[mine] = single[mine]

    assert together.treated == {0, 1, 2}
    np.testing.assert_array_equal(together.pixels, alone)


def test_the_crops_of_all_faces_are_one_run(
    wear: Wear, engines: Engines, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = engines.load("inswapper_128")
    sizes: list[int] = []
    run = runner.run

    def counted(*inputs: Any) -> Any:
        sizes.append(len(inputs[0]))
        return run(*inputs)

    monkeypatch.setattr(runner, "run", counted)
    two = (face, Face(9, face.box, face.points, 1.0))
    wear(boost=2)(Picture(np.full(PHOTO.shape, BGR, np.uint8), two))

    assert sizes == [8], "two faces, four tiles each"


def test_many_frames_in_one_run_are_what_they_are_one_by_one(
    wear: Wear, engines: Engines, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    other = Face(9, face.box, face.points * np.float32(0.8), 1.0)
    pictures = [
        Picture(random.integers(0, 256, (480, 640, 3), np.uint8), faces)
        for faces in ((face,), (), (face, other), (other,))
    ]
    render = wear(boost=2, faces="first", regions="bisenet_resnet_34")
    alone = [render(replace(p, pixels=p.pixels.copy())) for p in pictures]
    runner = engines.load("inswapper_128")
    sizes: list[int] = []
    run = runner.run

    def counted(*inputs: Any) -> Any:
        sizes.append(len(inputs[0]))
        return run(*inputs)

    monkeypatch.setattr(runner, "run", counted)
    together = render_many(render, pictures)

    assert sizes == [12], "three faces, four tiles each"
    for one, same in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.pixels, same.pixels)
        assert (one.treated, one.spared, one.effect) == (same.treated, same.spared, same.effect)
    assert together[1].effect is Effect.NONE


@pytest.mark.parametrize("model", ["inswapper_128", "ghost_1_256", "uniface_256"])
def test_openvino_gives_the_same_picture(
    model: str, wear: Wear, engines: Engines, face: Face, tmp_path: Path
) -> None:
    settings = InferenceSettings(engine="openvino", precision="fp32")
    others = Engines(settings, cache=tmp_path / "engines.json", shelf=engines.shelf)
    render = NeuralSwap(Workshop(others, Wardrobe())).prepare(NeuralSwapParams(face="ada", model=model))
    two = (face, Face(9, face.box, face.points * np.float32(0.8), 1.0))
    pictures = [r(Picture(PHOTO.copy(), two)).pixels for r in (render, wear(model=model))]
    others.close()

    assert np.abs(pictures[0].astype(int) - pictures[1].astype(int)).max() <= 1


def test_a_model_whose_batch_stays_shut_is_run_one_by_one(wear: Wear, face: Face, tmp_path: Path) -> None:
    shelf = standins.shelf(tmp_path, "w600k_r50")
    path = tmp_path / "shut.onnx"
    path.write_bytes(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True, shut=True))
    assert not shelf.add(path).batch
    engines = Engines(InferenceSettings(engine="onnxruntime"), cache=tmp_path / "e.json", shelf=shelf)
    render = NeuralSwap(Workshop(engines, Wardrobe())).prepare(
        NeuralSwapParams(face="ada", model="shut", boost=2)
    )
    two = (face, Face(9, face.box, face.points * np.float32(0.8), 1.0))

    pictures = [r(Picture(PHOTO.copy(), two)).pixels for r in (render, wear(boost=2))]
    np.testing.assert_array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_model_in_half_precision_is_worn_all_the_same(
    engine: Any, wear: Wear, face: Face, tmp_path: Path
) -> None:
    shelf = standins.shelf(tmp_path, "w600k_r50")
    path = tmp_path / "half.onnx"
    path.write_bytes(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True, half=True))
    card = shelf.add(path)
    assert (card.family, card.batch, [e.dtype for e in card.edges]) == ("inswapper_128", True, ["float16"])
    settings = InferenceSettings(engine=engine, precision="fp32")
    engines = Engines(settings, cache=tmp_path / "e.json", shelf=shelf)
    render = NeuralSwap(Workshop(engines, Wardrobe())).prepare(NeuralSwapParams(face="ada", model="half"))

    pictures = [r(Picture(PHOTO.copy(), (face,))).pixels.astype(int) for r in (render, wear())]
    assert np.abs(pictures[0] - pictures[1]).max() <= 2


def test_boost_gives_the_same_colours_in_a_finer_picture(wear: Wear, face: Face) -> None:
    once, twice = wear()(plain(face)), wear(boost=2)(plain(face))

    np.testing.assert_allclose(at(twice, face, 50), at(once, face, 50), atol=1)


@pytest.mark.parametrize("params", [{"face": "ada+mirrored"}, {"other_face": "mirrored"}])
def test_a_swapper_that_is_shown_a_photo_refuses_to_mix_two(wear: Wear, params: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="blendswap_256 is shown one photo and cannot wear 2 faces in one"):
        wear(model="blendswap_256", **params)


def test_identities_are_blended_and_averaged(wear: Wear, engines: Engines, face: Face) -> None:
    mirrored = FaceTracker(engines).track(Frame(0, 0, PHOTO[:, ::-1].copy()), every_frame=True).faces[0]
    one, other = (embedding(p, f) for p, f in ((PHOTO, face), (PHOTO[:, ::-1].copy(), mirrored)))
    mean = one / np.linalg.norm(one) * 0.25 + other / np.linalg.norm(other) * 0.75
    want = expected("hyperswap_1a_256", (mean / np.linalg.norm(mean))[:3])

    blended = wear(model="hyperswap_1a_256", other_face="mirrored", blend=0.75)(plain(face))
    np.testing.assert_allclose(at(blended, face, 50), want, atol=1.5)
    all_of_it = wear(model="hyperswap_1a_256", other_face="mirrored", blend=1.0)(plain(face))
    alone = wear(model="hyperswap_1a_256", face="mirrored")(plain(face))
    np.testing.assert_array_equal(all_of_it.pixels, alone.pixels)
    averaged = wear(model="hyperswap_1a_256", face="ada+mirrored")(plain(face))
    half = wear(model="hyperswap_1a_256", other_face="mirrored", blend=0.5)(plain(face))
    np.testing.assert_array_equal(averaged.pixels, half.pixels)


@pytest.mark.parametrize("model", ["inswapper_128", "hyperswap_1a_256", "ghost_1_256", "cscs_256"])
@pytest.mark.parametrize("strength", [0.65, 1.35])
def test_the_identity_is_drawn_to_the_wearers_own_or_away_from_it(
    model: str, strength: float, wear: Wear, face: Face
) -> None:
    def drawn(template: str, seed: int) -> NDArray[np.float32]:
        worn = embedding(PHOTO, face, template, seed)
        own = embedding(np.full(PHOTO.shape, BGR, np.uint8), face, template, seed)
        line = strength * worn / np.linalg.norm(worn) + (1 - strength) * own / np.linalg.norm(own)
        return np.asarray(line / np.linalg.norm(line) * np.linalg.norm(worn), np.float32)

    want = expected(model, told(model, PHOTO, face, drawn))
    picture = wear(model=model, strength=strength)(plain(face))
    np.testing.assert_allclose(at(picture, face, 50), want, atol=1.5)
    neutral = wear(model=model)(plain(face))
    assert np.abs(np.subtract(at(neutral, face, 50), want)).max() > 2, "it makes a difference"


def test_strength_is_for_models_that_are_told_an_embedding(wear: Wear, face: Face) -> None:
    some, other = (wear(model="uniface_256", strength=s)(plain(face)) for s in (1.0, 0.6))

    np.testing.assert_array_equal(some.pixels, other.pixels)


def test_the_wearers_own_identity_is_that_of_the_frame_as_it_came(
    engines: Engines, wear: Wear, face: Face
) -> None:
    painted = replace(plain(face), original=PHOTO[:, ::-1].copy())
    came = replace(plain(face), original=np.full(PHOTO.shape, BGR, np.uint8))

    by_mirrored, by_plain, alone = (
        wear(model="hyperswap_1a_256", strength=0.65)(p) for p in (painted, came, plain(face))
    )
    np.testing.assert_array_equal(by_plain.pixels, alone.pixels)
    assert at(by_mirrored, face, 50) != at(alone, face, 50)


def test_many_frames_with_a_strength_are_what_they_are_one_by_one(wear: Wear, face: Face) -> None:
    render, other = wear(strength=0.8), Face(9, face.box, face.points * np.float32(0.8), 1.0)
    pictures = [
        Picture(pixels, (face, other)) for pixels in (PHOTO.copy(), PHOTO[::-1].copy(), PHOTO[:, ::-1].copy())
    ]
    alone = [render(Picture(p.pixels.copy(), p.faces)).pixels for p in pictures]

    for together, single in zip(render_many(render, pictures), alone, strict=True):
        np.testing.assert_array_equal(together.pixels, single)


def test_only_the_first_wears_it_and_the_others_are_spared(wear: Wear, face: Face) -> None:
    small = Face(7, face.box * 0.5, face.points * np.float32(0.5), 1.0)
    picture = wear(faces="first")(Picture(np.full(PHOTO.shape, BGR, np.uint8), (face, small)))

    assert picture.treated == {face.id}
    assert picture.spared == {7}


def test_a_face_outside_the_picture_or_without_a_mesh_is_not_called_treated(wear: Wear, face: Face) -> None:
    away = face.moved(np.array([[1, 0, 9000], [0, 1, 0]], np.float32))
    blind = Face(3, face.box, face.points, 0.0)
    for one in (away, blind):
        picture = wear()(Picture(np.full(PHOTO.shape, BGR, np.uint8), (one,)))
        assert picture.treated == frozenset()
        assert picture.effect is Effect.NONE


def test_the_mouth_may_be_kept(wear: Wear, face: Face) -> None:
    inner = (face.points[13, :2] + face.points[14, :2]) / 2
    points = face.points.copy()
    points[[13, 14, 82, 312, 87, 317, 81, 311, 178, 402], 1] += np.array(
        [-9, 9, -9, -9, 9, 9, -7, -7, 7, 7], np.float32
    )
    opened = Face(1, face.box, points, 1.0)
    x, y = np.rint(inner).astype(int)

    picture = wear(keep_mouth=True)(plain(opened))
    assert picture.pixels[y, x].tolist() == list(BGR)


SKIN = (60, 100, 160)
BLUE = (255, 0, 0)


def patched(face: Face) -> Picture:
    """Skin everywhere, something blue before the wearer's left cheek."""
    pixels = np.full(PHOTO.shape, SKIN, np.uint8)
    x, y = np.rint(face.points[280, :2]).astype(int)
    pixels[y - 9 : y + 10, x - 9 : x + 10] = BLUE
    return Picture(pixels, (face,))


@pytest.mark.parametrize("mask", ["xseg_1", "dfl_xseg", "occluder", "bisenet_resnet_34"])
def test_what_lies_before_the_face_stays_as_it_is(mask: str, wear: Wear, face: Face) -> None:
    where = "regions" if mask == "bisenet_resnet_34" else "occluder"
    without = wear(model="simswap_unofficial_512")(patched(face))
    picture = wear(model="simswap_unofficial_512", **{where: mask})(patched(face))

    assert at(without, face, 280) != list(BLUE)
    assert at(picture, face, 280) == list(BLUE)
    assert at(picture, face, 50) == at(without, face, 50)
    assert picture.treated == {face.id}


def test_a_face_of_which_little_is_left_is_not_called_treated(wear: Wear, face: Face) -> None:
    hidden = Picture(np.full(PHOTO.shape, BLUE, np.uint8), (face,))

    assert wear(occluder="xseg_1")(hidden).treated == frozenset()


def test_only_mask_models_make_masks(wear: Wear) -> None:
    with pytest.raises(UsageError, match="w600k_r50 is no mask model but a recogniser"):
        wear(occluder="w600k_r50")


@pytest.mark.parametrize("morph", [True, False])
def test_deepfacelive_models_bring_their_own_face_and_mask(tmp_path: Path, face: Face, morph: bool) -> None:
    path = tmp_path / "celeb.dfm"
    path.write_bytes(standins.dfm(morph=morph))
    shelf = Shelf(tmp_path / "models")
    with pytest.raises(UsageError, match=r"holds somebody's face.*--consent self"):
        shelf.add(path)
    card = shelf.add(path, consent="synthetic")
    assert (card.model, card.family, card.side, card.batch) == ("celeb", "dfm", 224, True)
    engines = Engines(
        InferenceSettings(engine="onnxruntime", precision="fp32"), cache=tmp_path / "e", shelf=shelf
    )
    render = NeuralSwap(Workshop(engines, Wardrobe())).prepare(NeuralSwapParams(model="celeb", morph=0.5))

    picture = render(plain(face))
    want = np.array(BGR) * standins.GAIN + 255 * standins.SHIFT * 0.5 * morph
    np.testing.assert_allclose(at(picture, face, 50), want, atol=1.5)
    beyond = np.array([[0.8, 0.45]]) * 224
    back = cv2.invertAffineTransform(crop_matrix(five_points(face.points), "dfl_whole_face", 224))
    x, y = np.rint(beyond @ back[:, :2].T + back[:, 2])[0].astype(int)
    assert picture.pixels[y, x].tolist() == list(BGR), "the model's own mask leaves it"
    assert picture.treated == {face.id}


@pytest.mark.parametrize("params", [{"face": "mask"}, {"face": "ada+mask"}, {"other_face": "mask"}])
def test_the_painted_mask_has_no_identity_to_wear(params: dict[str, str], wear: Wear) -> None:
    with pytest.raises(UnwearableError, match=r"neural_swap cannot wear 'mask', .*: wear it by mesh_swap"):
        wear(**params)


def test_a_missing_model_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    standins.shelf(tmp_path, "inswapper_128")
    engines = Engines(cache=tmp_path / "e.json", shelf=Shelf(tmp_path / "models"))
    swap = NeuralSwap(Workshop(engines, Wardrobe()))
    with pytest.raises(UsageError, match="no model is called 'nose': see `faceswapd models list`"):
        swap.prepare(NeuralSwapParams(face="ada", model="nose"))
    for model, says in (
        ("simswap_256", "model simswap_256 is not here: faceswapd models"),
        ("inswapper_128", "w600k_r50"),
    ):
        with pytest.raises(ModelError, match=says) as caught:
            swap.prepare(NeuralSwapParams(face="ada", model=model))
        assert caught.value.exit_code == 78


def test_what_cannot_be_worn_is_refused(wear: Wear) -> None:
    with pytest.raises(UsageError, match="no face to wear"):
        wear(face="")
    with pytest.raises(BadInputError, match="no face in the photo of 'wall'"):
        wear(face="wall")
    with pytest.raises(UsageError, match="is no swapper but a recogniser"):
        wear(model="w600k_r50")


def test_a_model_that_gives_no_numbers_hides_the_frame(
    engines: Engines, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = ChainBuilder(registry(Workshop(engines, Wardrobe())))
    chain: Chain = builder.build([ProcessorSettings("neural_swap", params={"face": "ada"})])

    def broken(*inputs: Any) -> Any:
        return (np.full(inputs[0].shape, np.nan, np.float32),)

    monkeypatch.setattr(engines.load("inswapper_128"), "run", broken)
    with pytest.raises(InferenceError, match=r"neural_swap failed .* gave no numbers"):
        chain.render(PHOTO, Sighting((face,), detected=True))
