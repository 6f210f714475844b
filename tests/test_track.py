import numpy as np
import pytest

from faceswapd.core.frame import Points
from faceswapd.faces.canonical import canonical
from faceswapd.faces.detection import Detection
from faceswapd.faces.track import Found, Tracks, distinct, owner, unexplained

FRAME_NS = 33_333_333


def face_points(x: float, y: float = 300, size: float = 10) -> Points:
    out = np.zeros((478, 3), np.float32)
    out[:468, :2] = canonical().xyz[:, :2] * (size, -size) + (x, y)
    out[468:473], out[473:] = out[[33, 133]].mean(axis=0), out[[263, 362]].mean(axis=0)
    return out


def detection(x: float, y: float = 300, size: float = 10, score: float = 0.9) -> Detection:
    points = face_points(x, y, size)
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    keypoints = points[[468, 473, 1, 13, 234, 454], :2]
    return Detection(np.concatenate([low, high]), keypoints, score)


def tracks(*xs: float) -> Tracks:
    out = Tracks()
    out.take([Found(face_points(x), 1.0) for x in xs], 0)
    return out


def test_ids_are_never_used_again() -> None:
    all_tracks = tracks(100, 500)
    assert [t.id for t in all_tracks.all] == [1, 2]

    all_tracks.drop(FRAME_NS)
    all_tracks.take([Found(face_points(100), 1.0)], FRAME_NS)

    assert [t.id for t in all_tracks.all] == [3]


def test_a_track_takes_over_what_was_found() -> None:
    all_tracks = tracks(100)
    (track,) = all_tracks.all
    all_tracks.take([Found(face_points(130), 0.7, track=track)], FRAME_NS)

    face = track.face(FRAME_NS)
    assert (face.id, face.score, face.held_ns) == (1, 0.7, 0)
    assert (face.box[0] + face.box[2]) / 2 == pytest.approx(130, abs=1)
    assert face.points.shape == (478, 3)
    assert track.face(3 * FRAME_NS).held_ns == 2 * FRAME_NS


def test_a_face_that_moves_is_expected_farther_on() -> None:
    all_tracks = tracks(100)
    (track,) = all_tracks.all
    all_tracks.take([Found(face_points(130, 290), 1.0, track=track)], FRAME_NS)

    ahead = track.expected(2 * FRAME_NS)

    assert ahead.x - track.roi.x == pytest.approx(30, abs=0.1)
    assert ahead.y - track.roi.y == pytest.approx(-10, abs=0.1)
    assert track.roi.drift(track.expected(10**12)) == pytest.approx(0.5)


def test_a_face_that_trembles_keeps_its_crop() -> None:
    all_tracks = tracks(100)
    (track,) = all_tracks.all
    all_tracks.take([Found(face_points(101), 1.0, track=track)], FRAME_NS)

    assert track.expected(2 * FRAME_NS) == track.roi


def test_two_meshes_on_one_face_belong_to_the_track_that_was_expected_there() -> None:
    all_tracks = tracks(100, 400)
    left, right = all_tracks.all
    on_right = [Found(face_points(398), 1.0, track=left), Found(face_points(402), 1.0, track=right)]

    (kept,) = distinct(on_right, FRAME_NS)

    assert kept.track is right


def test_a_known_face_goes_before_a_new_one_and_others_stay() -> None:
    (track,) = tracks(100).all
    new, known, other = (
        Found(face_points(100), 1.0),
        Found(face_points(101), 0.6, track=track),
        Found(face_points(400), 1.0),
    )

    assert set(map(id, distinct([new, known, other], FRAME_NS))) == {id(known), id(other)}


def test_detections_that_no_mesh_stands_for_largest_first() -> None:
    small, large = detection(600, size=5), detection(900)

    assert unexplained([detection(104), small, large], [Found(face_points(100), 1.0).box]) == [large, small]
    assert unexplained([], []) == []


@pytest.mark.parametrize(
    ("jump", "size", "lost_frames", "same"),
    [
        (0, 10, 1, True),
        (80, 10, 1, True),  # half a face
        (80, 14, 1, True),
        (500, 10, 1, False),
        (80, 25, 1, False),  # another's size
        (220, 10, 1, False),
        (220, 10, 12, True),  # there was time to go there
        (900, 10, 30, False),
    ],
)
def test_a_lost_face_is_known_again_near_by(jump: float, size: float, lost_frames: int, same: bool) -> None:
    (track,) = tracks(300).all

    found = owner(detection(300 + jump, size=size), [track], lost_frames * FRAME_NS)

    assert found is (track if same else None)


def test_the_nearest_lost_face_is_the_owner() -> None:
    near, far = tracks(300, 420).all

    assert owner(detection(330), [far, near], FRAME_NS) is near


def test_a_stand_in_is_told_from_a_mesh() -> None:
    all_tracks = tracks(100)
    (track,) = all_tracks.all
    all_tracks.take([Found(face_points(100), 0.0, meshed=False, track=track)], FRAME_NS)

    assert not track.meshed
