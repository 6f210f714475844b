"""What recording costs the virtual camera: the live pipeline with and without, turn by turn in one run.

    uv run benchmarks/recording.py [--json] [--rounds N] [--seconds S] [--fps F] [--encoder NAME]

The bundled portrait wears the painted mask at 1280x720; the camera is a steady sink that converts every frame
as a virtual camera does. Turns of S seconds without and with a recording alternate, after one of each that is
not counted. `fresh_fps` is how many new pictures a second the camera showed. The default, 240 pictures a second
asked for, makes the pipeline give all it can: what a recording takes shows at once. With --fps 30 it is what a
user sees.
"""

import argparse
import asyncio
import json
import logging
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))
import faceswapd  # noqa: F401 - makes the folders importable under its name
from faceswapd.capture.sources import make_source
from faceswapd.core.frame import Frame
from faceswapd.core.pixels import bgr_to_i420
from faceswapd.core.settings import ControlSettings, ProcessorSettings, RecordSettings, Settings
from faceswapd.daemon.app import App
from faceswapd.daemon.places import Places
from faceswapd.daemon.run import loop_factory
from faceswapd.daemon.state import StateBoard
from faceswapd.processors.library import Library
from faceswapd.sinks.sink import WhenFull

SIZE = (1280, 720)


class Camera:
    """A steady output that keeps nothing; `fresh` counts the pictures that were not shown before."""

    name = "camera"
    when_full = WhenFull.NEWEST
    steady = True

    def __init__(self) -> None:
        self.fresh = 0
        self._last = -1
        self._planes = np.empty((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)

    def open(self) -> None:
        pass

    def put(self, frame: Frame) -> None:
        bgr_to_i420(frame.pixels, out=self._planes)
        self.fresh += frame.seq > self._last
        self._last = max(self._last, frame.seq)

    def close(self) -> None:
        pass


async def measure(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    camera = Camera()
    settings = Settings(
        source="portrait:",
        size=SIZE,
        fps=args.fps,
        processors=(ProcessorSettings("mesh_swap"),),
        control=ControlSettings(enabled=False),
        record=RecordSettings(folder=str(folder), encoder=args.encoder, keep_free=0),
    )
    app = App(
        settings=settings,
        source=make_source("portrait:", SIZE, args.fps),
        sinks=[camera],
        library=Library(folder),
        version="0",
        places=Places.within(folder),
    )
    ready: asyncio.Future[StateBoard] = asyncio.get_running_loop().create_future()
    app.on_ready = ready.set_result
    running = asyncio.create_task(app.run())
    done, _ = await asyncio.wait({ready, running}, return_when=asyncio.FIRST_COMPLETED)
    if running in done:
        running.result()
    board = await ready
    await asyncio.sleep(3)  # the engines are being timed
    turns: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    films: list[tuple[float, float, int]] = []
    encoder = ""
    for turn in range(args.rounds + 1):
        for recording in (False, True):
            if recording:
                encoder = (await board.start_recording(f"{turn}.mp4")).encoder
            await asyncio.sleep(0.3)
            before, cpu, began = camera.fresh, cpu_s(), time.perf_counter()
            await asyncio.sleep(args.seconds)
            wall = time.perf_counter() - began
            got = ((camera.fresh - before) / wall, (cpu_s() - cpu) / wall)
            if recording:
                status = await board.stop_recording()
                films.append((status.seconds, wall, status.bytes_written))
            if turn:
                turns[recording].append(got)
    dropped = board.stats().dropped
    app.stop.set()
    await running

    def of(taken: list[tuple[float, float]], what: int) -> float:
        return round(statistics.median(turn[what] for turn in taken), 2)

    pairs = [1 - on[0] / off[0] for off, on in zip(turns[False], turns[True], strict=True)]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "encoder": encoder,
        "fps_asked": args.fps,
        "fresh_fps": {"alone": of(turns[False], 0), "recording": of(turns[True], 0)},
        "cost_percent": round(100 * statistics.median(pairs), 1),
        "cost_percent_of_each_round": [round(100 * p, 1) for p in pairs],
        "cores_busy": {"alone": of(turns[False], 1), "recording": of(turns[True], 1)},
        "frames_the_recorder_dropped": dropped.get("recorder_full", 0),
        "megabits_per_s": round(8e-6 * sum(f[2] for f in films) / sum(f[0] for f in films), 2),
    }


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--fps", type=float, default=240.0)
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=loop_factory()) as runner:
        result = runner.run(measure(args, Path(folder)))
    if args.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name.replace('_', ' '):28} {value}")


if __name__ == "__main__":
    main()
