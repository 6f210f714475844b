"""The buffers that stay: on the processor here, by the same calls as on a device."""

import dataclasses
import threading
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceswapd.core.errors import InferenceError, ModelError
from faceswapd.inference.binding import BUCKETS, Bound, Gate, bindable, bucket
from faceswapd.inference.contracts import CONTRACTS, Contract, TensorSpec
from faceswapd.inference.engine import Tensor
from faceswapd.inference.ort import OnnxRuntime, OrtRunner
from faceswapd.inference.providers import PROVIDERS, Option, Plan
from faceswapd.inference.store import Store

onnxruntime = pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")

SIDE = 8
CONTRACT = Contract(
    "net",
    "swapper",
    (
        TensorSpec("picture", (None, 3, SIDE, SIDE), "pictures"),
        TensorSpec("style", (1, 4), "for all of them"),
    ),
    (TensorSpec("made", (None, 4, SIDE, SIDE), "pictures"), TensorSpec("sum", (1, 4), "of the style")),
)
BOUND_CPU = dataclasses.replace(PROVIDERS["cpu"], memory="cpu")


def network() -> bytes:
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["picture", "kernel"], ["c"], kernel_shape=[3, 3], pads=[1] * 4),
            helper.make_node("Reshape", ["style", "shape"], ["shift"]),
            helper.make_node("Add", ["c", "shift"], ["made"]),
            helper.make_node("Add", ["style", "style"], ["sum"]),
        ],
        "net",
        [
            info("picture", TensorProto.FLOAT, ["n", 3, SIDE, SIDE]),
            info("style", TensorProto.FLOAT, [1, 4]),
        ],
        [info("made", TensorProto.FLOAT, ["n", 4, SIDE, SIDE]), info("sum", TensorProto.FLOAT, [1, 4])],
        [
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.array([1, 4, 1, 1]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def pictures(count: int, seed: int = 0) -> Tensor:
    return np.random.default_rng(seed).normal(size=(count, 3, SIDE, SIDE)).astype(np.float32)


STYLE = np.arange(4, dtype=np.float32)[None]


@pytest.fixture(scope="module")
def plain() -> OrtRunner:
    return OnnxRuntime(Plan(PROVIDERS["cpu"], 1, 1)).load(CONTRACT, network())


@pytest.fixture
def bound() -> Iterator[OrtRunner]:
    runner = OnnxRuntime(Plan(BOUND_CPU, 2, 1)).load(CONTRACT, network())
    yield runner
    runner.close()


def test_a_batch_goes_into_the_smallest_bucket_that_holds_it() -> None:
    assert [bucket(n) for n in (1, 2, 3, 4, 5, 8, 9, 16)] == [1, 2, 4, 4, 8, 8, 16, 16]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 16, 17, 40])
def test_any_batch_gives_bit_for_bit_what_a_plain_run_gives(
    plain: OrtRunner, bound: OrtRunner, count: int
) -> None:
    for seed in range(3):
        given = pictures(count, seed)
        for ours, theirs in zip(bound.run(given, STYLE), plain.run(given, STYLE), strict=True):
            assert ours.shape == theirs.shape
            assert np.array_equal(ours, theirs)


def test_the_bundled_models_give_bit_for_bit_the_same() -> None:
    for model, contract in CONTRACTS.items():
        content = Store().read(model)
        one, other = (
            OnnxRuntime(Plan(p, 1, 1)).load(contract, content) for p in (PROVIDERS["cpu"], BOUND_CPU)
        )
        sample = (
            np.random.default_rng(1).random([n or 1 for n in contract.inputs[0].shape]).astype(np.float32)
        )
        for ours, theirs in zip(one.run(sample), other.run(sample), strict=True):
            assert np.array_equal(ours, theirs)


def test_buffers_stay_where_they_are_and_what_is_returned_does_not_change(bound: OrtRunner) -> None:
    def addresses() -> list[int]:
        assert bound._bound is not None
        return [v.data_ptr() for v in bound._bound._buffers[4].inputs + bound._bound._buffers[4].outputs]

    first, *_ = bound.run(pictures(3), STYLE)
    kept, before = first.copy(), addresses()
    bound.run(pictures(4, 5), STYLE + 1)

    assert addresses() == before
    assert np.array_equal(first, kept)


def test_threads_have_buffers_of_their_own(plain: OrtRunner, bound: OrtRunner) -> None:
    wrong: list[int] = []

    def work(seed: int) -> None:
        for count in (1, 3, 2, 4) * 20:
            given = pictures(count, seed)
            if not np.array_equal(bound.run(given, STYLE)[0], plain.run(given, STYLE)[0]):
                wrong.append(count)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


