"""A neural swap as the usual tools run it, and as faceswapd does, in turns on this machine.

    uv run benchmarks/neural.py [--bottleneck 32] [--faces 1] [--frames 6] [--precision auto] [--json]

The networks have the compute of the real ones and random weights (`networks.py`): they say how fast, never how
good. "Usual" is detector (640 x 640), recogniser and swapper in ONNX Runtime on the processor with its default
options, for each face in turn, and nothing else: no camera, no alignment, no pasting are counted against it. "Ours"
is a whole frame from pixels to pixels: tracking, crops, one run for all faces, masks, pasting,
frames side by side as in the daemon. "Floor" is the model runs that ours needs, alone and as many side by side.
"Shown" is what a camera gets from a network slower than it: every frame tracked, the network's last faces bent to it
while it works behind (`every = 0`), for a second and a half each time; "made" is how many of them the network made.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import networks
import numpy as np
import onnxruntime
from rich.console import Console

from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings, PrecisionName, ProcessorSettings
from faceswapd.faces.face import Sighting
from faceswapd.inference.engines import Engines
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.chain import ChainBuilder
from faceswapd.processors.processor import Workshop
from faceswapd.processors.registry import registry
from faceswapd.processors.track_faces import FaceTracker

PORTRAIT = Path(__file__).parent.parent / "capture/assets/portrait.jpg"
WAIT_S = 900.0
SIDE_BY_SIDE = 4
"""Frames of one round."""
SHOWN_S = 1.5
"""How long frames are shown in one round."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bottleneck", type=int, choices=(16, 32), default=32)
    parser.add_argument("--faces", type=int, choices=(1, 4), default=1)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "int8"), default="auto")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compare(Path(folder), args.bottleneck, args.faces, args.frames, args.precision)
    if args.json:
        Console().print_json(json.dumps(found))
    else:
        for what, value in found.items():
            Console().print(f"{what:>12}  {value}", highlight=False)


def compare(
    folder: Path, bottleneck: int, faces: int, frames: int, precision: PrecisionName
) -> dict[str, object]:
    made = {
        "inswapper_size": networks.inswapper(bottleneck)[0],
        "w600k_r50": networks.arcface()[0],
    }
    shelf = Shelf(folder / "models", {})
    for name, content in made.items():
        path = folder / f"{name}.onnx"
        path.write_bytes(content)
        shelf.add(path, name)
    usual = _usual(made, networks.scrfd()[0], faces)

    engines = Engines(
        InferenceSettings(precision=precision), cache=folder / "engines.json", shelf=shelf, live=True
    )
    try:
        scene = _scene(faces)
        chain = ChainBuilder(registry(Workshop(engines, _Wardrobe()))).build(
            [ProcessorSettings("neural_swap", params={"face": "portrait", "model": "inswapper_size"})]
        )
        tracker = FaceTracker(engines)
        count = 0

        pool = ThreadPoolExecutor(engines.plan.workers)

        def render(sighting: Sighting) -> None:
            done = len(chain.render(scene, sighting).treated)
            assert done == faces, f"{done} of {faces} faces are swapped"

        def ours() -> None:
            """As the daemon does: tracked one after the other, rendered side by side."""
            nonlocal count
            at_work = []
            for _ in range(SIDE_BY_SIDE):
                count += 1
                sighting = tracker.track(Frame(count, count * 33_000_000, scene), every_frame=False)
                at_work.append(pool.submit(render, sighting))
            for future in at_work:
                future.result()

        shown = _Shown(engines, scene, faces)
        floor = _floor(engines, pool, faces)
        engines.tune()
        swapper, deadline = engines.load("inswapper_size"), time.monotonic() + WAIT_S
        while not getattr(swapper, "settled", True) and time.monotonic() < deadline:
            ours()
        works = {"usual": usual, "ours": ours, "floor": floor, "shown": shown.run}
        rounds: dict[str, list[float]] = {name: [] for name in works}
        for n in range(-1, frames):
            for name, work in works.items():
                time.sleep(0.2)  # the usual session's threads go on spinning for a while
                begun = time.perf_counter()
                work()
                if n >= 0:
                    each = {"usual": 1, "shown": shown.frames}.get(name, SIDE_BY_SIDE)
                    rounds[name].append((time.perf_counter() - begun) * 1e3 / each)
        pool.shutdown()
        ms = {name: statistics.median(times) for name, times in rounds.items()}
        return {
            "swapper": f"random weights, bottleneck {bottleneck}, {faces} face(s), 1280x720",
            "engine": engines.serving()["inswapper_size"],
            "usual ms": round(ms["usual"], 1),
            "ours ms": round(ms["ours"], 1),
            "floor ms": round(ms["floor"], 1),
            "shown ms": round(ms["shown"], 1),
            "made ms": round(statistics.median(shown.made_ms), 1),
            "times": round(ms["usual"] / ms["ours"], 2),
            "times shown": round(ms["usual"] / ms["shown"], 2),
            "over floor": round(ms["ours"] / ms["floor"], 3),
        }
    finally:
        engines.close()


