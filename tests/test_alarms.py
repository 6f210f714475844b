from dataclasses import replace

import numpy as np
import pytest

from faceswapd.core.frame import Points
from faceswapd.faces.alarms import FORGOTTEN, FalseAlarms
from faceswapd.faces.detection import TURNS, Detection

BOX = np.array([100, 100, 200, 220], np.float32)
ROIS = Detection(BOX, np.empty((0, 2), np.float32), 0.9).rois


def moved(by: float) -> Points:
    return BOX + np.float32(by)


def tried(alarms: FalseAlarms, frame: int, box: Points = BOX, angle: float = 0.0) -> list[int]:
    """The turns, in eighths, that are tried in a frame; no face is seen."""
    rois = alarms.worth(box, ROIS, frame, angle)
    alarms.note(box, frame, face=False)
    return [round(np.degrees(roi.angle) / 45) % TURNS for roi in rois]


def test_all_crops_of_a_new_box_are_tried() -> None:
    assert tried(FalseAlarms(), 1) == list(range(TURNS))


@pytest.mark.parametrize(("angle", "likely"), [(0.0, 0), (95.0, 2), (-130.0, 5)])
def test_a_box_without_a_face_is_tried_as_expected_and_each_other_way_in_turn(
    angle: float, likely: int
) -> None:
    alarms = FalseAlarms()
    tried(alarms, 1, angle=np.radians(angle))

    # The box drifts through the picture meanwhile.
    looks = [tried(alarms, 2 + n, moved(4 * n), np.radians(angle)) for n in range(TURNS - 1)]

    assert {first for first, _ in looks} == {likely}
    assert {second for _, second in looks} == set(range(TURNS)) - {likely}


def test_where_a_face_was_seen_and_elsewhere_all_are_tried() -> None:
    alarms = FalseAlarms()
    tried(alarms, 1)
    assert len(tried(alarms, 2, moved(60))) == TURNS, "another box"
    assert len(tried(alarms, 3)) == 2
    alarms.note(BOX, 4, face=True)
    assert len(tried(alarms, 5)) == TURNS
    alarms.clear()
    assert len(tried(alarms, 6)) == TURNS


def test_what_was_not_looked_at_for_long_is_forgotten() -> None:
    alarms = FalseAlarms()
    tried(alarms, 1)
    assert len(tried(alarms, 1 + FORGOTTEN)) == 2
    assert len(tried(alarms, 2 + 2 * FORGOTTEN)) == TURNS


def test_a_box_whose_eyes_are_known_has_one_crop() -> None:
    alarms, (roi, *_) = FalseAlarms(), ROIS
    told = (replace(roi, angle=0.3),)
    alarms.note(BOX, 1, face=False)
    assert alarms.worth(BOX, told, 2) == told
