import sys

import numpy as np
import pytest

from faceswapd.core.errors import ConfigError, InferenceError
from faceswapd.inference.contracts import CONTRACTS
from faceswapd.inference.openvino import OpenVino
from faceswapd.inference.providers import PROVIDERS, Plan, cores, plan, provider
from faceswapd.inference.store import Store

pytest.importorskip("openvino", reason="OpenVINO is not installed")

BLENDSHAPES = CONTRACTS["blendshapes52"]
CONTENT = Store().read("blendshapes52")
POINTS = np.random.default_rng(1).uniform(0, 256, (1, 146, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def openvino() -> OpenVino:
    return OpenVino(Plan(PROVIDERS["cpu"], 2, 1))


def test_fp32_is_said_to_openvino_and_never_left_to_it(openvino: OpenVino) -> None:
    compiled = openvino.load(BLENDSHAPES, CONTENT)._compiled

    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"


def test_there_is_a_stream_for_each_worker_and_no_more_threads_than_the_plan_has(openvino: OpenVino) -> None:
    compiled = openvino.load(BLENDSHAPES, CONTENT)._compiled

    most = min(2, cores())  # OpenVINO takes no more than there are cores, whatever it is told
    assert compiled.get_property("NUM_STREAMS") == most
    assert compiled.get_property("INFERENCE_NUM_THREADS") == most
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_bf16_is_another_runner_that_says_so(openvino: OpenVino) -> None:
    if "bf16" not in openvino.native:
        pytest.skip("this processor has no bf16 instructions")
    full, reduced = (openvino.load(BLENDSHAPES, CONTENT, p) for p in ("fp32", "bf16"))
    (a,), (b,) = full.run(POINTS), reduced.run(POINTS)

    assert reduced.engine == "openvino CPU bf16"
    assert not np.array_equal(a, b)
    np.testing.assert_allclose(a, b, atol=0.1)


def test_a_precision_that_the_processor_would_imitate_is_refused(
    openvino: OpenVino, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenVino, "native", ("fp32",))

    with pytest.raises(ConfigError, match="precision bf16 was asked for"):
        openvino.load(BLENDSHAPES, CONTENT, "bf16")


def test_int8_without_what_its_convolutions_are_given_is_refused_and_not_called_int8(
    openvino: OpenVino, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenVino, "native", ("fp32", "int8"))

    with pytest.raises(InferenceError, match="blendshapes52 was not calibrated for int8 yet"):
        openvino.load(BLENDSHAPES, CONTENT, "int8")


class Devices:
    """OpenVINO on a machine that has these."""

    def __init__(self, *names: str) -> None:
        self.available_devices = list(names)


@pytest.mark.parametrize(
    ("name", "there", "says"),
    [
        ("openvino:gpu", ("CPU",), "OpenVINO finds no device GPU, only CPU"),
        ("openvino:npu", ("CPU", "GPU"), "OpenVINO finds no device NPU, only CPU, GPU"),
        (
            "openvino:gpu.2",
            ("CPU", "GPU.0", "GPU.1"),
            "OpenVINO finds no device GPU.2, only CPU, GPU.0, GPU.1",
        ),
        ("openvino:gpu.1", ("CPU", "GPU.0", "GPU.1"), ""),
        ("openvino:gpu", ("CPU", "GPU.0", "GPU.1"), ""),
    ],
)
def test_a_device_that_is_not_there_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, name: str, there: tuple[str, ...], says: str
) -> None:
    monkeypatch.setattr("faceswapd.inference.openvino.ov_core", lambda: Devices(*there))
    try:
        made = OpenVino(plan(provider(name)))
    except ConfigError as error:
        assert error.what == says  # noqa: PT017 - either answer is right, by the devices
    else:
        assert not says
        assert made._config("fp16")["INFERENCE_PRECISION_HINT"] == "f16"


def test_as_many_requests_are_made_as_runs_were_under_way_at_once(openvino: OpenVino) -> None:
    runner = openvino.load(BLENDSHAPES, CONTENT)
    for _ in range(5):
        runner.run(POINTS)

    assert len(runner._idle) == 1


def test_openvino_runs_on_the_processor_only() -> None:
    with pytest.raises(ConfigError, match="openvino does not run on execution provider cuda"):
        OpenVino(plan(PROVIDERS["cuda"]))


def test_a_missing_openvino_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(ConfigError, match="OpenVINO is not installed: uv sync"):
        OpenVino(plan(PROVIDERS["cpu"]))
