import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceswapd.capture.motion import REST, SWAY, Motion, Pose
from faceswapd.capture.person import Person
from faceswapd.capture.portrait import Portrait
from faceswapd.core.errors import UsageError
from faceswapd.core.frame import Pixels

WEIGHTS = Path(__file__).parent.parent / "inference/weights"
MESH = onnxruntime.InferenceSession(WEIGHTS / "mesh478.onnx")
PERSON = Person((640, 360))


def landmarks(pixels: Pixels) -> tuple[NDArray[np.floating[Any]], float]:
    """478 x 2 points in the picture and the mesh's presence, from a square crop around the face at rest."""
    rest = (PERSON.points[:, :2] - PERSON.origin) * PERSON.scale
    low, high = rest.min(axis=0), rest.max(axis=0)
    centre, side = (low + high) / 2, 1.5 * (high - low).max()
    scale = side / 256
    back = np.array([[scale, 0, centre[0] - side / 2], [0, scale, centre[1] - side / 2]], np.float32)
    crop = cv2.warpAffine(pixels, back, (256, 256), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    tensor = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)[None].astype(np.float32) / 255
    raw, presence = MESH.run(["Identity", "Identity_1"], {MESH.get_inputs()[0].name: tensor})
    points = np.asarray(raw).reshape(478, 3)[:, :2] @ back[:, :2].T + back[:, 2]
    return points, 1 / (1 + math.exp(-float(np.ravel(presence)[0])))


def ratio(points: NDArray[np.floating[Any]], top: int, bottom: int, left: int, right: int) -> float:
    return float(np.linalg.norm(points[top] - points[bottom]) / np.linalg.norm(points[left] - points[right]))


def yaw(points: NDArray[np.floating[Any]]) -> float:
    """Where the nose is between the cheeks: 0 at the left one, 1 at the right one."""
    return float((points[1, 0] - points[234, 0]) / (points[454, 0] - points[234, 0]))


def test_at_rest_the_face_is_where_the_landmarks_say() -> None:
    points, presence = landmarks(PERSON.paint(REST))
    expected = (PERSON.points[:, :2] - PERSON.origin) * PERSON.scale

    assert presence > 0.99
    assert np.linalg.norm(points - expected, axis=1).mean() < 2


def test_a_blink_closes_both_eyes() -> None:
    opened, _ = landmarks(PERSON.paint(REST))
    closed, presence = landmarks(PERSON.paint(replace(REST, blink=1)))

    assert presence > 0.9
    for eye in ((159, 145, 33, 133), (386, 374, 362, 263)):
        assert ratio(closed, *eye) < 0.62 * ratio(opened, *eye)


def test_the_mouth_opens() -> None:
    shut, _ = landmarks(PERSON.paint(REST))
    spoken, presence = landmarks(PERSON.paint(replace(REST, mouth=1)))

    assert presence > 0.9
    assert ratio(spoken, 13, 14, 78, 308) > 1.4 * ratio(shut, 13, 14, 78, 308)


def test_the_head_turns_nods_and_tilts() -> None:
    rest, _ = landmarks(PERSON.paint(REST))
    right, _ = landmarks(PERSON.paint(replace(REST, yaw=math.radians(15))))
    left, _ = landmarks(PERSON.paint(replace(REST, yaw=math.radians(-15))))
    down, _ = landmarks(PERSON.paint(replace(REST, pitch=math.radians(8))))
    tilted, _ = landmarks(PERSON.paint(replace(REST, roll=math.radians(5))))

    assert yaw(left) + 0.1 < yaw(rest) < yaw(right) - 0.1
    assert down[1, 1] - down[168, 1] > rest[1, 1] - rest[168, 1]  # the nose points down
    turn = np.diff([math.atan2(*(p[263] - p[33])[::-1]) for p in (rest, tilted)])
    assert math.degrees(float(turn[0])) == pytest.approx(5, abs=1.5)


def test_the_body_shifts_and_leans() -> None:
    rest, _ = landmarks(PERSON.paint(REST))
    shifted, _ = landmarks(PERSON.paint(replace(REST, x=0.1, y=0.05)))
    near, _ = landmarks(PERSON.paint(replace(REST, lean=0.05)))
    face = float(np.ptp(rest[:, 0]))

    assert (shifted - rest)[1] == pytest.approx([0.1 * face, 0.05 * face], abs=0.03 * face)
    assert np.ptp(near[:, 1]) > 1.02 * np.ptp(rest[:, 1])


