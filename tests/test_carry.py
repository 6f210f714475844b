from dataclasses import replace

import cv2
import numpy as np
import pytest

from faceswapd.capture.motion import REST
from faceswapd.capture.person import Person
from faceswapd.core.frame import Matrix, Pixels
from faceswapd.faces.crop import take
from faceswapd.faces.face import Face
from faceswapd.faces.templates import crop_matrix
from faceswapd.processors.carry import Restored
from faceswapd.processors.look import Look

SIZE = (640, 360)
PERSON = Person(SIZE)
SIDE = 256
GREEN = (0, 60, 0)


def face(number: int = 1) -> Face:
    """The portrait at rest."""
    points = PERSON.points.copy()
    points[:, :2] = (points[:, :2] - PERSON.origin) * PERSON.scale
    return Face(number, np.zeros(4, np.float32), points, 1.0)


def look(pixels: Pixels, who: Face | None = None) -> Look:
    who = who or face()
    matrix = crop_matrix(who.anchors, "ffhq_512", SIDE)
    return Look(who, matrix, take(pixels, matrix, SIDE))


def painted(**pose: float) -> Pixels:
    return PERSON.paint(replace(REST, **pose)).copy()


def brighter(pixels: Pixels, by: tuple[int, int, int]) -> Pixels:
    return np.asarray(np.clip(pixels.astype(int) + by, 0, 255), np.uint8)


def greener(pixels: Pixels) -> Pixels:
    """What stands for a restored face: all of it is greener."""
    return brighter(pixels, GREEN)


def share(mask: Pixels, seen: Look, index: int, down: float = 0.0) -> int:
    """The value of a mask of the crop at a point of the mesh."""
    x, y = seen.matrix[:, :2] @ (face().points[index, :2] + (0, down)) + seen.matrix[:, 2]
    return int(mask[round(y), round(x)])


def rest() -> tuple[Restored, Look]:
    before = look(painted())
    return Restored.of(greener(before.crop), before), before


def test_in_the_same_picture_it_is_the_restored_face_itself() -> None:
    kept, before = rest()

    shown = kept.now(before)
    assert shown is not None
    # The outermost pixels, of which nothing is ever shown, are clamped.
    within = np.s_[2:-2, 2:-2]
    assert np.abs(shown[0].astype(int) - greener(before.crop))[within].max() <= 2
    assert shown[1].min() == 255


def test_a_closed_eye_is_not_covered_by_the_open_one() -> None:
    kept, _ = rest()
    blinking = look(painted(blink=1.0))

    shown = kept.now(blinking)
    assert shown is not None
    assert max(share(shown[1], blinking, iris) for iris in (468, 473)) < 40
    assert min(share(shown[1], blinking, cheek) for cheek in (50, 280)) == 255


def test_an_open_mouth_is_not_covered_by_the_closed_one() -> None:
    kept, _ = rest()
    speaking = look(painted(mouth=1.0))

    shown = kept.now(speaking)
    assert shown is not None
    assert share(shown[1], speaking, 14, down=4) < 40


def test_a_hand_before_the_face_is_not_painted_over() -> None:
    kept, before = rest()
    pixels = painted()
    x, y = np.rint(face().points[50, :2]).astype(int)
    pixels[y - 14 : y + 15, x - 14 : x + 15] = (30, 40, 50)

    shown = kept.now(look(pixels))
    assert shown is not None
    assert share(shown[1], before, 50) == 0
    assert shown[1].mean() > 150, "the rest goes on"


def test_light_that_changes_goes_on() -> None:
    kept, before = rest()
    lit = look(brighter(painted(), (12, 12, 12)))

    shown = kept.now(lit)
    assert shown is not None
    assert shown[1].mean() > 250
    change = shown[0].astype(int) - greener(before.crop)
    assert 9 < np.median(change) < 14


def test_a_mesh_that_trembles_does_not_move_the_skin() -> None:
    kept, before = rest()
    points = face().points + np.float32(1.5)
    aside = look(painted(), replace(face(), points=points))

    shown = kept.now(aside)
    assert shown is not None
    wrong = np.abs(shown[0].astype(int) - greener(aside.crop))[60:200, 60:200].mean()
    naive = np.abs(greener(before.crop).astype(int) - greener(aside.crop))[60:200, 60:200].mean()
    assert wrong < 0.5 * naive


def other(pixels: Pixels) -> Look:
    return look(pixels, face(2))


def hidden(pixels: Pixels) -> Look:
    """A swap begins: what is carried is still the wearer's own face."""
    return replace(look(pixels), treated=True)


def larger(pixels: Pixels) -> Look:
    matrix: Matrix = np.array([[1.7, 0, -200], [0, 1.7, -120]], np.float32)
    return look(np.asarray(cv2.warpAffine(pixels, matrix, SIZE), np.uint8), face().moved(matrix))


def turned(pixels: Pixels) -> Look:
    points = face().points.copy()
    c, s = np.cos(0.5), np.sin(0.5)
    middle = points[:, :3].mean(axis=0)
    x, z = points[:, 0] - middle[0], points[:, 2] - middle[2]
    points[:, 0] = c * x + s * z + middle[0]
    return look(pixels, replace(face(), points=points))


def covered(pixels: Pixels) -> Look:
    noise = np.random.default_rng(0).integers(0, 256, (45, 80, 3), np.uint8)
    return look(np.asarray(cv2.resize(noise, SIZE, interpolation=cv2.INTER_NEAREST), np.uint8))


@pytest.mark.parametrize("change", [other, hidden, larger, turned, covered])
def test_another_face_or_view_is_not_carried_to(change: object) -> None:
    kept, _ = rest()

    assert callable(change)
    assert kept.now(change(painted())) is None


def test_no_more_is_kept_than_the_place_in_the_frame_can_show() -> None:
    before = look(painted())
    fine = np.asarray(cv2.resize(before.crop, (2048, 2048)), np.uint8)

    kept = Restored.of(fine, before)
    shown_px = SIDE / np.sqrt(abs(np.linalg.det(before.matrix[:, :2])))
    assert shown_px <= len(kept.picture) < 2 * shown_px * 1.01
    shown = kept.now(before)
    assert shown is not None
    assert shown[0].shape == kept.picture.shape
    assert shown[1].shape == kept.picture.shape[:2]
