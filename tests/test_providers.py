import os
from pathlib import Path

import pytest

from faceswapd.core.errors import ConfigError
from faceswapd.inference import providers
from faceswapd.inference.providers import (
    PROVIDERS,
    Option,
    Provider,
    check_installation,
    cores,
    installed_runtimes,
    plan,
    preferred,
    provider,
    threads_of_machine,
)

CPU, CUDA = PROVIDERS["cpu"], PROVIDERS["cuda"]


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 256])
def test_no_plan_oversubscribes_the_cores(name: str, live: bool, n: int) -> None:
    made = plan(PROVIDERS[name], live=live, cores=n)

    assert made.workers >= 1
    assert made.workers * made.intra_op <= n


@pytest.mark.parametrize(
    ("name", "n", "offline", "live"),
    [
        ("cpu", 2, (2, 1), (2, 1)),
        ("cpu", 4, (4, 1), (3, 1)),
        ("cpu", 8, (6, 1), (4, 2)),
        ("cpu", 32, (30, 1), (4, 8)),
        ("cuda", 8, (8, 1), (2, 1)),
        ("cuda", 64, (16, 1), (2, 1)),
        ("directml", 16, (1, 1), (1, 1)),
        ("migraphx", 16, (1, 1), (1, 1)),
        ("rocm", 16, (1, 1), (1, 1)),
        ("tensorrt", 4, (4, 1), (2, 1)),
        ("coreml", 16, (1, 1), (1, 1)),
        ("openvino", 8, (6, 1), (4, 2)),
        ("openvino:gpu", 8, (2, 1), (2, 1)),
        ("openvino:npu", 8, (1, 1), (1, 1)),
    ],
)
def test_the_table_of_workers(name: str, n: int, offline: tuple[int, int], live: tuple[int, int]) -> None:
    for wanted, is_live in ((offline, False), (live, True)):
        made = plan(PROVIDERS[name], live=is_live, cores=n)
        assert (made.workers, made.intra_op) == wanted


@pytest.mark.parametrize(
    ("name", "full", "distribution", "bound", "memory", "precisions"),
    [
        ("tensorrt", "TensorrtExecutionProvider", "onnxruntime-gpu", 4, "cuda", ["fp16", "bf16"]),
        ("cuda", "CUDAExecutionProvider", "onnxruntime-gpu", 4, "cuda", ["tf32"]),
        ("directml", "DmlExecutionProvider", "onnxruntime-directml", 1, "", []),
        ("migraphx", "MIGraphXExecutionProvider", "onnxruntime-migraphx", 1, "", ["fp16", "bf16"]),
        ("rocm", "ROCMExecutionProvider", "onnxruntime-rocm", 1, "", []),
        ("coreml", "CoreMLExecutionProvider", "onnxruntime", None, "", ["fp16"]),
        ("openvino", "OpenVINOExecutionProvider", "onnxruntime-openvino", None, "", []),
        ("openvino:gpu", "", "openvino", None, "", ["fp16"]),
        ("openvino:npu", "", "openvino", None, "", ["fp16"]),
        ("cpu", "CPUExecutionProvider", "onnxruntime", None, "", []),
    ],
)
def test_the_table_of_providers(
    name: str, full: str, distribution: str, bound: int | None, memory: str, precisions: list[str]
) -> None:
    row = PROVIDERS[name]

    assert (row.name, row.full, row.distribution) == (name, full, distribution)
    assert (row.bound, row.memory, list(row.precisions)) == (bound, memory, precisions)
    assert row.reason
    assert all(o.name and o.value and o.reason for o in rows(row).values())
    assert (row.engine == "openvino") == name.startswith("openvino:")
    assert row.full or row.engine == "openvino"
    assert row.graph is None or row.memory, "only what stays in one place can be recorded"


def rows(row: Provider) -> dict[tuple[str, str], Option]:
    """{(when it is told, its name): option}."""
    found = {("", o.name): o for o in row.options}
    found |= {(precision, o.name): o for precision, told in row.precisions.items() for o in told}
    return found | ({("graphs", row.graph.name): row.graph} if row.graph else {})


def test_the_table_has_all_providers() -> None:
    assert list(PROVIDERS) == [
        "tensorrt", "cuda", "directml", "migraphx", "rocm", "coreml", "openvino", "openvino:gpu", "openvino:npu",
        "cpu",
    ]  # fmt: skip


