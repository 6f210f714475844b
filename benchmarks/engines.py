"""Times every bundled model on every engine and precision of this machine, and says how far each strays.

    uv run benchmarks/engines.py [--threads 1] [--rounds 40] [--json]

One run at a time, in turns, so that whatever else the machine does meets all candidates; medians in ms of wall
time. "Strays" is the mean absolute difference to ONNX Runtime in fp32, of the output that strays most in terms
of its tolerance: bf16 is chosen by itself only where it stays below 1.
"""

import argparse
import json
import threading
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from faceswapd.core.errors import FaceswapdError
from faceswapd.inference.contracts import CONTRACTS, Contract
from faceswapd.inference.engine import Runner
from faceswapd.inference.openvino import OpenVino
from faceswapd.inference.ort import OnnxRuntime, available
from faceswapd.inference.providers import PROVIDERS, Plan
from faceswapd.inference.store import Store
from faceswapd.inference.tuning import Sample, medians_ms

PORTRAIT = Path(__file__).parent.parent / "tests/assets/astronaut.png"
FACE = (slice(30, 250), slice(115, 335))
REFERENCE = "onnxruntime CPU fp32"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="threads inside one run")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = {c.model: measure(c, args.threads, args.rounds) for c in CONTRACTS.values()}
    if args.json:
        Console().print_json(json.dumps({"threads": args.threads, "models": rows}))
        return
    table = Table("model", "engine", "ms", "strays (1 = tolerance)")
    for model, engines in rows.items():
        for engine, (ms, stray) in sorted(engines.items(), key=lambda item: item[1][0]):
            table.add_row(model, engine, f"{ms:.2f}", f"{stray:.2g}")
        table.add_section()
    Console().print(table)


def measure(contract: Contract, threads: int, rounds: int) -> dict[str, tuple[float, float]]:
    """{engine: (median ms, strays)}."""
    content, inputs = Store().read(contract.model), samples(contract)
    runners = {r.engine: r for r in load(contract, content, threads)}
    ms = medians_ms(runners, inputs, threading.Event(), rounds)
    reference = runners.get(REFERENCE) or next(iter(runners.values()))
    return {name: (ms[name], strays(contract, reference, runner, inputs)) for name, runner in runners.items()}


def load(contract: Contract, content: bytes, threads: int) -> list[Runner]:
    """The model in everything that can run it here; what cannot is left out."""
    found: list[Runner] = []
    for provider in PROVIDERS.values():
        if provider.full in available():
            try:
                found.append(OnnxRuntime(Plan(provider, 1, threads)).load(contract, content))
            except FaceswapdError as error:
                Console(stderr=True).print(str(error))
    openvino = OpenVino(Plan(PROVIDERS["cpu"], 1, threads))
    # int8 is nothing without calibration: `neural.py` has it.
    return [*found, *(openvino.load(contract, content, p) for p in openvino.native if p != "int8")]


def samples(contract: Contract) -> list[Sample]:
    """The face of a portrait, moved a little from one sample to the next."""
    rng = np.random.default_rng(0)
    pixels = cv2.imread(str(PORTRAIT))
    assert pixels is not None, PORTRAIT
    if contract.pixels is None:
        return [(rng.uniform(100, 156, contract.inputs[0].shape).astype(np.float32),) for _ in range(4)]
    moves = (rng.integers(-8, 9, 2) for _ in range(4))
    crops = (np.ascontiguousarray(np.roll(pixels, move, (0, 1))[FACE]) for move in moves)
    return [
        (contract.tensor(np.asarray(cv2.resize(c, contract.size, interpolation=cv2.INTER_AREA), np.uint8)),)
        for c in crops
    ]


def strays(contract: Contract, reference: Runner, other: Runner, inputs: list[Sample]) -> float:
    """The worst mean absolute difference of an output, as a share of its tolerance."""
    pairs = [(reference.run(*x), other.run(*x)) for x in inputs]
    return max(
        float(np.mean([np.abs(a[k] - b[k]).mean() for a, b in pairs])) / spec.tolerance
        for k, spec in enumerate(contract.outputs)
        if spec.tolerance is not None
    )


if __name__ == "__main__":
    main()