@given(
    corner=st.tuples(*[st.sampled_from((-1, 1))] * len(SWAY)), blink=st.floats(0, 1), mouth=st.floats(0, 1)
)
def test_no_pose_folds_the_picture(corner: tuple[int, ...], blink: float, mouth: float) -> None:
    extremes = {axis: sign * SWAY[axis][0] * 1.5 for axis, sign in zip(SWAY, corner, strict=True)}
    back = PERSON._backward(Pose(**extremes, blink=blink, mouth=mouth))
    down, right = np.gradient(back[..., 0], axis=(0, 1)), np.gradient(back[..., 1], axis=(0, 1))
    area = down[1] * right[0] - down[0] * right[1]

    assert area.min() > 0
    assert np.abs(back[:, 0] - PERSON._p[:, 0]).max() < 0.01  # no seam to what stands still
    assert np.abs(back[:, -1] - PERSON._p[:, -1]).max() < 0.01


def test_what_moves_ends_without_a_seam_in_a_tall_picture() -> None:
    person = Person((320, 720))
    back = person._backward(Pose(0.3, 0.15, 0.12, 0.2, 0.1, 0.05, 1, 1))

    assert person._moving[0].stop < 500  # nothing moves below the waist
    assert np.abs(back[-1] - person._p[-1]).max() < 0.01


def test_the_frame_is_whole_at_rest() -> None:
    expected = PERSON._still.astype(int)

    assert np.abs(PERSON.paint(REST) - expected).mean() < 1
    assert (PERSON.paint(replace(REST, yaw=0.2))[:, :40] == expected[:, :40]).all()


def test_a_minute_holds_everything_a_person_does() -> None:
    poses = [Motion(3).at(n / 30) for n in range(1800)]

    assert all(0 <= p.blink <= 1 and 0 <= p.mouth <= 1 for p in poses)
    blinks = sum(a.blink < 0.5 <= b.blink for a, b in pairwise(poses))
    assert 16 <= blinks <= 20  # people blink 15 to 20 times a minute
    assert max(p.mouth for p in poses) > 0.8
    assert np.ptp([p.yaw for p in poses]) > math.radians(15)
    for axis in SWAY:
        assert np.abs(np.diff([getattr(p, axis) for p in poses])).max() < 0.06  # nothing jumps


@given(seed=st.integers(0, 2**32 - 1), t_s=st.floats(0, 1e6))
def test_motion_is_a_pure_function(seed: int, t_s: float) -> None:
    assert Motion(seed).at(t_s) == Motion(seed).at(t_s)


def test_frames_are_reproducible_in_any_order() -> None:
    one, two, other = Portrait((320, 180), 30), Portrait((320, 180), 30), Portrait((320, 180), 30, seed=1)
    for portrait in (one, two, other):
        portrait.open()
    shots = [one.read() for _ in range(5)]

    assert [s.pts_s for s in shots] == pytest.approx([n / 30 for n in range(5)])
    two.draw(100)
    assert (two.draw(4) == shots[4].pixels).all()
    assert (other.draw(4) != shots[4].pixels).any()
    assert shots[0].pixels.shape == (180, 320, 3)
    assert shots[0].pixels.flags.c_contiguous
    one.close()


@pytest.mark.parametrize(
    ("faces", "size"), [(2, (641, 360)), (4, (1280, 720)), (1, (200, 400)), (1, (1921, 1081))]
)
def test_any_size_and_several_faces(faces: int, size: tuple[int, int]) -> None:
    portrait = Portrait(size, 30, faces)
    portrait.open()

    pixels = portrait.read().pixels

    assert pixels.shape == (size[1], size[0], 3)
    assert portrait.size == size
    assert portrait.name == ("portrait:" if faces == 1 else f"portrait:{faces}")
    if faces == 4:
        assert (portrait.draw(40)[:, :320] != portrait.draw(40)[:, 320:640]).any()


@pytest.mark.parametrize(
    ("faces", "size"), [(0, (640, 360)), (5, (640, 360)), (1, (32, 32)), (4, (200, 200))]
)
def test_what_cannot_be_shown_is_refused(faces: int, size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="portrait of"):
        Portrait(size, 30, faces)
