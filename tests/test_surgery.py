from functools import partial

import numpy as np
import onnx
import standins
from onnx import TensorProto, helper, numpy_helper

from faceswapd.inference import surgery
from faceswapd.inference.onnx_file import Graph
from faceswapd.inference.proving import Trial, derived, prove
from faceswapd.inference.referring import whole


def test_the_emap_is_found_by_its_shape_wherever_it_stands() -> None:
    model = onnx.load_from_string(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True))
    initializers = list(model.graph.initializer)
    for order in (initializers, initializers[::-1]):
        del model.graph.initializer[:]
        model.graph.initializer.extend(order)
        np.testing.assert_array_equal(surgery.emap(Graph(model.SerializeToString())), standins.emap())


def test_of_two_such_matrices_the_one_that_no_node_reads_is_the_emap() -> None:
    model = onnx.load_from_string(standins.swapper(128, "arcface_128", standins.UNIT_GREEN, with_emap=True))
    read = numpy_helper.from_array(np.eye(512, dtype=np.float32), "read")
    model.graph.initializer.append(read)
    model.graph.node.append(helper.make_node("Identity", ["read"], ["nowhere"]))

    np.testing.assert_array_equal(surgery.emap(Graph(model.SerializeToString())), standins.emap())
    assert surgery.emap(Graph(standins.recogniser())) is None


def test_the_half_that_hangs_on_the_source_is_cut_off() -> None:
    content = standins.swapper(128, "arcface_128", standins.UNIT_GREEN)
    halves = surgery.cut(Graph(content), "source")
    assert halves is not None

    assert halves.edges == ("shift",)
    assert [n.op for n in Graph(whole(halves.identity)).nodes] == ["MatMul", "Reshape"]
    assert [f.name for f in halves.image.inputs] == ["target"]
    assert not {"MatMul", "Reshape"} & {n.op for n in halves.image.nodes}


def test_inputs_that_meet_at_once_are_not_cut() -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["target", "source"], ["output"])],
        "meeting",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("target", "source")],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    content = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()

    assert surgery.cut(Graph(content), "source") is None
    recipe = prove(lambda: Graph(content), "source")
    assert recipe.edges == ()
    assert recipe.batch


def test_a_cut_and_opened_model_gives_what_the_whole_one_gives_one_by_one() -> None:
    content = standins.swapper(128, "arcface_128", standins.UNIT_GREEN)
    recipe = prove(lambda: Graph(content), "source")
    image = Trial(derived(Graph(content), "source", recipe.edges, batch=recipe.batch), "image")
    identity = surgery.cut(Graph(content), "source")
    assert identity is not None
    random = np.random.default_rng(3)
    targets = random.random((5, 3, 128, 128), np.float32)
    source = random.random((1, 512), np.float32)

    styles = Trial(identity.identity, "identity").run({"source": source})
    together = image.run({"target": targets, **styles})["output"]
    whole = Trial(content, "whole")
    single = [whole.run({"target": t[None], "source": source})["output"] for t in targets]

    assert recipe.batch
    assert [e.name for e in recipe.edges] == ["shift"]
    np.testing.assert_allclose(together, np.concatenate(single), atol=1e-6)


def _mixing() -> bytes:
    """A model whose batch cannot be opened: it folds all pictures into one mean."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["input", "mean"], ["rest"]),
            helper.make_node("Add", ["rest", "input"], ["output"]),
        ],
        "mixing",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )


def test_a_batch_that_changes_the_result_is_refused() -> None:
    recipe = prove(lambda: Graph(_mixing()), None)

    assert not recipe.batch
    assert Graph(whole(derived(Graph(_mixing()), None, (), batch=recipe.batch))).inputs[0].shape == (
        1,
        3,
        8,
        8,
    )


def _shaped(last: int) -> bytes:
    """A model with a Reshape whose constant repeats the batch of 1, as exports do."""
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["input", "shape"], ["output"])],
        "shaped",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 192])],
        [numpy_helper.from_array(np.array([1, last]), "shape")],
    )
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )


def test_constants_that_repeat_the_batch_are_opened_too() -> None:
    for last in (192, -1):
        content = _shaped(last)
        assert prove(partial(Graph, content), None).batch
        pictures = np.random.default_rng(0).random((4, 3, 8, 8), np.float32)
        got = Trial(derived(Graph(content), None, (), batch=True), "shaped").run({"input": pictures})[
            "output"
        ]
        np.testing.assert_array_equal(got, pictures.reshape(4, 192))
