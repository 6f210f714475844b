"""Reads what `demo --json` printed, and the film that it saved, and says whether the main job was done."""

import json
import sys
from pathlib import Path

import av
import numpy as np

PLATE = (slice(24, 98), slice(906, 1254))
"""Where the badge lies at 1280x720: it is drawn on a frame only if a face in it was swapped."""
INK = 0.1
"""The share of the plate that its letters cover, at least; the picture behind it has no such white."""


def marked(pixels: np.ndarray) -> bool:
    """Whether the badge is on a frame, BGR."""
    plate = pixels[PLATE].astype(int)
    return (plate.min(axis=2) > 225).mean() > INK and (plate.max(axis=2) < 120).mean() > 0.3


report = json.loads(Path(sys.argv[1]).read_text())
with av.open(report["saved"]) as film:
    badges = [marked(frame.to_ndarray(format="bgr24")) for frame in film.decode(video=0)]
share = sum(badges) / max(1, len(badges))
checks = {
    "frames were processed": report["frames"] > 100,
    "the face was processed in more than 99 % of the frames with one": report["face_share"] > 0.99,
    "the film has the frames": len(badges) > 100,
    f"more than 99 % of the film's frames show a swapped face ({share:.1%})": share > 0.99,
    "an engine is named for every model": all(report["engine"].values()) and bool(report["engine"]),
}
for what, holds in checks.items():
    sys.stdout.write(f"{'ok' if holds else 'FAILED'}: {what}\n")
raise SystemExit(not all(checks.values()))
