import numpy as np
import pytest
import standins

from faceswapd.core.errors import ModelError
from faceswapd.faces.templates import TEMPLATES, crop_matrix
from faceswapd.inference.catalogue import family_of, known, licence_text
from faceswapd.inference.coding import IMAGENET, SIGNED, UNIT, Coding
from faceswapd.inference.contracts import Found
from faceswapd.inference.families import FAMILIES
from faceswapd.inference.onnx_file import Graph
from faceswapd.inference.recognition import fit, recognise


@pytest.mark.parametrize("model", list(standins.ALL))
def test_every_stand_in_keeps_its_familys_contract(model: str) -> None:
    graph = Graph(standins.standin(model))
    emap = model == "inswapper_128"

    assert known()[model].family in [f.name for f in recognise(graph.inputs, graph.outputs, emap)]


@pytest.mark.parametrize("model", [*standins.LANDMARKS, *standins.ATTRIBUTES])
def test_models_of_landmarks_and_attributes_are_taken_for_nothing_else(model: str) -> None:
    graph = Graph(standins.standin(model))

    assert [f.name for f in recognise(graph.inputs, graph.outputs, emap=False)] == [known()[model].family]


def test_an_emap_tells_inswapper_from_reswapper() -> None:
    graph = Graph(standins.standin("inswapper_128"))

    assert [f.name for f in recognise(graph.inputs, graph.outputs, emap=True)] == ["inswapper_128"]
    assert [f.name for f in recognise(graph.inputs, graph.outputs, emap=False)] == ["reswapper_128"]


def test_tensors_are_told_apart_by_name_where_their_shapes_are_equal() -> None:
    shape = (1, 3, 256, 256)
    inputs = [Found("source", "float32", shape), Found("target", "float32", shape)]

    roles = fit(FAMILIES["uniface_256"], inputs, [Found("o", "float32", shape)]).inputs
    assert {role: found.name for role, found in roles.items()} == {"target": "target", "source": "source"}


def test_cscs_is_known_among_swappers_of_its_shapes_by_its_names() -> None:
    picture, source = (1, 3, 256, 256), (1, 512)
    outputs = [Found("output", "float32", picture)]

    def named(target: str, worn: str) -> list[str]:
        inputs = [Found(target, "float32", picture), Found(worn, "float32", source)]
        return [f.name for f in recognise(inputs, outputs, emap=False)]

    assert named("input_1", "input_2") == ["cscs_256"]
    assert {"hyperswap_256", "ghost_256"} <= set(named("target", "source"))
    assert "cscs_256" not in named("target", "source")
    renamed = [Found("target", "float32", picture), Found("source", "float32", source)]
    assert fit(FAMILIES["cscs_256"], renamed, outputs).inputs["source"].name == "source", "when told"


@pytest.mark.parametrize("model", list(standins.PORTRAIT))
def test_parts_of_live_portrait_are_taken_for_nothing_else(model: str) -> None:
    graph = Graph(standins.standin(model))

    assert [f.name for f in recognise(graph.inputs, graph.outputs, emap=False)] == [known()[model].family]


@pytest.mark.parametrize("angle", [(), (1,), (1, 1), (None, 1)])
def test_an_angle_in_degrees_is_one_number_of_any_shape(angle: tuple[int | None, ...]) -> None:
    """Beside it the scale is one number too, and two outputs tell of 21 points: their places say which is which."""
    shapes = (angle, angle, angle, (1, 1), (1, 3), (1, 21, 3), (1, 21, 3))
    names = ("kp", "scale", "yaw", "roll", "exp", "pitch", "t")  # not what they are
    outputs = [Found(name, "float32", shape) for name, shape in zip(names, shapes, strict=True)]

    (family,) = recognise([Found("input", "float32", (1, 3, 256, 256))], outputs, emap=False)
    roles = fit(family, [Found("input", "float32", (1, 3, 256, 256))], outputs).outputs
    assert family.name == "portrait_motion_degrees"
    order = ("pitch", "yaw", "roll", "scale", "t", "exp", "kp")
    assert {role: found.name for role, found in roles.items()} == dict(zip(order, names, strict=True))


