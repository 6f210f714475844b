"""What 50 clients cost: frame rate, memory and the answer to a toggle, against the same daemon with one client.

uv run benchmarks/control.py [--rounds 3] [--seconds 8]

A daemon of its own runs the pipeline at 60 fps into memory. Rounds without and with the crowd alternate.
The crowd: 10 clients take previews (640x360 at 10 fps), 5 subscribe to everything and never read, the others
follow the state and the statistics. The crowd's own work shares the machine's cores with the daemon.
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
            "--fps", "60", env={**os.environ, "XDG_RUNTIME_DIR": runtime},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        folder = Path(runtime) / "faceswapd"
        try:
            remote = await started(folder)
            await asyncio.sleep(3)
            alone: list[Window] = []
            crowded: list[Window] = []
            memory: list[float] = []
            toggles: list[float] = []
            seen: Counter[str] = Counter()
            previews = 0
            for _ in range(rounds):
                alone.append(await watched(remote, daemon.pid, seconds))
                async with AsyncExitStack() as crowd:
                    await gather_crowd(crowd, folder, seen)
                    before = seen["previews"]
                    crowded.append(await watched(remote, daemon.pid, seconds))
                    previews += seen["previews"] - before
                    memory.append(rss_mb(daemon.pid))
                    toggles += await toggled(remote, 60)
            await remote.close()
        finally:
            daemon.terminate()
            await daemon.wait()
    toggles.sort()
    return {
        "fps_alone": [round(w.fps, 2) for w in alone],
        "fps_crowded": [round(w.fps, 2) for w in crowded],
        "fall_percent": round(100 * (1 - mean(w.fps for w in crowded) / mean(w.fps for w in alone)), 2),
        "cpu_ms_per_s_alone": [round(w.cpu_ms_per_s) for w in alone],
        "cpu_ms_per_s_crowded": [round(w.cpu_ms_per_s) for w in crowded],
        "previews_per_client_and_s": round(previews / PREVIEWS / rounds / seconds, 2),
        "rss_mb": [round(v, 1) for v in memory],
        "toggle_ms": {q: round(toggles[int(len(toggles) * p)], 2) for q, p in (("p50", 0.5), ("p99", 0.99))},
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


async def gather_crowd(crowd: AsyncExitStack, folder: Path, seen: Counter[str]) -> None:
    path = socket_in(folder)
    for n in range(CLIENTS - 1):
        if n < STALLED:
            raw = await unix_connect(path, compression=None, proxy=None, max_queue=1)
            crowd.callback(raw.transport.abort)
            ask = {"topics": ["state", "stats", "preview"], "interval_s": 0.1, "preview": {"fps": 30}}
            await raw.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": ask}))
            raw.transport.pause_reading()
            continue
        client = await crowd.enter_async_context(await connect(f"unix:{path}"))
        topics = ["state", "preview"] if n < STALLED + PREVIEWS else ["state", "stats"]
        await client.call("subscribe", topics=topics)
        following = asyncio.create_task(follow(client, seen))
        crowd.callback(following.cancel)


async def follow(client: Client, seen: Counter[str]) -> None:
    async for event in client.events():
        seen["previews" if isinstance(event, Preview) else event.topic] += 1


async def toggled(remote: Client, count: int) -> list[float]:
    took = []
    for _ in range(count):
        before = time.perf_counter()
        await remote.call("processor.toggle", name="anonymize")
        took.append((time.perf_counter() - before) * 1e3)
        await asyncio.sleep(0.02)
    return took


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
    options = parser.parse_args()
    print(json.dumps(asyncio.run(main(options.rounds, options.seconds)), indent=2))
