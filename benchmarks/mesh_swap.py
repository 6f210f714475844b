"""What wearing a face costs: CPU time of `mesh_swap`'s render by the size and the number of faces.

    uv run benchmarks/mesh_swap.py [--json] [--rounds N] [--photo FILE]

The portrait's face is drawn in several sizes into frames of 1280x720 (1920x1080 for the largest), its landmarks
are found once. The painted mask and a photo (the portrait itself, unless `--photo` names one) take turns, so
that whatever else the machine does meets them alike. OpenCV works on one thread.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

PORTRAIT = Path(__file__).parent.parent / "tests" / "assets" / "astronaut.png"
HD, FULL_HD = (1280, 720), (1920, 1080)
# (height of the face's box in pixels, how many of them, size of the frame)
CASES = ((60, 1, HD), (150, 1, HD), (300, 1, HD), (450, 1, HD), (640, 1, HD), (900, 1, FULL_HD), (300, 4, HD))


class Photos:
    def __init__(self, path: Path) -> None:
        self.pixels = cv2.imread(str(path))
        if self.pixels is None:
            raise SystemExit(f"{path} is no picture")

    def photo(self, _name: str) -> Any:
        return self.pixels


def measure(rounds: int, photo: Path) -> dict[str, Any]:
    from faceswapd.core.frame import Frame
    from faceswapd.core.settings import InferenceSettings
    from faceswapd.inference.engines import Engines
    from faceswapd.processors.mesh_swap import MASK, MeshSwap, MeshSwapParams
    from faceswapd.processors.processor import Picture, Workshop
    from faceswapd.processors.track_faces import FaceTracker

    cv2.setNumThreads(1)
    portrait = Photos(PORTRAIT).pixels
    with tempfile.TemporaryDirectory() as folder:
        engines = Engines(InferenceSettings(engine="onnxruntime"), cache=Path(folder) / "engines.json")
        (face,) = FaceTracker(engines).track(Frame(0, 0, portrait), every_frame=True).faces
        swap, renders, prepare_ms = MeshSwap(Workshop(engines, Photos(photo))), {}, {}
        for name in (MASK, "photo"):
            began = time.perf_counter()
            renders[name] = swap.prepare(MeshSwapParams(face=name))
            prepare_ms[name] = round((time.perf_counter() - began) * 1e3, 1)
        engines.close()

    cases = []
    for height, count, size in CASES:
        pixels, faces = crowd(portrait, face, height, count, size)
        times: dict[str, list[float]] = {name: [] for name in renders}
        for _ in range(rounds):
            for name, render in renders.items():
                picture = Picture(pixels.copy(), faces)
                began_ns = time.thread_time_ns()
                render(picture)
                times[name].append((time.thread_time_ns() - began_ns) / 1e6)
        cases.append({"face_px": height, "faces": count, "frame": "{}x{}".format(*size)} | {
            f"{name}_ms": {"best": round(min(t), 2), "median": round(statistics.median(t), 2)}
            for name, t in times.items()
        })  # fmt: skip
    return {"opencv": cv2.__version__, "rounds": rounds, "prepare_ms": prepare_ms, "cases": cases}


def crowd(
    portrait: Any, face: Any, height: int, count: int, size: tuple[int, int]
) -> tuple[Any, tuple[Any, ...]]:
    """The portrait in as many columns, and its faces there."""
    scale = height / float(face.box[3] - face.box[1])
    middle = (face.box[:2] + face.box[2:]) / 2 * scale
    width = size[0] // count
    tiles, faces = [], []
    for i in range(count):
        matrix = np.array(
            [[scale, 0, width / 2 - middle[0]], [0, scale, size[1] / 2 - middle[1]]], np.float32
        )
        border = cv2.BORDER_REPLICATE
        tiles.append(cv2.warpAffine(portrait, matrix, (width, size[1]), borderMode=border))
        matrix[0, 2] += i * width
        faces.append(face.moved(matrix))
    return np.concatenate(tiles, axis=1), tuple(faces)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--photo", type=Path, default=PORTRAIT)
    args = parser.parse_args()
    found = measure(args.rounds, args.photo)
    if args.json:
        print(json.dumps(found))
        return
    print(f"prepare: {found['prepare_ms']} ms")
    for case in found["cases"]:
        print(f"{case['faces']} x {case['face_px']:3} px in {case['frame']:9}  "
              + "  ".join(f"{name[:-3]}: best {t['best']:5.2f}, median {t['median']:5.2f} ms of CPU"
                          for name, t in case.items() if name.endswith("_ms")))  # fmt: skip


if __name__ == "__main__":
    main()
