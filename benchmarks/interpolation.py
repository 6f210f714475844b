"""How fast `process --interpolate` doubles a film's rate, and how near the frames that it draws come to the truth.

    python benchmarks/interpolation.py [--rounds 3] [--frames 60] [--truth FILM]

Speed: a film of moving patches at 30 frames a second becomes one of 60, at 1280x720 and 1920x1080, libx264
veryfast, without a processor; in turns with the same film at its own rate. Frames written a second, the median of
the rounds.

Truth: every second frame of FILM is left out and drawn anew; PSNR of brightness in dB against the one that was left
out, and that of the plain mean of its neighbours.
"""

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2
import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faceswapd.core.meter import Meter
from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.inference.providers import cores
from faceswapd.motion.between import between, blended, passage
from faceswapd.motion.cut import cut
from faceswapd.processors.chain import Chain
from faceswapd.sinks.samples import brightness
from faceswapd.trust.disclosure import Disclosure

SIZES = ((1280, 720), (1920, 1080))


class Nobody:
    """A chain without a processor never asks for faces."""

    def track(self, *_: Any) -> Any:
        raise NotImplementedError


def film(path: Path, size: tuple[int, int], frames: int) -> Path:
    """A soft ground that scrolls, and patches that move over it on their own ways."""
    width, height = size
    random = np.random.default_rng(1)
    noise = random.integers(0, 255, (height + 4 * frames, width + 6 * frames, 3), np.uint8)
    ground = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 20, 200, cv2.NORM_MINMAX)
    patches = [
        cv2.normalize(cv2.GaussianBlur(random.integers(0, 255, (height // 5, height // 5, 3), np.uint8), (0, 0), 3),
            None, 60, 255, cv2.NORM_MINMAX)
        for _ in range(4)
    ]  # fmt: skip
    with av.open(path, "w") as file:
        video: Any = file.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "16"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for n in range(frames):
            picture = ground[2 * n : 2 * n + height, 3 * n : 3 * n + width].copy()
            for i, patch in enumerate(patches):
                side = len(patch)
                x, y = (
                    (i * width // 5 + (5 - 3 * i) * n) % (width - side),
                    (i * height // 6 + 4 * n) % (height - side),
                )
                picture[y : y + side, x : x + side] = patch
            file.mux(video.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        file.mux(video.encode(None))
    return path


def fps(source: Path, target: Path, pool: Pool, rate: int | None) -> float:
    """Frames written a second."""
    options = FilmOptions(preset="veryfast", interpolate=Fraction(rate) if rate else None)
    studio = Studio(Chain(), pool, Disclosure(), Nobody)
    began_s = time.monotonic()
    told = FilmJob(source, target, studio, options, Meter()).run()
    return told.frames_out / (time.monotonic() - began_s)


def truth(path: Path, frames: int) -> dict[str, float]:
    """PSNR, mean over the frames that were left out, but those beside a cut."""
    with av.open(path) as file:
        pictures = [brightness(f.reformat(format="yuv420p")) for f in islice(file.decode(video=0), frames)]
    flown, mixed = [], []
    for (first, missing), (second, _) in pairwise(zip(pictures[::2], pictures[1::2], strict=False)):
        way, out = passage(first, second), np.empty_like(first)
        if not cut(way):
            between(way, [first], [second], 0.5, [out])
            flown.append(psnr(out, missing))
            blended([first], [second], 0.5, [out])
            mixed.append(psnr(out, missing))
    return {
        "interpolated_db": round(float(np.mean(flown)), 2),
        "mean_of_neighbours_db": round(float(np.mean(mixed)), 2),
    }


def psnr(one: Any, other: Any) -> float:
    """Of two pictures of 8 bits, in dB; 99 where they are equal."""
    error = float(np.mean((one.astype(float) - other) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--truth", type=Path)
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    result: dict[str, Any] = {"cores": cores(), "frames": args.frames}
    if args.truth:
        result["truth"] = truth(args.truth, 250)
    cv2.setNumThreads(1)
    pool = Pool("benchmark", cores())
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            source = film(Path(folder) / f"{size[1]}.mp4", size, args.frames)
            rounds = [
                (
                    fps(source, Path(folder) / "a.mp4", pool, None),
                    fps(source, Path(folder) / "b.mp4", pool, 60),
                )
                for _ in range(args.rounds)
            ]
            plain, doubled = (round(median(column), 1) for column in zip(*rounds, strict=True))
            result[f"{size[0]}x{size[1]}"] = {"as_it_is_fps": plain, "to_60_fps": doubled}
    pool.close()
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
