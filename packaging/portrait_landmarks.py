"""Makes `capture/assets/portrait.npz` again: the 478 landmarks of the bundled portrait, by the bundled mesh.

Run from the repository's root: `uv run packaging/portrait_landmarks.py`. The face is found by refining a
rough box three times, as tracking does: the next crop comes from the points of the one before.
"""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

ROOT = Path(__file__).parent.parent
FACE = (172, 62, 276, 190)
"""x0, y0, x1, y1 of the face in the picture, by eye."""
INPUT = 256
EYES = (33, 263)


def main() -> None:
    picture = cv2.imdecode(np.fromfile(ROOT / "capture/assets/portrait.jpg", np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    mesh = onnxruntime.InferenceSession(ROOT / "inference/weights/mesh478.onnx")
    centre, side, angle = np.array([(FACE[0] + FACE[2]) / 2, (FACE[1] + FACE[3]) / 2]), FACE[3] - FACE[1], 0.0
    points = np.zeros((478, 3))
    for _ in range(3):
        scale = 1.5 * side / INPUT
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        to_frame = np.array([[cos, -sin, 0], [sin, cos, 0]])
        to_frame[:, 2] = centre - to_frame[:, :2] @ np.full(2, (INPUT - 1) / 2)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(picture, to_frame, (INPUT, INPUT), flags=flags)
        tensor = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)[None].astype(np.float32) / 255
        raw, presence = mesh.run(["Identity", "Identity_1"], {mesh.get_inputs()[0].name: tensor})
        raw = np.asarray(raw).reshape(478, 3)
        points[:, :2] = raw[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]
        points[:, 2] = raw[:, 2] * scale
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        centre, side = (low + high) / 2, (high - low).max()
        across = points[EYES[1], :2] - points[EYES[0], :2]
        angle = float(np.arctan2(across[1], across[0]))
    score = 1 / (1 + np.exp(-float(np.ravel(presence)[0])))
    assert score > 0.9, f"no face there: presence {score:.2f}"
    np.savez_compressed(ROOT / "capture/assets/portrait.npz", points=points.astype(np.float32))
    print(f"presence {score:.4f}, face {low.round(1)} to {high.round(1)}")


if __name__ == "__main__":
    main()
