import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")
SCRIPT = Path(__file__).parent.parent / "benchmarks/gpu.py"


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_runs_on_the_processor_with_a_small_network_and_keeps_its_figures(tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    ended = run(
        "--provider", "cpu", "--tiny", "--rounds", "1", "--batches", "1,2", "--threads", "2", "--save", str(kept)
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    found = json.loads(kept.read_text())
    assert found["provider"] == "cpu"
    assert [(row["batch"], row["precision"]) for row in found["figures"]] == [(1, "fp32"), (2, "fp32")]
    for row in found["figures"]:
        assert set(row["ms"]) == {"run()", "bound", "ours"}
        assert row["share"] == pytest.approx(row["ms"][row["best bare"]] / row["ms"]["ours"], abs=0.002)


def test_a_device_that_is_not_there_is_one_line() -> None:
    ended = run("--provider", "rocm", "--tiny")

    assert ended.returncode == 1
    assert (
        ended.stderr.strip()
        .splitlines()[-1]
        .startswith("execution provider rocm is not in the installed ONNX")
    )