class _Shown:
    """Live frames of a network that works behind them."""

    def __init__(self, engines: Engines, scene: Pixels, faces: int) -> None:
        self._scene, self._faces = scene, faces
        self._chain = ChainBuilder(registry(Workshop(engines, _Wardrobe(), live=True))).build(
            [ProcessorSettings("neural_swap", params={"face": "portrait", "model": "inswapper_size"})]
        )
        self._tracker = FaceTracker(engines)
        self._count = 0
        self.frames = 0
        """Of the last run."""
        self.made_ms: list[float] = []
        """Between two runs of the network, in each run."""
        self._runs, swapper = 0, engines.load("inswapper_size")
        run = swapper.run

        def counted(*inputs: Any) -> Any:
            self._runs += 1
            return run(*inputs)

        self._swapper, self._counted, self._run = swapper, counted, run

    def run(self) -> None:
        """For a while, frame after frame."""
        begun, self.frames, self._runs = time.perf_counter(), 0, 0
        self._swapper.run = self._counted
        while time.perf_counter() - begun < SHOWN_S:
            self._count += 1
            self.frames += 1
            frame = Frame(self._count, self._count * 33_000_000, self._scene)
            sighting = self._tracker.track(frame, every_frame=False)
            done = len(self._chain.render(self._scene, sighting).treated)
            assert done == self._faces, f"{done} of {self._faces} faces are swapped"
        self.made_ms.append((time.perf_counter() - begun) * 1e3 / max(1, self._runs))
        self._swapper.run = self._run


def _usual(made: dict[str, bytes], detector: bytes, faces: int) -> Callable[[], None]:
    """Detector once, then recogniser and swapper for each face, default options."""
    models = [detector, *made.values()]
    sessions = [onnxruntime.InferenceSession(m, providers=["CPUExecutionProvider"]) for m in models]
    random = np.random.default_rng(0)
    fed = [
        {i.name: random.random(i.shape).astype(np.float32) for i in session.get_inputs()}
        for session in sessions
    ]

    def run() -> None:
        sessions[0].run(None, fed[0])
        for _ in range(faces):
            for session, inputs in zip(sessions[1:], fed[1:], strict=True):
                session.run(None, inputs)

    return run


def _floor(engines: Engines, pool: ThreadPoolExecutor, faces: int) -> Callable[[], None]:
    """The model runs of tracked frames and nothing else, as many of them side by side as ours are."""
    random = np.random.default_rng(0)
    mesh, swapper = engines.load("mesh478"), engines.load("inswapper_size")
    crop = random.random((1, 256, 256, 3), np.float32)
    crops = random.random((faces, 3, 128, 128), np.float32)
    styles = engines.load("inswapper_size:identity").run(np.full((1, 512), 0.04, np.float32))

    def run() -> None:
        at_work = []
        for _ in range(SIDE_BY_SIDE):
            for _ in range(faces):
                mesh.run(crop)
            at_work.append(pool.submit(swapper.run, crops, *styles))
        for future in at_work:
            future.result()

    return run


def _scene(faces: int) -> Pixels:
    """1280 x 720 with one or four portraits."""
    portrait = np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)
    if faces == 1:
        scale = 720 / portrait.shape[0]
        one = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return _centred(np.asarray(one, np.uint8), 1280, 720)
    portrait = portrait[:280, 80:400]  # nearer: four whole portraits are too small for the bundled detector
    scale = 360 / portrait.shape[0]
    one = np.asarray(cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    quarter = _centred(one, 640, 360)
    return np.vstack([np.hstack([quarter, quarter])] * 2)


def _centred(picture: Pixels, width: int, height: int) -> Pixels:
    out = np.full((height, width, 3), 90, np.uint8)
    part = picture[:height, :width]
    y, x = (height - part.shape[0]) // 2, (width - part.shape[1]) // 2
    out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


class _Wardrobe:
    def photo(self, _: str) -> Pixels:
        return np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)


if __name__ == "__main__":
    main()
