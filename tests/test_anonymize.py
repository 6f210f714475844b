from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from fakes import FakeModels

from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Frame, Pixels, Points
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.align import arcface_matrix
from faceswapd.faces.canonical import canonical
from faceswapd.faces.face import Face
from faceswapd.inference.engines import Engines
from faceswapd.processors.anonymize import Anonymize, AnonymizeParams, Mode, outline
from faceswapd.processors.processor import Effect, Picture, Workshop
from faceswapd.processors.track_faces import FaceTracker

ASSETS = Path(__file__).parent / "assets"
MODES: tuple[Mode, ...] = get_args(Mode)
PEOPLE = ("astronaut.png", "obama.jpg", "biden.jpg")
STRANGER = 0.26
"""The highest cosine of two strangers in this embedding."""


class NoWardrobe:
    def photo(self, name: str) -> Pixels:
        raise UsageError(f"no face is called {name}")


def anonymized(pixels: Pixels, faces: tuple[Face, ...], **params: Any) -> Picture:
    render = Anonymize(Workshop(FakeModels(), NoWardrobe())).prepare(AnonymizeParams(**params))
    return render(Picture(pixels.copy(), faces))


def face(x: float = 160, y: float = 120, size: float = 80, held_ns: int = 0, number: int = 1) -> Face:
    """The canonical face, `size` pixels wide, its middle at (x, y)."""
    flat = canonical().xyz * (1, -1, -1)
    flat = (flat - (flat.min(axis=0) + flat.max(axis=0)) / 2) * size / np.ptp(flat[:, 0]) + (x, y, 0)
    points = np.concatenate([flat, np.repeat(flat[[33, 263]], 5, axis=0)]).astype(np.float32)
    box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])
    return Face(number, box, points, 1.0, held_ns)


def noise(width: int = 320, height: int = 240) -> Pixels:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def people(cache: Path) -> dict[str, tuple[Pixels, Face]]:
    engines = Engines(InferenceSettings(engine="onnxruntime"), cache=cache / "engines.json")
    out = {}
    for name in PEOPLE:
        pixels = cv2.imread(str(ASSETS / name))
        sighting = FaceTracker(engines).track(Frame(0, 0, np.asarray(pixels, np.uint8)), True)
        out[name] = (np.asarray(pixels, np.uint8), sighting.faces[0])
    engines.close()
    return out


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Pixels, Face]]:
    return people(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="session")
def embedder() -> Any:
    import onnxruntime  # after faceswapd, which keeps it from phoning home

    return onnxruntime.InferenceSession(
        str(ASSETS / "mobilefacenet192.onnx"), providers=["CPUExecutionProvider"]
    )


def embedding(embedder: Any, pixels: Pixels, points: Points) -> Points:
    crop = cv2.warpAffine(pixels, arcface_matrix(points), (112, 112), flags=cv2.INTER_AREA)
    tensor = (np.asarray(crop[..., ::-1], np.float32)[None] - 127.5) / 128
    vector = np.asarray(embedder.run(None, {embedder.get_inputs()[0].name: tensor})[0], np.float32).reshape(
        -1
    )
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PEOPLE)
def test_nobody_is_more_like_themselves_than_a_stranger(
    name: str, mode: Mode, strength: float, portraits: dict[str, tuple[Pixels, Face]], embedder: Any
) -> None:
    pixels, found = portraits[name]
    before = embedding(embedder, pixels, found.points)

    hidden = anonymized(pixels, (found,), mode=mode, strength=strength)

    assert float(embedding(embedder, hidden.pixels, found.points) @ before) < STRANGER


def test_a_weak_blur_would_not_hide_anybody(portraits: dict[str, tuple[Pixels, Face]], embedder: Any) -> None:
    """Why the blur is measured in cells across the face: the usual 15-pixel kernel leaves a large face known."""
    pixels, found = portraits["obama.jpg"]
    weak = np.asarray(cv2.GaussianBlur(pixels, (15, 15), 0), np.uint8)

    likeness = float(embedding(embedder, weak, found.points) @ embedding(embedder, pixels, found.points))

    assert likeness > 2 * STRANGER


