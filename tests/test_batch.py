"""How many frames at once: the search."""

from collections.abc import Callable

import pytest

from faceswapd.daemon.batch import MOST, Batch, ceiling


def run(batch: Batch, cost_ms: Callable[[int], float], batches: int = 60) -> list[int]:
    """Sizes of batches, each done before the next one begins; `cost_ms` of a face in a batch of a size."""
    sizes = []
    for _ in range(batches):
        size = batch.next()
        sizes.append(size)
        batch.took(size, size, round(cost_ms(size) * size * 1e6))
    return sizes


@pytest.mark.parametrize(("total", "workers", "most"), [(300, 4, 32), (20, 4, 5), (3, 4, 1), (None, 2, 32)])
def test_the_most_for_a_film(total: int | None, workers: int, most: int) -> None:
    assert ceiling(total, workers) == most


def test_it_grows_as_long_as_that_is_faster() -> None:
    batch = Batch(MOST)
    sizes = run(batch, lambda size: 10 / size if size <= 8 else 10.0)
    assert batch.settled == sizes[-1] == 8
    assert max(sizes) == 16


def test_it_stays_at_one_where_more_gain_nothing() -> None:
    batch = Batch(MOST)
    sizes = run(batch, lambda _: 5.0)
    assert batch.settled == sizes[-1] == 1
    assert max(sizes) == 2


def test_it_never_exceeds_the_room() -> None:
    batch = Batch(6)
    assert max(run(batch, lambda size: 10 / size)) == 4
    assert batch.settled == 4
    assert (Batch(1).settled, Batch(4, settled=8).next(), Batch(8, settled=2).next()) == (1, 4, 2)


def test_it_waits_for_results_with_the_best_so_far() -> None:
    batch = Batch(8)
    assert [batch.next() for _ in range(10)] == [1] * 10
    for _ in range(10):
        batch.took(1, 1, 10)
    assert [batch.next() for _ in range(6)] == [2, 2, 2, 2, 1, 1]


def test_frames_without_faces_say_nothing() -> None:
    batch = Batch(8)
    for _ in range(50):
        assert batch.next() == 1
        batch.took(1, 0, 10)
    batch.part_ends()
    assert batch.settled == 0


def test_a_size_that_fails_is_not_taken_again() -> None:
    batch = Batch(MOST)
    for _ in range(12):
        size = batch.next()
        if size == 4:
            batch.failed(size)
        else:
            batch.took(size, size, round(1e7))
    assert batch.settled in (1, 2)
    batch.failed(batch.settled * 8)
    assert batch.settled in (1, 2)


def test_what_is_known_at_the_end_of_a_part_holds() -> None:
    batch = Batch(MOST)
    run(batch, lambda size: 10 / size, 7)
    assert batch.settled == 0
    batch.part_ends()
    assert batch.settled == batch.next() >= 1


@pytest.mark.parametrize(
    ("batches", "gain", "size"),
    [
        (5, 2.0, 1),  # of a new size the first batch says nothing
        (6, 2.0, 2),
        (6, 1.01, 1),
        (8, 2.0, 2),
        (10, 2.0, 4),
        (10, 0.5, 1),
    ],
)
def test_the_end_of_a_part_takes_the_fastest_that_is_timed(batches: int, gain: float, size: int) -> None:
    batch = Batch(MOST)
    run(batch, lambda size: 10 / gain ** (size.bit_length() - 1), batches)
    batch.part_ends()
    assert batch.settled == batch.next() == size
