"""A device's models through faceswapd, against the fastest that a bare session of ONNX Runtime does with them.

    uv run benchmarks/gpu.py [--provider cuda] [--precision tf32] [--batches 1,4,16] [--threads 1,2,4]
                             [--save FILE] [--tiny] [--json]

Networks with the compute of the real ones and random weights (`networks.py`): they say how fast, never how good.
The bare session has the same options and is run in three ways: `run()` on numpy arrays; with buffers on the device,
copies counted; the same as a recorded graph, where the provider can. Ours is a runner as processors hold it. All
take turns, medians count; the share is the bare session's best time over ours. `--threads` is ours alone: runs of
so many threads at once. `--provider cpu --tiny` tries the benchmark itself, on a machine without a device.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import networks
import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

from faceswapd.core.errors import FaceswapdError
from faceswapd.inference.contracts import Contract, TensorSpec
from faceswapd.inference.engine import Tensor
from faceswapd.inference.ort import OnnxRuntime
from faceswapd.inference.providers import Plan, Provider, provider
from faceswapd.inference.shelf import Shelf

Run = Callable[[], object]


@dataclass(frozen=True)
class Network:
    """One network and what its file keeps."""

    name: str
    contract: Contract
    content: bytes
    gmac: float

    @property
    def open(self) -> bool:
        return self.contract.inputs[0].shape[0] is None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--provider", default="cuda")
    parser.add_argument(
        "--precision", default="", help="below fp32 (default: fp32 and all that the provider has)"
    )
    parser.add_argument("--batches", default="1,4,16")
    parser.add_argument("--threads", default="1,2,4")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tiny", action="store_true", help="networks that a processor runs in milliseconds")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the figures as JSON")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    row = provider(args.provider)
    if not row.memory:  # the same calls, on the host's memory
        row = replace(row, memory="cpu")
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = measure(row, args, Path(folder))
        except FaceswapdError as error:
            raise SystemExit(str(error)) from None
    if args.save:
        args.save.write_text(json.dumps(found, indent=1) + "\n")
    if args.json:
        Console().print_json(json.dumps(found))
    else:
        _print(found)


def measure(row: Provider, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures. Raises FaceswapdError where the provider is not there."""
    batches, threads = ([int(n) for n in text.split(",")] for text in (args.batches, args.threads))
    maker = OnnxRuntime(Plan(replace(row, bound=None), max(threads), 1), folder / "cache")
    precisions = [args.precision] if args.precision else list(maker.native)
    rows = []
    for network in _networks(folder, tiny=args.tiny):
        for precision in precisions:
            runner = maker.load(network.contract, network.content, precision)
            for batch in batches if network.open else [1]:
                inputs = _inputs(network.contract, batch)

                ours = partial(runner.run, *inputs)
                ways = _bare(row, maker, network, precision, inputs) | {"ours": ours}
                ms = _medians(ways, args.rounds)
                best = min((way for way in ms if way != "ours"), key=lambda way: ms[way])
                rows.append(
                    {
                        "network": network.name,
                        "gmac": round(network.gmac, 1),
                        "precision": precision,
                        "engine": runner.engine,
                        "batch": batch,
                        "ms": {way: round(t, 3) for way, t in ms.items()},
                        "best bare": best,
                        "share": round(ms[best] / ms["ours"], 3),
                        "ours per second": {
                            n: round(_rate(ours, n, args.rounds) * batch, 1) for n in threads
                        },
                    }
                )
            runner.close()
    return {
        "device": _device(row),
        "provider": row.name,
        "onnxruntime": onnxruntime.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "figures": rows,
    }


