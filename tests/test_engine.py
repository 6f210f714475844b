"""The contract of `Runner`, kept by both engines."""

import sys
import threading

import numpy as np
import pytest

from faceswapd.core.errors import FaceswapdError, InferenceError, ModelError
from faceswapd.inference.contracts import CONTRACTS
from faceswapd.inference.engine import Runner, Tensor
from faceswapd.inference.openvino import OpenVino
from faceswapd.inference.ort import OnnxRuntime
from faceswapd.inference.providers import PROVIDERS, Plan
from faceswapd.inference.store import Store

BLENDSHAPES = CONTRACTS["blendshapes52"]
CONTENT = Store().read("blendshapes52")
ZEROS = np.zeros((1, 146, 2), np.float32)


def points(n: int = 0) -> Tensor:
    return np.random.default_rng(n).uniform(0, 256, (1, 146, 2)).astype(np.float32)


@pytest.fixture(scope="module", params=[OnnxRuntime, OpenVino])
def maker(request: pytest.FixtureRequest) -> OnnxRuntime | OpenVino:
    try:
        made: OnnxRuntime | OpenVino = request.param(Plan(PROVIDERS["cpu"], 2, 1))
    except FaceswapdError as error:
        pytest.skip(str(error))
    return made


@pytest.fixture(scope="module")
def runner(maker: OnnxRuntime | OpenVino) -> Runner:
    return maker.load(BLENDSHAPES, CONTENT)


def test_says_what_serves(maker: OnnxRuntime | OpenVino, runner: Runner) -> None:
    assert (runner.model, runner.engine) == ("blendshapes52", f"{maker.name} CPU fp32")


def test_shapes_and_types_are_the_contracts(maker: OnnxRuntime | OpenVino) -> None:
    for contract in CONTRACTS.values():
        inputs = [np.ones([n or 1 for n in t.shape], np.float32) for t in contract.inputs]

        outputs = maker.load(contract, Store().read(contract.model)).run(*inputs)

        assert [o.shape for o in outputs] == [t.shape for t in contract.outputs]
        assert {o.dtype for o in outputs} == {np.dtype(np.float32)}


def test_outputs_belong_to_the_caller(runner: Runner) -> None:
    (first,) = runner.run(points(1))
    kept = first.copy()
    (second,) = runner.run(points(2))
    second[:] = 7

    assert np.array_equal(first, kept)
    assert np.isfinite(kept).all()


def test_inputs_may_be_read_only_or_strided_and_stay_as_they_are(runner: Runner) -> None:
    given = points()
    frozen, strided = given.copy(), np.repeat(given, 2, axis=2)[..., ::2]
    frozen.flags.writeable = False

    (expected,) = runner.run(given)

    assert np.array_equal(runner.run(frozen)[0], expected)
    assert np.array_equal(runner.run(strided)[0], expected)
    assert np.array_equal(given, points())


@pytest.mark.parametrize("inputs", [(ZEROS[:, :2],), (), (ZEROS, ZEROS)], ids=["shape", "none", "two"])
def test_a_wrong_input_is_an_inference_error_in_one_line(
    maker: OnnxRuntime | OpenVino, runner: Runner, inputs: tuple[Tensor, ...]
) -> None:
    with pytest.raises(InferenceError, match=f"blendshapes52 failed in {maker.name} CPU fp32") as caught:
        runner.run(*inputs)

    assert "\n" not in str(caught.value)
    assert runner.run(points())[0].shape == (52,), "and it goes on running"


def test_four_threads_get_what_one_gets(runner: Runner) -> None:
    expected = [runner.run(points(n))[0] for n in range(4)]
    wrong: list[int] = []

    def work(n: int) -> None:
        for _ in range(25):
            if not np.array_equal(runner.run(points(n))[0], expected[n]):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert not np.array_equal(expected[0], expected[1])


def test_the_gil_is_free_while_it_runs(maker: OnnxRuntime | OpenVino) -> None:
    """With a switch interval this long only a run that lets go of the GIL is seen running by another thread."""
    runner, zeros = (
        maker.load(CONTRACTS["mesh478"], Store().read("mesh478")),
        np.zeros((1, 256, 256, 3), np.float32),
    )
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        runner.run(zeros)
        ended.set()

    def seen_running() -> bool:
        begun.clear()
        ended.clear()
        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        running = not ended.is_set()
        thread.join()
        return running

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        assert any(seen_running() for _ in range(50))
    finally:
        sys.setswitchinterval(interval)


def test_a_file_that_is_no_model_is_refused_in_one_line(maker: OnnxRuntime | OpenVino) -> None:
    with pytest.raises(ModelError, match=r"model blendshapes52: .* cannot load it") as caught:
        maker.load(BLENDSHAPES, b"not a model")

    assert "\n" not in str(caught.value)


def test_another_models_file_is_refused_with_the_tensor(maker: OnnxRuntime | OpenVino) -> None:
    with pytest.raises(ModelError, match=r"mesh478: input 'input' is \[1, 146, 2\], not \[1, 256, 256, 3\]"):
        maker.load(CONTRACTS["mesh478"], CONTENT)


def test_both_engines_compute_the_same() -> None:
    pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")
    one, other = OnnxRuntime(Plan(PROVIDERS["cpu"], 1, 1)), OpenVino(Plan(PROVIDERS["cpu"], 1, 1))
    for contract in CONTRACTS.values():
        content, rng = Store().read(contract.model), np.random.default_rng(3)
        shape = [n or 1 for n in contract.inputs[0].shape]
        sample = rng.random(shape).astype(np.float32) * (256 if contract.pixels is None else 1)
        left, right = (maker.load(contract, content).run(sample) for maker in (one, other))
        for ours, theirs in zip(left, right, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)
