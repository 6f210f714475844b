from dataclasses import replace

import numpy as np
import pytest

from faceswapd.core.frame import Pixels
from faceswapd.faces.face import Face
from faceswapd.inference.swapper import Identity, Styles, drawn, unit
from faceswapd.processors.own_identity import LOOK_EVERY, REMEMBERED, OwnIdentities

WORN = (np.array([3, 0, 0, 0], np.float32),)


class Told:
    """A swapper that sees who somebody is in the colour of the first pixel, and tells what it was told."""

    def __init__(self) -> None:
        self.looks: list[Pixels] = []

    def identity(self, worn: list[tuple[Pixels, object, float]]) -> Identity:
        pixels = worn[0][0]
        self.looks.append(pixels)
        return (np.append(pixels[0, 0], 0).astype(np.float32),)

    def told(self, identity: Identity) -> Styles:
        return (identity[0][None],)


def face(number: int, held_ns: int = 0) -> Face:
    return Face(number, np.zeros(4, np.float32), np.zeros((478, 3), np.float32), 1.0, held_ns)


def colour(*bgr: int) -> Pixels:
    return np.array([[bgr]], np.uint8)


def own(swapper: Told, strength: float = 0.7, keep: bool = True) -> OwnIdentities:
    return OwnIdentities(swapper, WORN, strength, keep)  # type: ignore[arg-type]


@pytest.mark.parametrize("strength", [0.5, 0.65, 1.0, 1.35, 1.5])
def test_strength_goes_along_the_line_from_the_wearers_own_identity_to_the_worn_one(strength: float) -> None:
    worn, mine = np.random.default_rng(0).normal(0, 3, (2, 512)).astype(np.float32)

    (got,) = drawn((worn,), (mine,), strength)

    want = unit(mine) + strength * (unit(worn) - unit(mine))
    np.testing.assert_allclose(unit(got), unit(want), atol=1e-6)
    assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(worn), rel=1e-5)


def test_the_neutral_strength_is_the_worn_identity_itself() -> None:
    worn, mine = np.random.default_rng(0).normal(0, 3, (2, 512)).astype(np.float32)

    np.testing.assert_allclose(drawn((worn,), (mine,), 1.0)[0], worn, atol=1e-5)
    nearer, farther = (float(unit(drawn((worn,), (mine,), s)[0]) @ unit(mine)) for s in (0.6, 1.4))
    assert nearer > float(unit(worn) @ unit(mine)) > farther


def test_live_a_wearer_is_looked_at_rarely_and_never_taken_for_another() -> None:
    swapper = Told()
    identities = own(swapper)
    red, blue = colour(0, 0, 9), colour(9, 0, 0)

    first = identities.styles(face(1), red)
    for _ in range(LOOK_EVERY - 1):
        assert identities.styles(face(1), blue) is first, "one look serves many frames"
    assert len(swapper.looks) == 1
    second = identities.styles(face(2), blue)
    np.testing.assert_allclose(second[0][0], drawn(WORN, (np.array([9, 0, 0, 0], np.float32),), 0.7)[0])
    assert identities.styles(face(1), blue) is not second

    again = identities.styles(face(1), blue)
    assert len(swapper.looks) == 3, "after that it is looked at once more"
    both = (np.array([1, 0, 1, 0], np.float32),)
    np.testing.assert_allclose(again[0][0], drawn(WORN, both, 0.7)[0], atol=1e-5)


def test_who_is_there_after_a_cut_is_somebody_else() -> None:
    swapper = Told()
    identities = own(swapper)
    identities.styles(face(1), colour(0, 0, 9))
    after = identities.styles(replace(face(1), appearance=1), colour(9, 0, 0))

    assert len(swapper.looks) == 2
    np.testing.assert_array_equal(after[0], own(Told()).styles(face(1), colour(9, 0, 0))[0])


def test_a_face_that_is_only_held_is_not_looked_at_again() -> None:
    swapper = Told()
    identities = own(swapper)
    for n in range(3 * LOOK_EVERY):
        identities.styles(face(1, held_ns=n), colour(0, 0, 9))

    assert len(swapper.looks) == 1


def test_who_was_not_seen_for_longest_is_forgotten() -> None:
    swapper = Told()
    identities = own(swapper)
    for number in range(REMEMBERED):
        identities.styles(face(number), colour(0, 0, 9))
    identities.styles(face(0), colour(0, 0, 9))
    identities.styles(face(99), colour(0, 0, 9))
    assert len(swapper.looks) == REMEMBERED + 1

    identities.styles(face(0), colour(0, 0, 9))
    assert len(swapper.looks) == REMEMBERED + 1
    identities.styles(face(1), colour(0, 0, 9))
    assert len(swapper.looks) == REMEMBERED + 2


def test_of_a_film_every_frame_speaks_for_itself() -> None:
    swapper = Told()
    identities = own(swapper, keep=False)

    red, blue = (identities.styles(replace(face(1)), colour(*c))[0] for c in ((0, 0, 9), (9, 0, 0)))
    assert len(swapper.looks) == 2
    assert not np.array_equal(red, blue)