def test_the_documentation_has_the_options_of_the_table() -> None:
    page = (Path(__file__).parent.parent / "docs/engines.md").read_text("utf-8").splitlines()
    start = page.index("| provider | when | option | value | why |") + 2
    end = next(n for n, line in enumerate(page[start:], start) if not line.startswith("|"))

    assert page[start:end] == [
        f"| `{p.name}` | {when or 'always'} | `{o.name}` | `{o.value}` | {o.reason} |"
        for p in PROVIDERS.values()
        for (when, _), o in rows(p).items()
    ]


def test_what_a_precision_is_told_takes_the_place_of_what_fp32_is(tmp_path: Path) -> None:
    assert CUDA.told()["use_tf32"] == "0"
    assert CUDA.told("tf32") == CUDA.told() | {"use_tf32": "1"}
    coreml = PROVIDERS["coreml"]
    assert coreml.told(cache=tmp_path)["ModelCacheDirectory"] == str(tmp_path / "coreml")
    assert "ModelCacheDirectory" not in coreml.told(), "nothing is kept where nobody says in which folder"
    assert coreml.told("fp16")["MLComputeUnits"] == "ALL"
    trt = PROVIDERS["tensorrt"].told("fp16", tmp_path)
    assert trt["trt_fp16_enable"] == "1"
    assert trt["trt_engine_cache_path"] == trt["trt_timing_cache_path"] == str(tmp_path / "tensorrt")


def test_openvinos_devices_have_names_of_their_own() -> None:
    assert provider("openvino:gpu").device == "GPU"
    assert (provider("openvino:gpu.1").name, provider("openvino:gpu.1").device) == ("openvino:gpu.1", "GPU.1")
    assert CPU.device == "CPU"
    with pytest.raises(ConfigError, match=r"unknown execution provider 'cuda\.1'"):
        provider("cuda.1")


def test_a_number_of_threads_overrides_the_table() -> None:
    assert plan(CPU, threads=1, cores=8).workers == 1
    assert plan(CPU, threads=1, cores=8).intra_op == 8
    assert plan(CPU, threads=32, cores=8).intra_op == 1, (
        "more workers than cores only where they were asked for"
    )
    assert plan(PROVIDERS["directml"], threads=3, cores=8).workers == 3


def test_a_negative_number_of_threads_is_refused() -> None:
    with pytest.raises(ConfigError, match="-1 execution threads"):
        plan(CPU, threads=-1)


def test_two_hardware_threads_of_one_core_are_one_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 4}, raising=False)
    for n, siblings in enumerate(("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7")):
        folder = tmp_path / f"cpu{n}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")

    assert cores(tmp_path) == 3, "0 and 4 are one core, 3 and its sibling are not ours"
    assert cores(tmp_path / "nowhere") == 4
    assert threads_of_machine() == 4


def test_processor_plans_count_cores_and_device_plans_hardware_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(providers, "_cores", lambda: 4)
    monkeypatch.setattr(providers, "threads_of_machine", lambda: 8)

    assert plan(CPU, live=False).workers == 4
    assert plan(CUDA, live=False).workers == 8


def test_a_machine_without_affinity_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)

    assert cores() == 12


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'cudda'.*known are auto, tensorrt, cuda") as caught:
        provider("cudda")

    assert caught.value.exit_code == 78


def test_auto_prefers_a_device_to_the_processor_and_never_takes_minutes_to_build() -> None:
    everything = [p.full for p in PROVIDERS.values() if p.full]

    assert preferred(["CPUExecutionProvider", "CUDAExecutionProvider"]) is CUDA
    assert preferred(everything) is CUDA, "TensorRT is first in the list and left out"
    assert preferred(["AzureExecutionProvider", "CPUExecutionProvider"]) is CPU
    assert preferred([]) is CPU


def test_this_environment_has_at_most_one_runtime() -> None:
    assert len(installed_runtimes()) <= 1
    check_installation()


def test_two_runtimes_are_refused_with_the_repair() -> None:
    with pytest.raises(ConfigError) as caught:
        check_installation({"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.32.0"})

    assert caught.value.exit_code == 78
    assert "onnxruntime and onnxruntime-gpu are installed together" in caught.value.what
    assert "uv pip uninstall onnxruntime`" in caught.value.remedy
    assert "uv sync --reinstall-package onnxruntime-gpu" in caught.value.remedy


def test_no_runtime_is_no_fault() -> None:
    check_installation({})
