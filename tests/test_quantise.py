import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceswapd.core.settings import InferenceSettings
from faceswapd.inference import quantise
from faceswapd.inference.choices import Choices
from faceswapd.inference.engine import Tensor
from faceswapd.inference.engines import Engines
from faceswapd.inference.ov_core import ov_core
from faceswapd.inference.shelf import Shelf
from faceswapd.inference.tuning import psnr_db

pytestmark = pytest.mark.skipif(
    "INT8" not in ov_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
    reason="this processor has no instructions for int8",
)
SIDE = 128


def network(wide: int = 64, depth: int = 6) -> bytes:
    """A swapper's contract (hyperswap's, at 256) with real convolutions: a picture in, a similar one out."""
    random = np.random.default_rng(0)
    nodes, weights, x, channels = [], [], "target", 3
    for n in range(depth):
        last = n == depth - 1
        out = 3 if last else wide
        kernel = random.normal(0, np.sqrt(1 / (channels * 9)), (out, channels, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"k{n}"))
        nodes.append(helper.make_node("Conv", [x, f"k{n}"], [f"c{n}"], kernel_shape=[3, 3], pads=[1] * 4))
        x = f"c{n}"
        if not last:
            nodes.append(helper.make_node("LeakyRelu", [x], [f"r{n}"], alpha=0.1))
            x, channels = f"r{n}", wide
    nodes += [
        helper.make_node("ReduceMean", ["source"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Reshape", ["mean", "one"], ["shift"]),
        helper.make_node("Add", [x, "shift"], ["moved"]),
        helper.make_node("Tanh", ["moved"], ["output"]),
    ]
    weights.append(numpy_helper.from_array(np.array([1, 1, 1, 1]), "one"))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [info("target", TensorProto.FLOAT, [1, 3, 256, 256]), info("source", TensorProto.FLOAT, [1, 512])],
        [info("output", TensorProto.FLOAT, [1, 3, 256, 256])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def pictures(count: int, seed: int) -> list[Tensor]:
    random = np.random.default_rng(seed)
    coarse = random.uniform(-1, 1, (count, 3, 8, 8)).astype(np.float32)
    return [np.kron(c, np.ones((32, 32), np.float32))[None] for c in coarse]


def test_ranges_are_those_of_the_convolutions_between_the_pictures() -> None:
    core = ov_core()
    source = np.zeros((1, 512), np.float32)
    found = quantise.ranges(core, network(), [{"target": p, "source": source} for p in pictures(2, 0)])

    assert len(found) == 5, "all but the first of six"
    assert found.keys() - quantise.careful(core, network(), found).keys() == {"c5"}, "it gives the picture"
    assert all(low <= 0 < high for low, high in found.values())
    wider = quantise.ranges(core, network(), [{"target": 2 * p, "source": source} for p in pictures(2, 0)])
    for name, (low, high) in found.items():
        np.testing.assert_allclose(wider[name], (2 * low, 2 * high), rtol=1e-4)


def test_wider_ranges_hold_both() -> None:
    one, other = {"a": (-1.0, 2.0), "b": (0.0, 1.0)}, {"a": (-3.0, 1.0), "c": (0.0, 5.0)}

    assert quantise.wider(one, other) == {"a": (-3.0, 2.0), "b": (0.0, 1.0), "c": (0.0, 5.0)}


def test_eight_bits_stay_near_fp32_and_are_used() -> None:
    core = ov_core()
    source = np.zeros((1, 512), np.float32)
    found = quantise.ranges(core, network(), [{"target": p, "source": source} for p in pictures(4, 0)])
    model = quantise.quantised(core, network(), found)
    assert sum(n.get_type_name() == "FakeQuantize" for n in model.get_ops()) == 10

    config = {"INFERENCE_PRECISION_HINT": "f32"}
    reduced = core.compile_model(model, "CPU", config)
    exact = core.compile_model(core.read_model(network()), "CPU", config)
    errors = []
    for p in pictures(3, 7):
        given = {"target": p, "source": source}
        errors.append(np.square(reduced(given)[0] - exact(given)[0]).mean())
    assert 35 < psnr_db(float(np.mean(errors)), 2.0) < 80
    kinds = [n.get_rt_info()["runtimePrecision"].astype(str) for n in reduced.get_runtime_model().get_ops()
             if n.get_rt_info()["layerType"].astype(str) == "Convolution"]  # fmt: skip
    assert sum(k in ("u8", "i8") for k in kinds) == 5


def test_auto_finds_int8_judges_it_on_other_samples_and_remembers_its_ranges(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(network(wide=48, depth=5))
    shelf = Shelf(tmp_path / "models")
    shelf.add(path, "net", "hyperswap_256")
    cache = tmp_path / "engines.json"
    engines = Engines(InferenceSettings(), cache=cache, shelf=shelf)
    engines.tune()
    runner, identity = engines.load("net"), engines.load("net:identity")
    styles = identity.run(np.zeros((1, 512), np.float32))
    for p in pictures(30, 3):  # of every five runs one is kept, six are wanted
        runner.run(p, *styles)
    deadline = time.monotonic() + 60
    while not engines.settled and time.monotonic() < deadline:
        time.sleep(0.05)
    assert engines.settled
    assert identity.engine == "onnxruntime CPU fp32", "run once for a face: not worth timing"
    engines.close()

    timed = next(t for t in Choices(cache)._read().values() if t.model == "net")
    assert "openvino cpu int8" in timed.ms, "within 35 dB on the samples it was not calibrated on"
    if timed.choice.precision == "int8":
        assert len(timed.ranges) == 4
        again = Engines(InferenceSettings(), cache=cache, shelf=shelf)
        assert again.load("net").engine == "openvino CPU int8"
        again.close()