@pytest.mark.parametrize(
    "given",
    [
        (pictures(2)[:, :2], STYLE),
        (pictures(2),),
        (pictures(0), STYLE),
        (pictures(2).astype(np.float64), STYLE),
        (pictures(2), np.zeros((2, 4), np.float32)),
    ],
    ids=["shape", "missing", "none", "type", "style"],
)
def test_what_does_not_fit_is_an_inference_error_and_the_next_run_is_right(
    plain: OrtRunner, bound: OrtRunner, given: tuple[Tensor, ...]
) -> None:
    with pytest.raises(InferenceError, match="net failed in onnxruntime CPU fp32"):
        bound.run(*given)

    assert np.array_equal(bound.run(pictures(2), STYLE)[0], plain.run(pictures(2), STYLE)[0])


def test_a_model_whose_sizes_only_a_run_tells_is_not_bound() -> None:
    port = TensorSpec("picture", (1, 3, None, None), "of any size")

    assert not bindable(Contract("net", "enhancer", (port,), ()))
    assert all(bindable(c) for c in CONTRACTS.values())
    assert bindable(CONTRACT)


class Recorder:
    """Stands for a session that records: who was inside with whom."""

    def __init__(self, session: object) -> None:
        self.session = session
        self.graphs: list[tuple[int, str]] = []
        self.inside = 0
        self.crowded = 0
        self.lock = threading.Lock()

    def io_binding(self) -> object:
        return self.session.io_binding()  # type: ignore[attr-defined]

    def run_with_iobinding(self, binding: object, options: object) -> None:
        with self.lock:
            self.inside += 1
            self.crowded += self.inside > 1
            self.graphs.append(
                (threading.get_ident(), options.get_run_config_entry("gpu_graph_id"))  # type: ignore[attr-defined]
            )
        self.session.run_with_iobinding(binding, options)  # type: ignore[attr-defined]
        with self.lock:
            self.inside -= 1


def test_each_thread_records_a_graph_for_each_bucket_and_no_two_run_one_session_at_once() -> None:
    session = onnxruntime.InferenceSession(network(), providers=["CPUExecutionProvider"])
    recorder = Recorder(session)
    bound = Bound(onnxruntime, CONTRACT, recorder, "cpu", Gate(), graphs=True)
    both = threading.Barrier(2)

    def work() -> None:
        both.wait()
        for count in (1, 4, 1, 3):
            assert bound.run(pictures(count), STYLE)[0].shape[0] == count

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert recorder.crowded == 0
    assert len(recorder.graphs) == 8
    assert len(set(recorder.graphs)) == 4, "two buckets of two threads"
    assert len({graph for _, graph in recorder.graphs}) == 4, "a graph is of one thread alone"
    assert "-1" not in {graph for _, graph in recorder.graphs}


def test_nobody_runs_while_a_graph_is_recorded() -> None:
    gate, seen = Gate(), []
    recording, running = threading.Event(), threading.Event()

    def record() -> None:
        recording.wait()
        with gate.recording():
            seen.append("recorded")

    thread = threading.Thread(target=record)
    thread.start()
    with gate.running():
        recording.set()
        running.wait(0.05)
        assert not seen, "who runs is waited for"
    thread.join()

    def run() -> None:
        with gate.running():
            seen.append("ran")

    other = threading.Thread(target=run)
    with gate.recording():
        other.start()
        other.join(0.05)
        assert seen == ["recorded"], "and who comes waits"
    other.join(5)
    assert seen == ["recorded", "ran"]


def test_a_model_that_a_device_takes_in_part_is_run_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = dataclasses.replace(BOUND_CPU, graph=Option("enable_cuda_graph", "1", "a recorded run"))
    maker, tried = OnnxRuntime(Plan(strange, 1, 1)), []
    make = maker.session

    def session(contract: Contract, content: bytes, told: dict[str, str]) -> object:
        tried.append(told)
        if "enable_cuda_graph" in told:
            raise ModelError("not all of it has been partitioned to the device")
        return make(contract, content, told)

    monkeypatch.setattr(maker, "session", session)
    runner = maker.load(CONTRACT, network())

    assert tried == [{"enable_cuda_graph": "1"}, {}]
    assert runner._bound is not None
    assert not runner._bound._graphs
    assert runner.run(pictures(2), STYLE)[0].shape == (2, 4, SIDE, SIDE)


def test_a_batch_larger_than_all_buckets_is_several_runs(bound: OrtRunner) -> None:
    bound.run(pictures(BUCKETS[-1] + 3), STYLE)

    assert bound._bound is not None
    assert sorted(bound._bound._buffers) == [4, 16]
