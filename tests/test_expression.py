import numpy as np
import pytest

from faceswapd.faces.expression import LOWER, UPPER, Motion, degrees, rotation


def motion(expression: float = 0.0, angles: tuple[float, float, float] = (0, 0, 0)) -> Motion:
    points = np.zeros((21, 3), np.float32)
    points[:] = (1, 0, 0)
    pulled = np.full((21, 3), expression, np.float32)
    return Motion(angles, 2.0, np.array([0.5, 0, -1], np.float32), pulled, points)


@pytest.mark.parametrize(
    ("angles", "point", "goes_to"),
    [
        ((90, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((0, 90, 0), (0, 0, 1), (1, 0, 0)),
        ((0, 0, 90), (1, 0, 0), (0, 1, 0)),
        # Pitch comes first: z is led to -y, which the turn about z leads to x.
        ((90, 0, 90), (0, 0, 1), (1, 0, 0)),
    ],
)
def test_a_point_turns_about_fixed_axes(
    angles: tuple[float, float, float], point: tuple[int, ...], goes_to: tuple[int, ...]
) -> None:
    np.testing.assert_allclose(rotation(*angles) @ np.array(point, np.float32), goes_to, atol=1e-6)


def test_points_are_turned_then_pulled_then_scaled_then_moved() -> None:
    placed = motion(0.25, (0, 0, 90)).placed()

    np.testing.assert_allclose(placed[7], [2 * 0.25 + 0.5, 2 * 1.25, 2 * 0.25 - 1], atol=1e-6)
    np.testing.assert_allclose(
        motion().placed(np.ones((21, 3), np.float32))[0], [2 * 2 + 0.5, 2, 1], atol=1e-6
    )


def test_bins_of_three_degrees_begin_at_minus_97_5() -> None:
    logits = np.full(66, -50, np.float32)
    logits[0] = 0
    assert degrees(logits) == pytest.approx(-97.5, abs=1e-4)
    logits[[0, 40]] = -50, 0
    assert degrees(logits) == pytest.approx(22.5, abs=1e-4)
    logits[41] = 0
    assert degrees(logits) == pytest.approx(24, abs=1e-4)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_is_the_angle(shape: tuple[int, ...]) -> None:
    assert degrees(np.full(shape, -12.5, np.float32)) == -12.5


def test_an_expression_is_drawn_over_by_its_share_and_only_at_the_points_asked_for() -> None:
    mixed = motion(1.0).expressing(motion(3.0), 0.25, LOWER)

    assert mixed[list(LOWER)].tolist() == [[1.5] * 3] * len(LOWER)
    assert mixed[list(UPPER)].tolist() == [[1.0] * 3] * len(UPPER)
    assert not set(UPPER) & set(LOWER)