@pytest.mark.parametrize("mode", MODES)
def test_only_the_neighbourhood_of_the_face_is_touched(mode: Mode) -> None:
    before = noise()

    shown = anonymized(before, (face(),), mode=mode)

    touched = (shown.pixels != before).any(axis=2)
    x0, y0, x1, y1 = face().box
    assert touched[int(y0) : int(y1), int(x0) + 20 : int(x1) - 20].mean() > 0.98
    width, height = x1 - x0, y1 - y0
    ys, xs = np.nonzero(touched)
    assert (xs.min() > x0 - 0.5 * width, xs.max() < x1 + 0.5 * width) == (True, True)
    assert (ys.min() > y0 - 0.6 * height, ys.max() < y1 + 0.5 * height) == (True, True)


@pytest.mark.parametrize("mode", MODES)
def test_no_pixel_of_the_face_itself_stays(mode: Mode) -> None:
    """A face of one strange colour: where its neighbourhood is averaged in, nothing of it may stay whole."""
    before = np.zeros((240, 320, 3), np.uint8)
    hull = cv2.convexHull(face().points[:, :2].copy()).astype(np.int32)
    inside = cv2.fillConvexPoly(np.zeros((240, 320), np.uint8), hull, (1,)).astype(bool)
    before[inside] = noise()[inside]

    shown = anonymized(before, (face(),), mode=mode).pixels

    assert (shown[inside] == before[inside]).all(axis=1).mean() < 0.01


def test_every_face_counts_as_treated() -> None:
    faces = (face(80, 100, 50, number=4), face(240, 100, 60, number=9))

    shown = anonymized(noise(), faces)

    assert (shown.treated, shown.effect, shown.faces) == (frozenset({4, 9}), Effect.ANONYMIZED, faces)
    assert anonymized(noise(), ()).effect is Effect.NONE


def test_the_cover_of_a_lost_face_grows_with_time() -> None:
    areas = [
        cv2.contourArea(outline(face(held_ns=ms * 1_000_000), 0.35)) for ms in (0, 100, 200, 400)
    ]  # fmt: skip

    assert areas == sorted(areas)
    assert areas[-1] > 1.5 * areas[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "at",
    [
        (0, 0, 80),
        (319, 239, 80),
        (160, -35, 80),
        (-500, 60, 80),
        (160, 120, 900),
        (160, 120, 2),
        (160, 120, 0.01),
    ],
)
def test_faces_at_and_beyond_the_border(mode: Mode, at: tuple[float, float, float]) -> None:
    shown = anonymized(noise(), (face(*at),), mode=mode)

    assert shown.pixels.shape == (240, 320, 3)
    assert shown.treated == {1}


@pytest.mark.parametrize("mode", MODES)
def test_a_face_of_which_nobody_knows_the_place_is_not_treated(mode: Mode) -> None:
    lost = replace(face(), points=np.full((478, 3), np.nan, np.float32))

    assert anonymized(noise(), (lost,), mode=mode).treated == frozenset()


def test_the_cells_move_with_the_face() -> None:
    """Else a face that moves under a grid that stands still would be sampled anew in every frame."""
    scene = noise(400, 240)
    shifted = np.roll(scene, 7, axis=1)

    here = anonymized(scene, (face(160),), mode="pixelate").pixels
    there = anonymized(shifted, (face(167),), mode="pixelate").pixels

    assert (np.roll(here, 7, axis=1) == there).all()


def test_the_drawn_mask_shows_the_expression() -> None:
    """The mouth opens in the drawing when it opens in the mesh."""
    shut = face(size=160)
    points = shut.points.copy()
    points[[87, 14, 317, 88, 178, 402, 318], 1] += 20
    wide = replace(shut, points=points)

    dark = [
        int((anonymized(noise(), (f,), mode="mesh").pixels.max(axis=2) < 70).sum()) for f in (shut, wide)
    ]  # fmt: skip

    assert dark[1] > dark[0] + 300
