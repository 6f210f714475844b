import numpy as np
import pytest

from faceswapd.core.frame import Points
from faceswapd.faces.blaze import SIDE, Letterbox, Range, anchors, decode, letterbox, shrunk

WHOLE = Letterbox((100.0, 100.0), (0.0, 0.0))


def outputs(kind: Range, *faces: tuple[int, float, float]) -> tuple[Points, Points]:
    """Detector outputs with a face of 20 x 20 pixels of the square at (anchor, logit, offset in pixels)."""
    count = len(anchors(kind))
    regressors, logits = np.zeros((1, count, 16), np.float32), np.full((1, count, 1), -9, np.float32)
    for anchor, logit, offset in faces:
        logits[0, anchor] = logit
        regressors[0, anchor, :4] = offset, 0, 20, 20
        regressors[0, anchor, 4:8] = offset - 5, -4, offset + 5, -4
    return regressors, logits


def test_anchors_fill_the_square() -> None:
    short, full = anchors("short"), anchors("full")

    assert short.shape == (896, 2)
    assert full.shape == (2304, 2)
    assert np.allclose(short[[0, 1, 2, 511, 512, 895]],
                       np.array([[1, 1], [1, 1], [3, 1], [31, 31], [2, 2], [30, 30]]) / 32)  # fmt: skip
    assert np.allclose(full[[0, 1, 48]], np.array([[1, 1], [3, 1], [1, 3]]) / 96)


def test_nothing_there() -> None:
    assert decode("short", *outputs("short"), WHOLE) == []


def test_a_face_in_frame_pixels() -> None:
    (face,) = decode("short", *outputs("short", (895, 3.0, 0.0)), WHOLE)

    centre, half = 100 * 30 / 32 - 0.5, 100 * 10 / 128
    assert np.allclose(face.box, [centre - half, centre - half, centre + half, centre + half], atol=1e-4)
    assert np.allclose(face.keypoints[1] - face.keypoints[0], [100 * 10 / 128, 0], atol=1e-4)
    assert face.score == pytest.approx(1 / (1 + np.exp(-3)))
    assert face.roi.angle == 0
    assert face.roi.side == pytest.approx(3 * half)


def test_votes_for_one_face_are_averaged_by_their_score() -> None:
    votes = outputs("full", (1000, 0.0, 0.0), (1001, 2.0, 0.0))
    (face,) = decode("full", *votes, WHOLE, min_score=0.4)

    a, b = 0.5, 1 / (1 + np.exp(-2))
    x = (anchors("full")[1000, 0] * a + anchors("full")[1001, 0] * b) / (a + b)
    assert (face.box[0] + face.box[2]) / 2 == pytest.approx(100 * x - 0.5, abs=1e-3)
    assert face.score == pytest.approx(b)


def test_two_faces_surest_first() -> None:
    first, second = decode("full", *outputs("full", (100, 1.0, 0.0), (2000, 4.0, 0.0)), WHOLE)

    assert first.score > second.score
    assert first.box[1] > second.box[1]


def test_numbers_out_of_range_do_not_warn() -> None:
    regressors, logits = outputs("short", (0, 1e30, 0.0), (895, -1e30, 0.0))

    assert len(decode("short", regressors, logits, WHOLE)) == 1


@pytest.mark.parametrize("kind", ["short", "full"])
@pytest.mark.parametrize(
    "size", [(1280, 720), (720, 1280), (640, 480), (101, 333), (30, 20), (1, 1), (1, 900)]
)
def test_a_mark_is_found_where_it_was(kind: Range, size: tuple[int, int]) -> None:
    """A white half plane through the letterbox and back: position and colour order."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :, 2] = 255  # red, in BGR

    tensor, where = letterbox(shrunk(picture, 192), kind, size)

    side = SIDE[kind]
    assert tensor.shape == (1, side, side, 3)
    assert tensor.min() >= -1
    assert tensor.max() <= 1
    row = tensor[0, side // 2, :, 0]  # red comes first
    assert np.all(tensor[0, :, :, 1:] <= 0)
    if width >= 30:
        edge = np.flatnonzero(row > 0)[0] / side
        assert (edge - where.offset[0]) * where.scale[0] == pytest.approx(width // 2, abs=width / 40)


def test_shrinking_halves_until_it_would_be_too_small() -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)

    assert shrunk(picture, 192).shape == (180, 320, 3)
    assert shrunk(picture, 1280) is picture
    assert shrunk(np.zeros((1, 900, 3), np.uint8), 192).shape == (1, 900, 3)


def test_shrinking_keeps_the_mean() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)

    assert np.asarray(shrunk(np.asarray(picture, np.uint8), 192)).mean() == pytest.approx(
        np.mean(picture), abs=1
    )
