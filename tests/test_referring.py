import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import standins
from onnx import TensorProto, helper, numpy_helper

from faceswapd.core.settings import InferenceSettings
from faceswapd.inference import ov_core, surgery
from faceswapd.inference.engines import Engines
from faceswapd.inference.onnx_file import Graph
from faceswapd.inference.ov_core import read
from faceswapd.inference.proving import Trial
from faceswapd.inference.referring import Referring, refer, whole
from faceswapd.inference.shelf import Shelf


def _network(size: int = 8) -> bytes:
    """A convolution whose kernel is large enough to be referred to, and lies at an odd place in the file."""
    kernel = np.random.default_rng(3).standard_normal((size, 3, 5, 5), np.float32)
    node = helper.make_node("Conv", ["input", "k"], ["output"], pads=[2] * 4)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "x" * 6,
        [info("input", TensorProto.FLOAT, [1, 3, 9, 9])],
        [info("output", TensorProto.FLOAT, [1, size, 9, 9])],
        [numpy_helper.from_array(kernel, "k")],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models with ünusual names" / "a network.onnx"
    path.parent.mkdir()
    path.write_bytes(_network())
    return path


def _referring(file: Path) -> Referring:
    content = Graph(file.read_bytes(), file=file).encode()
    assert isinstance(content, Referring)
    return content


def test_what_is_written_of_a_graph_refers_to_the_weights_in_its_file(file: Path) -> None:
    content = _referring(file)

    assert len(content.graph) < 500 < file.stat().st_size
    onnx.checker.check_model(onnx.load_from_string(whole(content)), full_check=True)
    assert onnx.load_from_string(whole(content)) == onnx.load(file)


def test_both_engines_follow_the_references(file: Path) -> None:
    picture = np.random.default_rng(1).random((1, 3, 9, 9), np.float32)
    expected = Trial(file.read_bytes(), "file").run({"input": picture})["output"]
    core = ov_core.ov_core()

    by_onnxruntime = Trial(_referring(file), "file").run({"input": picture})["output"]
    by_openvino = core.compile_model(
        read(core, _referring(file)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )({"input": picture})[0]

    np.testing.assert_array_equal(by_onnxruntime, expected)
    np.testing.assert_allclose(by_openvino, expected, atol=1e-5)
    assert [path.name for path in file.parent.iterdir()] == [file.name]  # nothing is left beside it


def test_where_nothing_can_be_laid_beside_the_weights_they_are_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> tuple[int, str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    core = ov_core.ov_core()

    assert [p.get_any_name() for p in read(core, _referring(file)).outputs] == ["output"]


def test_what_was_changed_and_what_is_small_stays_in_the_graph(file: Path) -> None:
    content = file.read_bytes()
    (kernel,) = Graph(content).initializers.values()

    assert refer(kernel, b"another file", "x") is kernel
    assert refer(kernel, content, "x") is not kernel
    assert refer(kernel.copy().put(9, memoryview(content)[:100]), content, "x").one(14) is None
    assert (
        refer(kernel.copy().put(9, content), content, "x").one(14) is None
    )  # made since: no part of the file


def test_halves_refer_too(tmp_path: Path) -> None:
    file = tmp_path / "swapper.onnx"
    file.write_bytes(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True))
    halves = surgery.cut(Graph(file.read_bytes(), file=file), "source")
    plain = surgery.cut(Graph(file.read_bytes()), "source")

    assert halves is not None
    assert plain is not None
    assert isinstance(halves.identity, Referring)
    assert whole(halves.identity) == whole(plain.identity)
    assert len(halves.identity.graph) < len(whole(plain.identity))


def test_a_model_of_the_users_is_served_by_reference_and_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "models")
    (tmp_path / "mine.onnx").write_bytes(
        standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True)
    )
    shelf.add(tmp_path / "mine.onnx")
    home = shelf.folder / "mine"
    (home / ".graph-old.onnx").touch()
    os.utime(home / ".graph-old.onnx", (0, 0))
    (home / ".graph-new.onnx").touch()

    shelf.sweep()

    assert isinstance(shelf.supply("mine").content, Referring)
    assert not (home / ".graph-old.onnx").exists()
    assert (home / ".graph-new.onnx").exists()  # an engine may be reading it
    (home / ".graph-new.onnx").unlink()
    for engine in ("onnxruntime", "openvino"):
        engines = Engines(
            InferenceSettings(engine=engine, provider="cpu", precision="fp32"),
            cache=tmp_path / "engines.json", shelf=shelf,
        )  # fmt: skip
        assert engines.load("mine").engine.startswith(engine)
        engines.close()
    assert sorted(p.name for p in home.iterdir()) == ["card.json", "emap.npy", "model.onnx"]
