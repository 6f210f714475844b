import numpy as np
import pytest

from faceswapd.faces.attributes import LOOKS, Attributes, Vote, decode_fairface, decode_genderage


def test_genderage_tells_its_numbers_as_insightface_reads_them() -> None:
    assert decode_genderage(np.array([0.2, 0.9, 0.334], np.float32)) == Attributes("male", 33)
    assert decode_genderage(np.array([0.9, 0.2, 0.336], np.float32)) == Attributes("female", 34)
    assert decode_genderage(np.array([0.5, 0.5, 0], np.float32)).sex == "female", "the first of equals"


@pytest.mark.parametrize(("span", "age"), [(0, 1), (3, 25), (8, 75), (99, 75), (-1, 1)])
def test_fairface_tells_the_middle_of_a_span(span: int, age: int) -> None:
    assert decode_fairface(1, span) == Attributes("female", age)
    assert decode_fairface(0, span).sex == "male"


def test_one_look_that_is_wrong_changes_nothing() -> None:
    vote = Vote()
    assert vote.add(Attributes("female", 30)) == Attributes("female", 30)
    assert vote.add(Attributes("male", 90)) == Attributes("female", 30), "even: as it was"
    assert vote.add(Attributes("female", 34)) == Attributes("female", 34)
    assert vote.add(Attributes("male", 10)) == Attributes("female", 30)


def test_looks_that_are_long_past_do_not_count() -> None:
    vote = Vote()
    for _ in range(20):
        vote.add(Attributes("female", 20))
    for _ in range(LOOKS):
        last = vote.add(Attributes("male", 60))
    assert last == Attributes("male", 60)
