import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from faceswapd.inference.ov_core import ov_core

pytest.importorskip("openvino")

INTERRUPTED = """
import gc, signal
from faceswapd.inference.openvino import OpenVino
from faceswapd.inference.providers import PROVIDERS, plan

def loaded():
    engine = OpenVino(plan(PROVIDERS["cpu"]))
    engine.native  # loads the plugin
    return engine

first, second = loaded(), loaded()
del first
gc.collect()
del second
gc.collect()
came = []
signal.signal(signal.SIGINT, lambda number, _: came.append(number))
signal.raise_signal(signal.SIGINT)
assert came == [signal.SIGINT]
"""


def test_there_is_one_whoever_asks() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len({id(core) for core in threads.map(lambda _: ov_core(), range(32))}) == 1


def test_a_signal_is_survived_after_engines_have_gone_in_any_order() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
