import numpy as np
import pytest

from faceswapd.core.errors import ModelError
from faceswapd.inference.contracts import CONTRACTS, Found, check

MESH = CONTRACTS["mesh478"]
INPUTS = [Found("input", "float32", (1, 256, 256, 3))]
OUTPUTS = [
    Found("Identity", "float32", (1, 1, 1, 1434)),
    Found("Identity_1", "float32", (1, 1, 1, 1)),
    Found("Identity_2", "float32", (1, 1)),
]


def test_a_file_that_keeps_its_contract_passes_in_any_order() -> None:
    check(MESH, INPUTS, [*reversed(OUTPUTS), Found("more", "int64", (1,))])


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        ([], OUTPUTS, r"input 'input' is missing \(there is none\)"),
        ([Found("input", "float16", (1, 256, 256, 3))], OUTPUTS, "input 'input' is float16"),
        (
            [Found("input", "float32", (1, 3, 256, 256))],
            OUTPUTS,
            r"\[1, 3, 256, 256\], not \[1, 256, 256, 3\]",
        ),
        ([Found("input", "float32", (1, 256, 3))], OUTPUTS, r"\[1, 256, 3\]"),
        ([Found("input", "float32", (None, 256, 256, 3))], OUTPUTS, r"\[any, 256, 256, 3\]"),
        ([*INPUTS, Found("second", "float32", (1,))], OUTPUTS, "input 'second' is not in the contract"),
        (INPUTS, OUTPUTS[:2], r"output 'Identity_2' is missing \(there is Identity, Identity_1\)"),
    ],
)
def test_a_misfit_is_refused_with_the_tensors_name(
    inputs: list[Found], outputs: list[Found], says: str
) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        check(MESH, inputs, outputs)

    assert "mesh478" in str(caught.value)
    assert caught.value.remedy


def test_pixels_become_the_numbers_that_a_model_was_trained_on() -> None:
    blue = np.zeros((256, 256, 3), np.uint8)
    blue[..., 0] = 255
    mesh = MESH.tensor(blue)
    detector = CONTRACTS["blaze_short"].tensor(blue[:128, :128])

    assert mesh.shape == (1, 256, 256, 3)
    assert mesh.dtype == np.float32
    assert mesh[0, 0, 0].tolist() == [0, 0, 1], "blue is the last channel of RGB"
    assert detector[0, 0, 0].tolist() == [-1, -1, 1]


def test_every_value_of_a_pixel_is_mapped_exactly() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[:16, :16] = ramp[..., None]

    np.testing.assert_allclose(MESH.tensor(picture)[0, :16, :16, 1], ramp / 255, atol=1e-7)


def test_sizes_are_width_and_height() -> None:
    assert CONTRACTS["selfie144x256"].size == (256, 144)
    with pytest.raises(ValueError, match="blendshapes52 takes no picture"):
        _ = CONTRACTS["blendshapes52"].size


def test_detectors_are_never_reduced() -> None:
    assert [c.model for c in CONTRACTS.values() if not c.reducible] == ["blaze_short", "blaze_full"]
    assert all(any(o.tolerance for o in c.outputs) for c in CONTRACTS.values())
