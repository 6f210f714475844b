"""CPU time of a 720p frame for everything that is neither a model nor a processor's own arithmetic.

    uv run benchmarks/overhead.py [--frames N] [--json]

The real live loop, tracker, badge, pacer and fan-out run over the moving portrait; the models answer from memory
what they answered in a first pass, and the processor only says that it has treated the faces (and that they were
swapped, so that the badge is drawn). The sink converts to I420, as the one of a virtual camera does.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from faceswapd.capture.portrait import Portrait
from faceswapd.core.clock import SystemClock
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.core.params import Params
from faceswapd.core.pixels import bgr_to_i420
from faceswapd.core.settings import Settings
from faceswapd.daemon.live import Live
from faceswapd.daemon.run import loop_factory
from faceswapd.inference.engine import Runner, Tensor
from faceswapd.inference.engines import Engines
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain, Step
from faceswapd.processors.processor import Effect, Picture
from faceswapd.processors.track_faces import FaceTracker
from faceswapd.sinks.fanout import Fanout
from faceswapd.sinks.sink import WhenFull
from faceswapd.trust.disclosure import Disclosure
from faceswapd.trust.failclosed import Gate, Policy

SIZE = (1280, 720)


class Answers:
    """Models that are run in a first pass, and whose answers are given again, in order, in a second."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.kept: dict[str, list[tuple[Tensor, ...]]] = {}
        self.replaying = False
        self.next: dict[str, int] = {}

    def load(self, model: str, **options: Any) -> Runner:
        return _Answering(self.engines.load(model, **options), self)


class _Answering:
    def __init__(self, runner: Runner, answers: Answers) -> None:
        self.model, self.engine = runner.model, runner.engine
        self._runner, self._answers = runner, answers

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        kept = self._answers.kept.setdefault(self.model, [])
        if not self._answers.replaying:
            kept.append(self._runner.run(*inputs))
            return kept[-1]
        n = self._answers.next.get(self.model, 0)
        self._answers.next[self.model] = n + 1
        return kept[min(n, len(kept) - 1)]

    def close(self) -> None:
        self._runner.close()


class CameraLike:
    """A sink that does what the virtual camera's does, but for the write."""

    name, when_full, steady = "camera-like", WhenFull.NEWEST, True

    def __init__(self) -> None:
        self._planes = np.empty((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)

    def open(self) -> None:
        return None

    def put(self, frame: Frame) -> None:
        bgr_to_i420(frame.pixels, out=self._planes)

    def close(self) -> None:
        return None


class Paced:
    """The frames of a clip, at 60 a second."""

    def __init__(self, clip: list[Frame]) -> None:
        self._clip = iter(clip)
        self._due_s = time.monotonic()

    async def take(self) -> Frame | None:
        self._due_s += 1 / 60
        await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))
        frame = next(self._clip, None)
        return None if frame is None else replace(frame, captured_ns=time.monotonic_ns())


def treated(picture: Picture) -> Picture:
    return replace(picture, treated=frozenset(f.id for f in picture.faces), effect=Effect.SWAPPED)


async def measure(count: int) -> float:
    engines = Engines()
    answers = Answers(engines)
    portrait = Portrait(SIZE, 60.0)
    portrait.open()
    # `pts_s` is the time that the tracker goes by: both passes see the same.
    clip = [Frame(n, 0, portrait.read().pixels, n / 60) for n in range(count)]
    first = FaceTracker(answers)
    answers.kept.clear()
    for frame in clip:
        first.track(frame, every_frame=False)
    tracker = FaceTracker(answers)
    answers.replaying, answers.next = True, {}
    cv2.setNumThreads(1)
    pool, meter, clock = Pool("infer", engines.plan.workers), Meter(), SystemClock()
    fanout = Fanout([CameraLike()], SIZE, 60.0, clock, meter)
    await fanout.start()
    step = Step(
        name="nothing",
        enabled=True,
        params=Params(),
        render=treated,
        needs_faces=True,
        hides_face=True,
        every_face=False,
    )
    live = Live(
        Settings(size=SIZE), Paced(clip), tracker, pool, fanout, meter, clock, Chain((step,)),
        Gate(Policy()), Disclosure(),
    )  # fmt: skip
    start_s = time.process_time()
    await live.run()
    cpu_s = time.process_time() - start_s
    await fanout.close()
    await pool.drain(2.0)
    pool.close()
    engines.close()
    processed = meter.counted("face_frames").get("processed", 0)
    assert processed > 0.99 * count, (
        f"only {processed} of {count} frames were tracked: the answers did not fit"
    )
    return cpu_s * 1e3 / count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        rounds = [round(runner.run(measure(args.frames)), 2) for _ in range(3)]
    if args.json:
        sys.stdout.write(json.dumps({"cpu_ms_per_frame": rounds}) + "\n")
    else:
        sys.stdout.write(f"CPU ms of a 720p frame without models and processors, three rounds: {rounds}\n")


if __name__ == "__main__":
    main()
