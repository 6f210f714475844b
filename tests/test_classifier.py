from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import standins

from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.attributes import Attributes
from faceswapd.faces.face import Face
from faceswapd.faces.mesh import stand_in
from faceswapd.inference.classifier import Classifier
from faceswapd.inference.engines import Engines

MODELS = ["genderage", "fairface"]


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def engines(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine=request.param, precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, *MODELS, "w600k_r50")
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


def face(x: float, y: float, side: float, number: int = 1) -> Face:
    marks = np.array([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [0, 0.25], [-0.5, 0], [0.5, 0]]) * side
    marks = (marks + np.array([x, y])).astype(np.float32)
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
    return Face(number, box, stand_in(marks, box), 0.9)


def scene(left: tuple[int, int, int], right: tuple[int, int, int]) -> Pixels:
    """640 x 480, the halves of two colours, BGR."""
    pixels = np.empty((480, 640, 3), np.uint8)
    pixels[:, :320], pixels[:, 320:] = left, right
    return pixels


def test_genderage_is_shown_its_square_in_its_colours(engines: Engines) -> None:
    """A wrong channel order, crop or scale would move the middle of red, which is the age, or the sex."""
    classifier = Classifier(engines, "genderage")
    blue, red = (150, 0, 0), (0, 0, 200)

    # The crop is 1.5 sides wide and 96 pixels; red lies in pixels 48 to 95, 0 to 47, everywhere, 0 to 60.
    assert classifier.look(scene(blue, red), [face(320, 240, 100)]) == [Attributes("male", 74)]
    assert classifier.look(scene(red, blue), [face(320, 240, 100)]) == [Attributes("male", 24)]
    assert classifier.look(scene(blue, blue), [face(320, 240, 100)]) == [Attributes("female", 49)]
    assert classifier.look(scene(red, (0, 0, 0)), [face(300, 240, 100)]) == [Attributes("male", 31)]


def test_fairface_is_shown_its_template(engines: Engines) -> None:
    classifier = Classifier(engines, "fairface")
    for green, age in ((0, 1), (32, 6), (96, 25), (255, 75)):
        pixels = scene((120, green, 90), (120, green, 90))
        assert classifier.look(pixels, [face(320, 240, 100)]) == [Attributes("female", age)]
    assert classifier.look(scene((0, 160, 90), (0, 160, 90)), [face(320, 240, 100)])[0].sex == "male"


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_is_what_single_runs_are(engines: Engines, model: str) -> None:
    pixels = scene((200, 40, 0), (0, 180, 220))
    faces = [face(150, 200, 90, 1), face(330, 260, 140, 2), face(560, 240, 120, 3)]
    classifier = Classifier(engines, model)

    together = classifier.look(pixels, faces)
    assert together == [classifier.look(pixels, [f])[0] for f in faces]
    assert {one.sex for one in together} == {"female", "male"}
    assert classifier.look(pixels, []) == []
    assert engines.shelf.card(model).batch


def test_other_models_are_refused(engines: Engines) -> None:
    with pytest.raises(UsageError, match="w600k_r50 is no attribute model but a recogniser"):
        Classifier(engines, "w600k_r50")
