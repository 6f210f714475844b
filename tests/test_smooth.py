import numpy as np
import pytest

from faceswapd.core.frame import Points
from faceswapd.faces.smooth import OneEuro, Smoother

FRAME_NS = 33_333_333
UNIT = 100.0
REST = np.random.default_rng(0).uniform(-150, 150, (478, 3)).astype(np.float32)


def moved(x: float) -> Points:
    return REST + np.array([x, 0, 0], np.float32)


def run(frames: list[Points], settings: OneEuro | None = None, unit: float = UNIT) -> list[Points]:
    smooth = Smoother(settings or OneEuro())
    return [smooth(points, unit, i * FRAME_NS) for i, points in enumerate(frames)]


def noisy(frames: list[Points], sigma: float = 0.3) -> list[Points]:
    rng = np.random.default_rng(1)
    return [(f + rng.normal(0, sigma, f.shape)).astype(np.float32) for f in frames]


def error(a: list[Points], b: list[Points], skip: int = 15) -> float:
    """Root mean square distance in the plane."""
    way = np.stack(a[skip:])[..., :2] - np.stack(b[skip:])[..., :2]
    return float(np.sqrt((way**2).sum(axis=-1).mean()))


def test_the_first_frame_is_as_it_is() -> None:
    (first,) = run([REST])

    assert np.array_equal(first, REST)
    assert first is not REST


def test_a_still_face_shakes_less_than_half_as_much() -> None:
    truth = [REST] * 90
    raw = noisy(truth)

    assert error(run(raw), truth) < error(raw, truth) / 2


def test_a_fast_face_does_not_lag() -> None:
    """Two face widths a second: a plain filter as still would be behind by some hundredths of a second."""
    turn = [0.02 * i for i in range(60)]
    truth = [
        (REST @ np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]]) + (13 * i, 4 * i, 0))
        .astype(np.float32)
        for i, a in enumerate(turn)
    ]  # fmt: skip
    raw = noisy(truth)

    assert error(run(raw), truth) < error(raw, truth)


def test_an_expression_is_followed_within_a_tenth_of_a_second() -> None:
    opened = REST.copy()
    opened[100:140, 1] += 20  # a mouth opens: a fifth of the eye distance

    after = run([REST] * 30 + [opened] * 4)[-1]

    assert np.abs(after[100:140, 1] - opened[100:140, 1]).max() < 6
    assert np.abs(after[200:, :2] - REST[200:, :2]).max() < 3


def test_a_jump_is_there_at_once() -> None:
    far = moved(300)

    assert error(run([REST] * 20 + [far])[-1:], [far], skip=0) < 0.01 * UNIT


def test_near_and_far_faces_are_smoothed_alike() -> None:
    raw = noisy([moved(i * i / 9) for i in range(40)])

    small = run([(f / 8).astype(np.float32) for f in raw], unit=UNIT / 8)

    assert np.allclose(np.stack(small) * 8, np.stack(run(raw)), atol=1e-2)


def test_the_caller_owns_what_comes_out() -> None:
    smooth = Smoother()
    first = smooth(REST, UNIT, 0)
    first[:] = 0
    second = smooth(REST, UNIT, FRAME_NS)
    second[:] = 0

    assert np.allclose(smooth(REST, UNIT, 2 * FRAME_NS), REST, atol=1e-3)


@pytest.mark.parametrize("at_ns", [0, -FRAME_NS, 10_000_000_000])
def test_time_that_stands_goes_back_or_leaps_starts_anew(at_ns: int) -> None:
    smooth = Smoother()
    smooth(REST, UNIT, 0)
    other = REST[::-1].copy()

    assert np.array_equal(smooth(other, UNIT, at_ns), other)


def test_points_that_fall_together_are_no_error() -> None:
    nothing = np.zeros((478, 3), np.float32)

    assert np.array_equal(run([nothing] * 3, unit=0.0)[-1], nothing)