def _networks(folder: Path, *, tiny: bool) -> list[Network]:
    """As the shelf supplies them: cut, and with an open batch."""
    made = {
        "inswapper_tiny" if tiny else "inswapper_size": networks.inswapper(
            16 if tiny else 32, 16 if tiny else 1
        )
    }
    if not tiny:
        made |= {"inswapper_quarter": networks.inswapper(16), "w600k_r50": networks.arcface()}
    shelf = Shelf(folder / "models", {})
    found = []
    for name, (content, gmac) in made.items():
        path = folder / f"{name}.onnx"
        path.write_bytes(content)
        family = None if name == "w600k_r50" else "inswapper_128"
        shelf.add(path, name, family)
        supply = shelf.supply(name)
        found.append(Network(name, supply.contract, supply.content, gmac))
    if not tiny:
        content, gmac = networks.scrfd()
        contract = Contract(
            "scrfd10g_size",
            "detector",
            (TensorSpec("input.1", (1, 3, 640, 640), "picture"),),
            (TensorSpec("output", (1, 224, 20, 20), "features"),),
        )
        found.append(Network(contract.model, contract, content, gmac))
    return found


def _inputs(contract: Contract, batch: int) -> tuple[Tensor, ...]:
    random = np.random.default_rng(0)
    return tuple(
        random.random([batch if n is None else n for n in spec.shape]).astype(spec.dtype)
        for spec in contract.inputs
    )


def _bare(
    row: Provider, maker: OnnxRuntime, network: Network, precision: Any, inputs: tuple[Tensor, ...]
) -> dict[str, Run]:
    """The ways to run a bare session, each with everything that happens from arrays to arrays."""
    told = maker.told(network.contract, precision)
    session = maker.session(network.contract, network.content, told)
    names = [t.name for t in network.contract.inputs]
    outputs = [t.name for t in network.contract.outputs]
    fed = dict(zip(names, inputs, strict=True))
    ways: dict[str, Run] = {
        "run()": lambda: session.run(outputs, fed),
        "bound": _bound(session, row, network, fed),
    }
    if row.graph is not None:
        try:
            recorded = maker.session(
                network.contract, network.content, told | {row.graph.name: row.graph.value}
            )
        except FaceswapdError:
            return ways
        ways["graph"] = _bound(recorded, row, network, fed)
    return ways


def _bound(session: Any, row: Provider, network: Network, fed: dict[str, Tensor]) -> Run:
    binding = session.io_binding()
    batch = len(next(iter(fed.values())))
    values = {n: onnxruntime.OrtValue.ortvalue_from_numpy(x.copy(), row.memory) for n, x in fed.items()}
    made = []
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    for spec in network.contract.outputs:
        shape = [batch if n is None else n for n in spec.shape]
        made.append(
            onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.dtype(spec.dtype), row.memory)
        )
        binding.bind_ortvalue_output(spec.name, made[-1])

    def run() -> None:
        for name, x in fed.items():
            values[name].update_inplace(x)
        session.run_with_iobinding(binding)
        for value in made:
            value.numpy()

    return run


def _medians(ways: dict[str, Run], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {way: [] for way in ways}
    for n in range(-3, rounds):
        for way, run in ways.items():
            begun = time.perf_counter()
            run()
            if n >= 0:
                times[way].append((time.perf_counter() - begun) * 1e3)
    return {way: statistics.median(ms) for way, ms in times.items()}


def _rate(run: Run, threads: int, rounds: int) -> float:
    """Runs in a second of so many threads at once; each has its buffers before the clock starts."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: run(), range(threads * 3)))
        begun = time.perf_counter()
        list(pool.map(lambda _: run(), range(rounds * threads)))
        return rounds * threads / (time.perf_counter() - begun)


def _device(row: Provider) -> str:
    """The device's name as its driver says it, or the provider's."""
    command = shutil.which("nvidia-smi") if row.memory == "cuda" else None
    if command is None:
        return row.name
    query = [command, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip() or row.name


def _print(found: dict[str, Any]) -> None:
    console = Console()
    console.print(
        f"{found['device']}, {found['provider']}, ONNX Runtime {found['onnxruntime']}, {found['date']}",
        highlight=False,
    )
    table = Table(
        "network", "precision", "batch", "bare: best way, ms", "ours, ms", "share", "ours/s by threads"
    )
    for row in found["figures"]:
        best = row["best bare"]
        table.add_row(
            row["network"],
            row["precision"],
            str(row["batch"]),
            f"{best} {row['ms'][best]}",
            str(row["ms"]["ours"]),
            str(row["share"]),
            ", ".join(f"{n}: {rate}" for n, rate in row["ours per second"].items()),
        )
    console.print(table)


if __name__ == "__main__":
    main()
