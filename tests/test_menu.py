import dataclasses

import pytest

from faceswapd.core.errors import ConfigError
from faceswapd.core.settings import InferenceSettings
from faceswapd.inference.contracts import CONTRACTS, Contract, TensorSpec
from faceswapd.inference.menu import chain, menu
from faceswapd.inference.providers import PROVIDERS

DETECTOR, MESH = CONTRACTS["blaze_short"], CONTRACTS["mesh478"]
SWAPPER = Contract(
    "swapper",
    "swapper",
    (TensorSpec("in", (None, 3, 8, 8), "pictures"),),
    (TensorSpec("out", (None, 3, 8, 8), "pictures", peak=1.0),),
)
CPU_ONLY = ("CPUExecutionProvider",)
CUDA = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")


def offered(contract: Contract, available: tuple[str, ...] = CPU_ONLY, **settings: str) -> list[str]:
    chosen = InferenceSettings(**settings)  # type: ignore[arg-type]  # the tests say what is known
    return [str(c) for c in menu(chosen, chain(chosen, available), contract).candidates]


def asked(contract: Contract, available: tuple[str, ...] = CPU_ONLY, **settings: str) -> set[str]:
    chosen = InferenceSettings(**settings)  # type: ignore[arg-type]
    return {str(c) for c in menu(chosen, chain(chosen, available), contract).asked}


def test_on_the_processor_both_engines_and_what_the_contract_bears() -> None:
    exact = ["onnxruntime cpu fp32", "openvino cpu fp32"]

    assert offered(DETECTOR) == exact
    assert offered(MESH) == [*exact, "openvino cpu bf16"], "int8 is for pictures"
    assert offered(SWAPPER) == [*exact, "openvino cpu bf16", "openvino cpu int8"]
    assert offered(SWAPPER, precision="fp32") == exact
    assert offered(SWAPPER, engine="onnxruntime") == exact[:1]
    assert asked(SWAPPER) == set(), "nothing is asked for by name"


def test_a_device_comes_before_the_processor_and_alone_where_it_is_named() -> None:
    alone = ["onnxruntime cuda fp32", "onnxruntime cuda tf32"]

    assert offered(SWAPPER, CUDA, provider="cuda") == alone
    assert offered(SWAPPER, CUDA) == [*alone, *offered(SWAPPER)]
    assert offered(DETECTOR, CUDA, provider="cuda") == alone[:1], "detectors stay in fp32"
    assert offered(SWAPPER, CUDA, provider="cuda", precision="fp32") == alone[:1]
    assert offered(DETECTOR, provider="tensorrt,cuda") == [
        "onnxruntime tensorrt fp32",
        "onnxruntime cuda fp32",
    ]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"precision": "int8"}, {"openvino cpu int8"}),
        ({"precision": "bf16"}, {"openvino cpu bf16"}),
        ({"precision": "fp16", "provider": "tensorrt"}, {"onnxruntime tensorrt fp16"}),
        ({"precision": "fp16", "provider": "openvino:gpu"}, {"openvino openvino:gpu fp16"}),
        ({"provider": "openvino:npu"}, {"openvino openvino:npu fp16"}),
        ({"provider": "openvino:gpu"}, set()),
        ({"precision": "fp16", "provider": "tensorrt,cuda"}, {"onnxruntime tensorrt fp16"}),
    ],
)
def test_what_is_asked_for_by_name_stands_beside_fp32(settings: dict[str, str], wanted: set[str]) -> None:
    assert asked(SWAPPER, CUDA, **settings) == wanted
    assert wanted < set(offered(SWAPPER, CUDA, **settings))
    assert offered(SWAPPER, CUDA, **settings)[0].endswith("fp32"), "which serves until it is proven"
    assert asked(DETECTOR, CUDA, **settings) == set()
    assert all(c.endswith("fp32") for c in offered(DETECTOR, CUDA, **settings))


def test_a_model_that_is_not_worth_timing_is_served_in_fp32_by_the_first_that_loads_it() -> None:
    assert offered(dataclasses.replace(SWAPPER, timed=False), CUDA) == [
        "onnxruntime cuda fp32",
        "onnxruntime cpu fp32",
        "openvino cpu fp32",
    ]
    assert offered(dataclasses.replace(SWAPPER, timed=False), CUDA, provider="cuda") == [
        "onnxruntime cuda fp32"
    ]


def test_auto_goes_where_the_precision_is() -> None:
    def first(available: tuple[str, ...], precision: str) -> str:
        return chain(InferenceSettings(precision=precision), available)[0].name  # type: ignore[arg-type]

    coreml = ("CoreMLExecutionProvider", "CPUExecutionProvider")
    assert first(CUDA, "auto") == "cuda"
    assert first(CUDA, "int8") == "cpu"
    assert first(coreml, "fp16") == "coreml"
    with pytest.raises(ConfigError, match="fp16 is not there on execution provider cpu") as caught:
        first(CUDA, "fp16")
    assert "tensorrt, migraphx, coreml, openvino:gpu, openvino:npu" in caught.value.remedy


def test_every_provider_of_the_table_can_be_named() -> None:
    for name, row in PROVIDERS.items():
        assert chain(InferenceSettings(provider=name), ())[0] is row
