from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import standins
from test_enhance import PHOTO, Nobody

from faceswapd.core.effect import Effect
from faceswapd.core.errors import ModelError, UsageError
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.inference.engines import Engines
from faceswapd.processors.enhance_frame import EnhanceFrame, EnhanceFrameParams
from faceswapd.processors.processor import Picture, Workshop

GAIN = standins.GAIN[::-1]
"""Of blue, green and red."""


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, *standins.FRAME_ENHANCERS, "gfpgan_1.4")
    (folder / "fixed.onnx").write_bytes(standins.frame_enhancer(4, 64))
    shelf.add(folder / "fixed.onnx", "fixed", "frame_enhancer")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


@pytest.fixture
def enhance(engines: Engines) -> Callable[..., Any]:
    def enhance(**params: Any) -> Any:
        return EnhanceFrame(Workshop(engines, Nobody())).prepare(EnhanceFrameParams(**params))

    return enhance


def scene(width: int, height: int) -> Pixels:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("model", [*standins.FRAME_ENHANCERS, "fixed"])
@pytest.mark.parametrize("size", [(500, 333), (224, 224), (31, 700)])
def test_every_pixel_of_the_frame_goes_through_the_network_once(
    model: str, size: tuple[int, int], enhance: Any
) -> None:
    """Also at the seams of the tiles and where the last tiles reach beyond the frame; colours in their order."""
    picture = enhance(model=model, blend=1.0)(Picture(scene(*size), ()))

    np.testing.assert_allclose(picture.pixels, scene(*size) * GAIN, atol=1)
    assert picture.effect is Effect.RESTORED


def test_the_picture_as_it_was_shines_through_a_blend(enhance: Any) -> None:
    half = enhance(model="real_esrgan_x2", blend=0.5)(Picture(PHOTO.copy(), ())).pixels

    np.testing.assert_allclose(half, PHOTO * (0.5 * GAIN + 0.5), atol=1.5)
    nothing = enhance(model="real_esrgan_x2", blend=0.0)(Picture(PHOTO.copy(), ()))
    np.testing.assert_array_equal(nothing.pixels, PHOTO)
    assert nothing.effect is Effect.NONE


def test_a_missing_or_wrong_model_is_refused(enhance: Any) -> None:
    with pytest.raises(UsageError, match="no model is called 'real_esrgan_x8'"):
        enhance(model="real_esrgan_x8")
    with pytest.raises(UsageError, match=r"gfpgan_1.4.*is no frame enhancer"):
        enhance(model="gfpgan_1.4")


def test_a_model_is_recognised_by_leaving_its_size_open(
    engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("more") / "unheard_of.onnx"
    path.write_bytes(standins.frame_enhancer(2))
    assert engines.shelf.add(path, "open").family == "frame_enhancer"
    path.write_bytes(standins.frame_enhancer(1, 512))
    assert engines.shelf.add(path, "shut").family == "enhancer_512"


def test_one_that_enlarges_by_no_whole_number_is_refused(
    engines: Engines, enhance: Any, tmp_path: Any
) -> None:
    path = tmp_path / "three_halves.onnx"
    path.write_bytes(standins.frame_enhancer(1.5))
    engines.shelf.add(path)
    with pytest.raises(ModelError, match="model three_halves makes 384x384 of 256x256"):
        enhance(model="three_halves")
