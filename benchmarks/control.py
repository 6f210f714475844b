"""What 50 clients cost: frame rate, memory and the answer to a toggle, against the same daemon with one client.

uv run benchmarks/control.py [--rounds 3] [--seconds 8]

A daemon of its own runs the pipeline at 60 fps into memory. Rounds without and with the crowd alternate.
The crowd: 10 clients take previews (640x360 at 10 fps), 5 subscribe to everything and never read, the others
follow the state and the statistics. It is a process of its own, and shares the machine's cores with the daemon.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from websockets.asyncio.client import unix_connect

from faceswapd.control.client import Client, connect
from faceswapd.control.protocol import Preview
from faceswapd.core.errors import NoDeviceError

ROOT = Path(__file__).resolve().parent.parent
CLIENTS, PREVIEWS, STALLED = 50, 10, 5


async def main(rounds: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as runtime:
        daemon = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "faceswapd.py"), "run", "--source", "portrait:", "--output", "memory:",
            "--fps", "60", "--port", "0", env={**os.environ, "XDG_RUNTIME_DIR": runtime},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        folder = Path(runtime) / "faceswapd"
        try:
            remote = await started(folder)
            await asyncio.sleep(3)
            alone: list[Window] = []
            crowded: list[Window] = []
            memory: list[float] = []
            took: dict[str, list[float]] = {"ping": [], "privacy.set": [], "processor.toggle": []}
            previews = 0.0
            for _ in range(rounds):
                alone.append(await watched(remote, daemon.pid, seconds))
                crowd = await asyncio.create_subprocess_exec(
                    sys.executable, __file__, "--crowd", socket_in(folder), env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                )  # fmt: skip
                assert crowd.stdout is not None
                await crowd.stdout.readline()  # everybody is there
                crowded.append(await watched(remote, daemon.pid, seconds))
                memory.append(rss_mb(daemon.pid))
                for method, times in took.items():
                    times += await timed(remote, method, 100)
                told, _ = await crowd.communicate(b"\n")
                previews += json.loads(told) / PREVIEWS
            await remote.close()
        finally:
            daemon.terminate()
            await daemon.wait()
    return {
        "fps_alone": [round(w.fps, 2) for w in alone],
        "fps_crowded": [round(w.fps, 2) for w in crowded],
        "fall_percent": round(100 * (1 - mean(w.fps for w in crowded) / mean(w.fps for w in alone)), 2),
        "cpu_ms_per_frame_alone": [round(w.cpu_ms_per_s / w.fps, 2) for w in alone],
        "cpu_ms_per_frame_crowded": [round(w.cpu_ms_per_s / w.fps, 2) for w in crowded],
        "previews_per_client_and_s": round(previews / rounds, 2),
        "rss_mb": [round(v, 1) for v in memory],
        "ms": {method: quantiles(times) for method, times in took.items()},
    }


async def started(folder: Path) -> Client:
    for _ in range(200):
        try:
            return await connect(f"unix:{socket_in(folder)}")
        except NoDeviceError:
            await asyncio.sleep(0.1)
    raise SystemExit("the daemon did not start")


def socket_in(folder: Path) -> str:
    return str(next(iter(folder.glob("control-*.sock")), folder / "none"))


class Window(NamedTuple):
    """What the daemon did in some seconds. Its CPU time says more than its rate where the machine is shared."""

    fps: float
    cpu_ms_per_s: float


async def watched(remote: Client, pid: int, seconds: float) -> Window:
    before, cpu, since = (await remote.stats()).frames, cpu_ms(pid), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - since
    return Window(((await remote.stats()).frames - before) / took, (cpu_ms(pid) - cpu) / took)


async def crowd(path: str) -> None:
    """A process of its own, until its input ends: says `ready`, and at the end how many previews came a second."""
    seen: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        for n in range(CLIENTS - 1):
            if n < STALLED:
                raw = await unix_connect(path, compression=None, proxy=None, max_queue=1)
                stack.callback(raw.transport.abort)
                ask = {"topics": ["state", "stats", "preview"], "interval_s": 0.1, "preview": {"fps": 30}}
                await raw.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": ask}))
                raw.transport.pause_reading()
                continue
            client = await stack.enter_async_context(await connect(f"unix:{path}"))
            topics = ["state", "preview"] if n < STALLED + PREVIEWS else ["state", "stats"]
            await client.call("subscribe", topics=topics)
            stack.callback(asyncio.create_task(follow(client, seen)).cancel)
        print("ready", flush=True)
        since = time.monotonic()
        await asyncio.to_thread(sys.stdin.readline)
        print(seen["previews"] / (time.monotonic() - since), flush=True)


async def follow(client: Client, seen: Counter[str]) -> None:
    async for event in client.events():
        seen["previews" if isinstance(event, Preview) else event.topic] += 1


async def timed(remote: Client, method: str, count: int) -> list[float]:
    """Milliseconds from the call to the reply; what the method turns on it turns off again."""
    took = []
    for n in range(count):
        params = {"privacy.set": {"on": n % 2 == 0}, "processor.toggle": {"name": "anonymize"}}.get(
            method, {}
        )
        before = time.perf_counter()
        await remote.call(method, **params)
        took.append((time.perf_counter() - before) * 1e3)
        await asyncio.sleep(0.02)
    return took


def quantiles(times: list[float]) -> dict[str, float]:
    times.sort()
    return {name: round(times[int(len(times) * q)], 2) for name, q in (("p50", 0.5), ("p99", 0.99))}


def cpu_ms(pid: int) -> float:
    """User and system time, of all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--crowd", metavar="SOCKET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.crowd:
        asyncio.run(crowd(options.crowd))
        raise SystemExit
    print(json.dumps(asyncio.run(main(options.rounds, options.seconds)), indent=2))
