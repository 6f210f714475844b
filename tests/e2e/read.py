"""`python -m e2e.read DEVICE FRAMES SECONDS`: reads a camera with OpenCV as any program would, tells what it saw.

Prints `first` at the first frame, and a Seen as JSON at the end: after FRAMES frames or SECONDS.
"""

import sys
import time

import cv2
import msgspec
import numpy as np
from e2e.cameras import Seen, note


def read(path: str, frames: int, seconds: float) -> Seen:
    camera = cv2.VideoCapture(path, cv2.CAP_V4L2)
    seen, end = Seen(camera.isOpened()), time.monotonic() + seconds
    while seen.opened and len(seen.counters) < frames and time.monotonic() < end:
        ok, pixels = camera.read()
        if not ok:
            continue  # silent for a while: a writer may come back
        note(seen, np.asarray(pixels, np.uint8))
        if len(seen.counters) == 1:
            seen.size = pixels.shape[1], pixels.shape[0]
            sys.stdout.write("first\n")
            sys.stdout.flush()
    camera.release()
    return seen


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(read(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
