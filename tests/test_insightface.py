"""Our pre- and post-processing beside insightface's own classes, on the same stand-in files and pictures.

Skipped where insightface is not installed (`uv sync --group insightface`).
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import standins

from faceswapd.core.frame import Frame, Pixels, Points
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.align import five_points
from faceswapd.faces.crop import take
from faceswapd.faces.templates import crop_matrix
from faceswapd.inference.engines import Engines
from faceswapd.inference.swapper import Recogniser, Swapper
from faceswapd.processors.track_faces import FaceTracker

pytestmark = pytest.mark.filterwarnings("ignore")
ASSETS = Path(__file__).parent / "assets"
PICTURES = sorted(p.name for p in ASSETS.iterdir() if p.suffix in (".png", ".jpg"))


@pytest.fixture(scope="module")
def zoo() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from insightface import model_zoo
            from insightface.model_zoo import arcface_onnx, inswapper, scrfd
        except ImportError as error:
            pytest.skip(f"insightface is not installed ({error})")
    return SimpleNamespace(model_zoo=model_zoo, arcface=arcface_onnx, inswapper=inswapper, scrfd=scrfd)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, "inswapper_128", "w600k_r50")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def seen(engines: Engines, name: str) -> tuple[Pixels, Points]:
    """A picture and the five points of its largest face, no larger than twice the crop.

    Of larger faces ours averages the pixels between its samples, insightface skips them.
    """
    pixels = np.asarray(cv2.imread(str(ASSETS / name)), np.uint8)
    for _ in range(4):
        faces = FaceTracker(engines).track(Frame(0, 0, pixels), every_frame=True).faces
        if not faces:
            pytest.skip(f"no face is found in {name}")
        five = five_points(max(faces, key=lambda f: float(f.box[2] - f.box[0])).points)
        matrix = crop_matrix(five, "arcface_112_v2", 112)
        if np.hypot(*matrix[:, 0]) >= 0.55:
            break
        pixels = np.asarray(cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels, five


@pytest.mark.parametrize("name", PICTURES)
def test_embeddings_agree_with_arcface_onnx(zoo: Any, engines: Engines, name: str, tmp_path: Path) -> None:
    pixels, five = seen(engines, name)
    path = tmp_path / "w600k_r50.onnx"
    path.write_bytes(standins.standin("w600k_r50"))

    theirs = zoo.arcface.ArcFaceONNX(str(path)).get(pixels, _Face(five))
    ours = Recogniser(engines).of(pixels, five)

    assert np.abs(ours).max() > 0.01
    np.testing.assert_allclose(ours / np.linalg.norm(ours), theirs / np.linalg.norm(theirs), atol=1e-4)


@pytest.mark.parametrize("name", PICTURES)
def test_swapped_crops_agree_with_inswapper(zoo: Any, engines: Engines, name: str, tmp_path: Path) -> None:
    pixels, five = seen(engines, name)
    path = tmp_path / "inswapper_128.onnx"
    path.write_bytes(standins.standin("inswapper_128"))
    swapper = Swapper(engines, "inswapper_128")
    raw = Recogniser(engines).of(pixels, five)

    source = _Face(five, normed_embedding=raw / np.linalg.norm(raw))
    theirs, matrix = zoo.inswapper.INSwapper(str(path)).get(pixels, _Face(five), source, paste_back=False)
    ours_matrix = crop_matrix(five, "arcface_128", 128)
    ours = swapper.run([take(pixels, ours_matrix, 128)], swapper.styles([(pixels, five, 1.0)]))[0].picture

    np.testing.assert_allclose(ours_matrix, matrix, atol=2e-3)
    # insightface cuts the decimals off, ours rounds: what is within one level before that is so afterwards.
    difference = ours.astype(int) - theirs.astype(int)
    assert difference.min() >= -1
    assert difference.max() <= 2
    assert abs(difference.mean() - 0.5) < 0.1


class _Face(dict[str, Any]):
    """insightface's face: attributes and items at once."""

    def __init__(self, five: Points, **more: Any) -> None:
        super().__init__(kps=five, **more)
        self.__dict__ = self
