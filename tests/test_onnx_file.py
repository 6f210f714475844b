import numpy as np
import onnx
import pytest
import standins
from onnx import numpy_helper

from faceswapd.core.errors import ModelError
from faceswapd.inference.contracts import Found
from faceswapd.inference.onnx_file import Graph, array, tensor
from faceswapd.inference.referring import whole
from faceswapd.inference.store import Store


@pytest.mark.parametrize("model", [e.model for e in Store().entries])
def test_a_real_file_is_read_as_the_onnx_library_reads_it(model: str) -> None:
    content = Store().read(model)
    graph, theirs = Graph(content), onnx.load_from_string(content).graph

    assert [n.op for n in graph.nodes] == [n.op_type for n in theirs.node]
    assert [list(n.inputs) for n in graph.nodes] == [list(n.input) for n in theirs.node]
    assert [f.name for f in graph.outputs] == [o.name for o in theirs.output]
    for initializer in theirs.initializer:
        np.testing.assert_array_equal(graph.tensor(initializer.name), numpy_helper.to_array(initializer))


def test_what_is_written_is_the_same_model() -> None:
    content = standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True)
    again = onnx.load_from_string(whole(Graph(content).encode()))

    onnx.checker.check_model(again, full_check=True)
    assert again.graph.node == onnx.load_from_string(content).graph.node
    assert again.opset_import == onnx.load_from_string(content).opset_import


def test_inputs_and_outputs_are_told_with_types_and_open_sizes() -> None:
    graph = Graph(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, batch="n"))

    assert graph.inputs == [
        Found("target", "float32", (None, 3, 128, 128)),
        Found("source", "float32", (None, 512)),
    ]
    assert graph.outputs == [Found("output", "float32", (None, 3, 128, 128))]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "int8", "float16"])
def test_tensors_go_there_and_back(dtype: str) -> None:
    values = np.arange(-3 if dtype[0] != "u" else 0, 9).astype(dtype).reshape(-1, 3)

    np.testing.assert_array_equal(array(tensor("t", values)), values)
    theirs = numpy_helper.to_array(onnx.TensorProto.FromString(tensor("t", values).encode()))
    np.testing.assert_array_equal(theirs, values)


def test_numbers_that_are_not_stored_raw_are_read_too() -> None:
    from onnx import TensorProto, helper

    from faceswapd.inference.protobuf import Message

    for kind, values in (
        (TensorProto.FLOAT, [1.5, -2.0]),
        (TensorProto.INT64, [3, -4]),
        (TensorProto.DOUBLE, [0.1]),
    ):
        made = helper.make_tensor("t", kind, [len(values)], values)
        assert array(Message.parse(made.SerializeToString())).tolist() == values


@pytest.mark.parametrize("content", [b"", b"no model", b"\x89PNG\r\n", b"\0" * 100, b"\xff" * 40])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"nose\.onnx is no ONNX model"):
        Graph(content, "nose.onnx")


def test_a_truncated_model_is_refused() -> None:
    content = standins.recogniser()
    for size in (len(content) - 1, len(content) // 2, 100):
        with pytest.raises(ModelError, match="is no ONNX model"):
            Graph(content[:size])


def test_weights_in_a_second_file_are_refused() -> None:
    model = onnx.load_from_string(standins.recogniser())
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL

    with pytest.raises(ModelError, match="weights in a second file"):
        Graph(model.SerializeToString())
