"""Reads what `demo --json` printed, and the film that it saved, and says whether the main job was done."""

import json
import sys
from pathlib import Path

import av

report = json.loads(Path(sys.argv[1]).read_text())
with av.open(report["saved"]) as film:
    frames = sum(1 for _ in film.decode(video=0))
checks = {
    "frames were processed": report["frames"] > 100,
    "the face was processed in more than 99 % of them": report["face_share"] > 0.99,
    "the film has the frames": frames > 100,
    "an engine is named for every model": all(report["engine"].values()) and bool(report["engine"]),
}
for what, holds in checks.items():
    sys.stdout.write(f"{'ok' if holds else 'FAILED'}: {what}\n")
raise SystemExit(not all(checks.values()))
