import numpy as np

from faceswapd.faces.face import Face
from faceswapd.processors.wearer import wearers


def face(number: int, side: float) -> Face:
    return Face(number, np.array([0, 0, side, side], np.float32), np.zeros((478, 3), np.float32), 1.0)


def ids(faces: list[Face]) -> list[int]:
    return [f.id for f in faces]


def test_everybody_the_farther_first() -> None:
    worn, spared = wearers([face(1, 90), face(2, 30), face(3, 60)], "all")

    assert (ids(worn), ids(spared)) == ([2, 3, 1], [])


def test_the_first_keeps_it_however_large_another_gets() -> None:
    worn, spared = wearers([face(4, 500), face(2, 30), face(3, 60)], "first")

    assert (ids(worn), ids(spared)) == ([2], [3, 4])


def test_nobody() -> None:
    assert wearers([], "first") == ([], [])
