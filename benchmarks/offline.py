"""How near `process` comes to the machine's limit: a 1920x1080 film of 300 frames, libx264 veryfast.

    python benchmarks/offline.py [--rounds 3] [--processors anonymize] [--frames 300]

Against three things, in turn, so that whatever else the machine does hits all alike:

`cores_wanted` is the share of the cores that we had work for, also where other programs had them; `busy` is the
share that we got.

- the bound: the slowest of decode, process and encode, each alone, or their processor time over all cores;
- the loop: read with OpenCV, process, encode, one after the other, with the same processors and codec;
- files: every frame as a PNG on the disk, a pool of threads over them, then the encoder (the known tools' way).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faceswapd.capture.film import Film
from faceswapd.capture.sources import make_source
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.meter import Meter
from faceswapd.core.settings import ProcessorSettings, Settings
from faceswapd.daemon import places
from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.offline import processed
from faceswapd.daemon.progress import peak_mb
from faceswapd.daemon.studio import Studio, open_studio
from faceswapd.inference.providers import cores
from faceswapd.processors.library import Library

SIZE, FPS, PRESET, CRF = (1920, 1080), 30, "veryfast", "22"
OPTIONS = FilmOptions(encoder="libx264", preset=PRESET)


SAMPLER = """
import os, sys, time
pid, cores, seen, full = sys.argv[1], int(sys.argv[2]), 0, 0.0
while not os.path.exists(sys.argv[3]):
    ready = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat") as stat:
                ready += stat.read().rpartition(")")[2].split()[0] == "R"
        except OSError:
            pass
    seen, full = seen + 1, full + min(ready, cores) / cores
    time.sleep(0.01)
print(full / max(1, seen))
"""
"""Samples how many of the cores a process has work for, whether it gets them or others do."""


@contextmanager
def wanted(into: list[float], folder: Path) -> Iterator[None]:
    """Appends the share of the cores that there was work for; Linux only."""
    if not sys.platform.startswith("linux"):
        yield
        return
    end = folder / "sampled"
    end.unlink(missing_ok=True)
    words = [sys.executable, "-c", SAMPLER, str(os.getpid()), str(cores()), str(end)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as sampler:
        yield
        end.touch()
        assert sampler.stdout is not None
        into.append(float(sampler.stdout.read()))


class Cost:
    """Wall and processor time of the runs of one thing."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    @contextmanager
    def taken(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


def encoder(path: Path) -> tuple[av.container.OutputContainer, av.VideoStream]:
    """x264 as our own table has it for files, but for the preset."""
    file = av.open(str(path), "w")
    stream = file.add_stream("libx264", rate=FPS, options={"preset": PRESET, "tune": "film", "crf": CRF})
    stream.width, stream.height = SIZE
    stream.pix_fmt = "yuv420p"
    stream.thread_count = min(16, cores())
    return file, stream


def make(path: Path, frames: int) -> None:
    """The moving portrait as a film."""
    source = make_source("portrait:", SIZE, float(FPS))
    source.open()
    file, stream = encoder(path)
    for _ in range(frames):
        file.mux(stream.encode(av.VideoFrame.from_ndarray(source.read().pixels, "bgr24")))
    file.mux(stream.encode(None))
    file.close()
    source.close()


def ours(film: Path, out: Path, studio: Studio) -> None:
    FilmJob(film, out, studio, OPTIONS, Meter()).run()


def decode_alone(film: Path) -> None:
    reader = Film(film)
    reader.open()
    for picture in reader.pictures():
        reader.pixels(picture.image)
    reader.close()


def process_alone(clip: list[Pixels], frames: int, studio: Studio) -> None:
    """Tracking in order on one thread, rendering behind it on the pool: the processors' own best."""
    tracker = studio.tracker()
    futures = []
    for n in range(frames):
        pixels = clip[n % len(clip)]
        sighting = tracker.track(Frame(n, 0, pixels, n / FPS), studio.chain.detect_every_frame)
        futures.append(studio.pool.submit(processed, studio.chain, studio.disclosure, pixels, sighting, ""))
        if len(futures) > 8:
            futures.pop(0).result()
    for future in futures:
        future.result()


def encode_alone(clip: list[Pixels], frames: int, out: Path) -> None:
    pictures = [av.VideoFrame.from_ndarray(p, "bgr24").reformat(format="yuv420p") for p in clip]
    file, stream = encoder(out)
    for n in range(frames):
        pictures[n % len(clip)].pts = n
        file.mux(stream.encode(pictures[n % len(clip)]))
    file.mux(stream.encode(None))
    file.close()


def loop(film: Path, out: Path, studio: Studio) -> None:
    reader, tracker = cv2.VideoCapture(str(film)), studio.tracker()
    file, stream = encoder(out)
    n = 0
    while True:
        more, pixels = reader.read()
        if not more:
            break
        sighting = tracker.track(Frame(n, 0, pixels, n / FPS), studio.chain.detect_every_frame)
        picture = processed(studio.chain, studio.disclosure, pixels, sighting, "")
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture.pixels, "bgr24")))
        n += 1
    file.mux(stream.encode(None))
    file.close()
    reader.release()


