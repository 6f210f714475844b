import dataclasses
import sys
import threading

import numpy as np
import pytest

from faceswapd.core.errors import ConfigError
from faceswapd.inference import ort
from faceswapd.inference.contracts import CONTRACTS
from faceswapd.inference.ort import OnnxRuntime
from faceswapd.inference.providers import PROVIDERS, Plan, plan
from faceswapd.inference.store import Store

pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")

BLENDSHAPES = CONTRACTS["blendshapes52"]
CONTENT = Store().read("blendshapes52")


def test_outputs_come_in_the_contracts_order() -> None:
    mesh = CONTRACTS["mesh478"]
    turned = dataclasses.replace(mesh, outputs=mesh.outputs[::-1])
    runner = OnnxRuntime(Plan(PROVIDERS["cpu"], 1, 1)).load(turned, Store().read("mesh478"))

    shapes = [o.shape for o in runner.run(np.zeros((1, 256, 256, 3), np.float32))]

    assert shapes == [(1, 1), (1, 1, 1, 1), (1, 1, 1, 1434)]


def test_a_provider_that_is_not_installed_is_an_error() -> None:
    absent = next(p for p in PROVIDERS.values() if p.full not in ort.available())

    with pytest.raises(ConfigError, match=f"{absent.name} is not in the installed ONNX Runtime") as caught:
        OnnxRuntime(plan(absent))

    assert absent.distribution in caught.value.remedy


def test_a_missing_onnx_runtime_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    assert ort.available() == ()
    with pytest.raises(ConfigError, match="ONNX Runtime is not installed: uv sync"):
        OnnxRuntime(plan(PROVIDERS["cpu"]))


def test_a_provider_that_does_not_start_is_an_error_and_no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime drops a provider that it does not have with a warning, and goes on with the CPU."""
    absent = next(p for p in PROVIDERS.values() if p.full not in ort.available())
    monkeypatch.setattr(ort, "available", lambda: (absent.full, "CPUExecutionProvider"))
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: None)
    maker = OnnxRuntime(plan(absent))

    with pytest.warns(UserWarning, match="not in available provider"), pytest.raises(ConfigError) as caught:
        maker.load(BLENDSHAPES, CONTENT)

    assert f"{absent.name} did not start, ONNX Runtime offers CPUExecutionProvider" in caught.value.what


def test_a_provider_for_one_thread_is_never_run_by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = OnnxRuntime(Plan(dataclasses.replace(PROVIDERS["cpu"], bound=1), 1, 1))
    sessions = [maker.load(BLENDSHAPES, CONTENT), maker.load(BLENDSHAPES, CONTENT)]
    inside, crowded = threading.Semaphore(1), []

    class Watched:
        def run(self, *_: object) -> list[object]:
            if inside.acquire(blocking=False):
                threading.Event().wait(0.002)
                inside.release()
            else:
                crowded.append(True)
            return []

    for runner in sessions:
        monkeypatch.setattr(runner, "_session", Watched())
    threads = [
        threading.Thread(target=lambda r=r: [r.run(np.zeros(1, np.float32)) for _ in range(5)])
        for r in sessions * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not crowded