def test_both_names_of_a_generators_points_say_where_they_are_to_go_and_where_they_are() -> None:
    points, features = (1, 21, 3), Found("f", "float32", (1, 32, 16, 64, 64))
    outputs = [Found("out", "float32", (1, 3, 512, 512))]

    for wanted, now in (("kp_driving", "kp_source"), ("source", "target")):
        inputs = [Found(now, "float32", points), Found(wanted, "float32", points), features]
        roles = fit(FAMILIES["portrait_generator"], inputs, outputs).inputs
        assert roles["kp_driving"].name == wanted
        assert roles["kp_source"].name == now


def test_of_vqfrs_two_pictures_the_restored_one_is_taken() -> None:
    graph = Graph(standins.standin("vqfr_v2"))

    (family,) = recognise(graph.inputs, graph.outputs, emap=False)
    roles = fit(family, graph.inputs, graph.outputs)
    assert family.name == "vqfr"
    assert [f.name for f in graph.outputs] == ["texture_dec", "main_dec"]
    assert [f.name for f in roles.outputs.values()] == ["main_dec"]


def test_the_nearest_family_names_the_tensor_that_does_not_fit() -> None:
    inputs = [Found("target", "float32", (1, 3, 128, 128)), Found("source", "float32", (1, 256))]

    with pytest.raises(
        ModelError, match=r"swapper_128: no input is 'source' .*there is 'source' float32 \[1, 256\]"
    ):
        recognise(inputs, [Found("output", "float32", (1, 3, 128, 128))], emap=False)


def test_no_two_models_of_the_catalogue_are_one_file() -> None:
    digests = [entry.sha256 for entry in known().values() if entry.sha256]
    assert len(set(digests)) == len(digests)


def test_every_model_of_the_catalogue_is_of_a_known_family_and_licence() -> None:
    for name, entry in known().items():
        assert family_of(entry.family).name == entry.family
        assert len(licence_text(entry.licence)) > len(entry.licence), name
        assert len(entry.sha256) in (0, 64)
        assert entry.sha256 or not entry.url, f"{name}: only what can be checked can be pulled"
        assert entry.sha256 or not entry.size, f"{name}: a size is that of one file"
        assert not entry.url or entry.url.startswith("https://")
        assert all(need in known() for need in entry.needs)
        assert entry.url or entry.origin, f"{name}: nobody is told where it is"
        converter = FAMILIES[entry.family].converter
        assert not converter or converter in entry.needs


@pytest.mark.parametrize("coding", [UNIT, SIGNED, IMAGENET, Coding("BGR", axes="NHWC")])
def test_pictures_come_back_from_their_numbers_exactly(coding: Coding) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8))

    batch = coding.encode(pictures)
    assert batch.dtype == np.float32
    assert batch.shape == ((3, 3, 16, 16) if coding.axes == "NCHW" else (3, 16, 16, 3))
    assert all(np.array_equal(a, b) for a, b in zip(coding.decode(batch), pictures, strict=True))


def test_channels_and_scales_are_those_of_the_networks() -> None:
    blue = np.zeros((1, 1, 3), np.uint8)
    blue[..., 0] = 255

    assert UNIT.encode([blue])[0, :, 0, 0].tolist() == [0, 0, 1]
    assert SIGNED.encode([blue])[0, :, 0, 0].tolist() == [-1, -1, 1]
    np.testing.assert_allclose(
        IMAGENET.encode([blue])[0, :, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225], rtol=1e-6
    )
    assert Coding("BGR", axes="NHWC").encode([blue]).tolist() == [[[[1, 0, 0]]]]


def test_numbers_beyond_a_byte_are_cut_off() -> None:
    numbers = np.array([-3, -1.2, -1, 0, 1, 9], np.float32).reshape(1, 1, 1, 6).repeat(3, axis=1)

    assert SIGNED.decode(numbers)[0][0, :, 0].tolist() == [0, 0, 0, 128, 255, 255]


@pytest.mark.parametrize("name", list(standins.TEMPLATES))
def test_templates_agree_with_the_published_numbers(name: str) -> None:
    side = {"arcface_128": 128.0, "ffhq_512": 512.0}.get(name, 1.0)

    np.testing.assert_allclose(TEMPLATES[name], np.array(standins.TEMPLATES[name]) / side, atol=1e-4)


def test_a_face_that_stands_as_its_template_is_only_scaled_and_moved() -> None:
    five = TEMPLATES["ffhq_512"] * 300 + np.array([40, 20], np.float32)

    np.testing.assert_allclose(crop_matrix(five, "ffhq_512", 600), [[2, 0, -80], [0, 2, -40]], atol=1e-3)
