"""Nothing phones home: neither ours nor what a dependency brings along.

ONNX Runtime's collector, left alone, writes below HOME at import and opens its first socket about nine seconds
later; the quick test would see the file, the slow one outlasts the socket.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SCRIPT = """
import sys, time
import numpy as np
calls = []
sys.addaudithook(lambda event, args: calls.append(event) if event.startswith("socket.") else None)

import faceswapd
from faceswapd.core.settings import InferenceSettings
from faceswapd.inference.contracts import CONTRACTS
from faceswapd.inference.engines import Engines

served = set()
for engine in ("onnxruntime", "openvino"):
    engines = Engines(InferenceSettings(engine=engine, precision="fp32"))
    for name, contract in CONTRACTS.items():
        runner = engines.load(name)
        runner.run(np.ones([n or 1 for n in contract.inputs[0].shape], np.float32))
        served.add(runner.engine)
time.sleep(float(sys.argv[1]))
engines.close()
assert not calls, calls
print(sorted(served))
"""


def child(tmp_path: Path, seconds: float, *prefix: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Runs the script with an empty HOME, and with nothing in its environment that asks for silence."""
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [*prefix, sys.executable, "-c", SCRIPT, str(seconds)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100), home


def test_the_launcher_silences_both_before_they_are_imported() -> None:
    import faceswapd  # noqa: F401 - the import is what is tested

    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize("seconds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_no_connection_and_no_file_in_the_home_folder(tmp_path: Path, seconds: float) -> None:
    pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")
    strace, trace = shutil.which("strace"), tmp_path / "trace"
    if strace is None:
        pytest.skip("strace is not installed: native code's sockets cannot be seen")
    calls = "trace=socket,connect,sendto,sendmsg,sendmmsg"

    done, home = child(tmp_path, seconds, strace, "-f", "-qq", "-e", calls, "-o", str(trace))

    if "Operation not permitted" in done.stderr and not done.stdout:
        pytest.skip("strace may not trace here: native code's sockets cannot be seen")
    assert done.returncode == 0, done.stderr
    assert "onnxruntime CPU fp32" in done.stdout
    assert "openvino CPU fp32" in done.stdout
    assert not [line for line in trace.read_text().splitlines() if re.search("AF_INET|connect|send", line)]
    assert not [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()]


def test_python_opens_no_socket_and_no_file_in_the_home_folder(tmp_path: Path) -> None:
    """The part of the proof that needs no tracer."""
    pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")

    done, home = child(tmp_path, 0)

    assert done.returncode == 0, done.stderr
    assert not [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()]