def files(film: Path, out: Path, studio: Studio, threads: int) -> None:
    folder = Path(tempfile.mkdtemp(dir=out.parent))
    reader, names = cv2.VideoCapture(str(film)), []
    while True:
        more, pixels = reader.read()
        if not more:
            break
        names.append(folder / f"{len(names):05}.png")
        cv2.imwrite(str(names[-1]), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    reader.release()

    own = threading.local()

    def one(name: Path) -> None:
        pixels = np.asarray(cv2.imread(str(name)), np.uint8)
        if not hasattr(own, "tracker"):
            own.tracker = studio.tracker()
        own.tracker.reset()  # every picture for itself, as there
        sighting = own.tracker.track(Frame(0, 0, pixels), studio.chain.detect_every_frame)
        picture = processed(studio.chain, studio.disclosure, pixels, sighting, "")
        cv2.imwrite(str(name), picture.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, names))
    file, stream = encoder(out)
    for name in names:
        pixels = np.asarray(cv2.imread(str(name)), np.uint8)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
    file.mux(stream.encode(None))
    file.close()
    shutil.rmtree(folder)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--frames", type=int, default=300)
    options.add_argument("--processors", default="anonymize")
    options.add_argument("--skip-files", action="store_true")
    args = options.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    chain = tuple(ProcessorSettings(name) for name in args.processors.split(","))
    with ExitStack() as house:
        folder = Path(house.enter_context(tempfile.TemporaryDirectory()))
        film, out = folder / "in.mp4", folder / "out.mp4"
        make(film, args.frames)
        settings = Settings(processors=chain)
        studio = open_studio(house, settings, Library(places.data_dir()), "bench", places.cache_dir())
        reader = Film(film)
        reader.open()
        clip = [reader.pixels(p.image) for p, _ in zip(reader.pictures(), range(30), strict=False)]
        reader.close()
        work: dict[str, Callable[[], None]] = {
            "ours": lambda: ours(film, out, studio),
            "decode": lambda: decode_alone(film),
            "process": lambda: process_alone(clip, args.frames, studio),
            "encode": lambda: encode_alone(clip, args.frames, out),
            "loop": lambda: loop(film, out, studio),
        }
        if not args.skip_files:
            work["files"] = lambda: files(film, out, studio, studio.pool.workers)
        costs = {name: Cost() for name in work}
        asked: list[float] = []
        for _ in range(args.rounds):
            for name, do in work.items():
                with costs[name].taken():
                    do()
                out.unlink(missing_ok=True)
        with wanted(asked, folder):  # not timed: looking at every thread takes a share of the cores itself
            work["ours"]()
    tell(costs, asked, args.frames)


def tell(costs: dict[str, Cost], asked: list[float], frames: int) -> None:
    n = cores()
    alone = ("decode", "process", "encode")
    ratios: dict[str, list[float]] = {"to_bound": [], "busy": [], "of_perfect_overlap": [], "times_loop": []}
    for i, wall in enumerate(costs["ours"].wall):
        bound = max(max(costs[a].wall[i] for a in alone), sum(costs[a].cpu[i] for a in alone) / n)
        ratios["to_bound"].append(wall / bound)
        ratios["busy"].append(costs["ours"].cpu[i] / (wall * n))
        ratios["of_perfect_overlap"].append(costs["loop"].cpu[i] / n / wall)
        ratios["times_loop"].append(costs["loop"].wall[i] / wall)
        if "files" in costs:
            ratios.setdefault("times_files", []).append(costs["files"].wall[i] / wall)
    print(json.dumps({
        "cores": n,
        "load": round(os.getloadavg()[0], 1),
        "frames": frames,
        "cores_wanted": [round(a, 3) for a in asked],
        "peak_mb": round(peak_mb()),
        "fps": round(frames / median(costs["ours"].wall), 1),
        "wall_s": {k: [round(w, 2) for w in c.wall] for k, c in costs.items()},
        "cpu_ms_per_frame": {k: round(median(c.cpu) / frames * 1e3, 1) for k, c in costs.items()},
        **{k: [round(r, 3) for r in v] for k, v in ratios.items()},
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
