from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from faceswapd.core.errors import UsageError
from faceswapd.core.settings import AnalysisSettings
from faceswapd.faces.attributes import Attributes, Sex
from faceswapd.faces.face import Face
from faceswapd.processors.analysis import Analysis
from faceswapd.processors.processor import Workshop
from faceswapd.processors.wearer import check_who, wearers


def face(number: int, side: float) -> Face:
    return Face(number, np.array([0, 0, side, side], np.float32), np.zeros((478, 3), np.float32), 1.0)


def ids(faces: list[Face]) -> list[int]:
    return [f.id for f in faces]


def test_everybody_the_farther_first() -> None:
    worn, spared = wearers([face(1, 90), face(2, 30), face(3, 60)], "all")

    assert (ids(worn), ids(spared)) == ([2, 3, 1], [])


def test_a_held_face_lies_beneath_whoever_is_seen_in_its_place() -> None:
    worn, _ = wearers([replace(face(1, 90), held_ns=1), face(2, 30), face(3, 60)], "all")

    assert ids(worn) == [1, 2, 3]


def test_the_first_keeps_it_however_large_another_gets() -> None:
    worn, spared = wearers([face(4, 500), face(2, 30), face(3, 60)], "first")

    assert (ids(worn), ids(spared)) == ([2], [3, 4])


def test_nobody() -> None:
    assert wearers([], "first") == ([], [])


def known(number: int, side: float, sex: Sex, age: int) -> Face:
    return replace(face(number, side), attributes=Attributes(sex, age))


PEOPLE = [
    known(1, 50, "male", 44),
    known(2, 80, "female", 17),
    known(3, 60, "female", 31),
    known(4, 70, "male", 18),
]


@pytest.mark.parametrize(
    ("who", "worn", "spared"),
    [
        ("female", [3, 2], [1, 4]),
        ("male", [1, 4], [3, 2]),
        ("age:18-40", [3, 4], [1, 2]),
        ("female,age:18-40", [3], [1, 4, 2]),
        ("age:18-40, first", [3], [1, 4, 2]),
        ("first,male", [1], [3, 4, 2]),
        ("age:90-99", [], [1, 3, 4, 2]),
        ("all", [1, 3, 4, 2], []),
    ],
)
def test_sex_and_age_choose_and_all_words_hold(who: str, worn: list[int], spared: list[int]) -> None:
    assert tuple(map(ids, wearers(PEOPLE, who))) == (worn, spared)


def test_whose_sex_nobody_knows_is_neither_worn_on_nor_spared() -> None:
    """The chain then calls the face neither treated nor spared, and the frame is not shown."""
    worn, spared = wearers([*PEOPLE, face(5, 40)], "first,female")

    assert (ids(worn), ids(spared)) == ([2], [1, 3, 4])


@pytest.mark.parametrize(
    "who", ["", "nobody", "all,first", "male,female", "age:40-18", "age:18", "first,first"]
)
def test_words_that_mean_nothing_are_refused(who: str) -> None:
    with pytest.raises(UsageError, match=r"faces: .* (says nobody|is no word): write all, or first"):
        check_who(who, workshop("genderage"))


def test_sex_and_age_need_a_model_that_tells_them() -> None:
    check_who("first", workshop(""))
    check_who("female,age:18-40", workshop("genderage"))
    for there in (workshop(""), replace(workshop(""), analysis=None)):
        with pytest.raises(UsageError, match=r"'female' needs a model .*--attributes genderage"):
            check_who("female", there)


def workshop(attributes: str) -> Workshop:
    nothing: Any = None
    return Workshop(nothing, nothing, analysis=Analysis(nothing, AnalysisSettings(attributes=attributes)))
