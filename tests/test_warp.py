import threading

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswapd.core.frame import Points
from faceswapd.faces.canonical import canonical
from faceswapd.faces.masks import FACE_OVAL
from faceswapd.faces.warp import Grid, normals, rasterise, skirted, triangles


def frontal(scale: float = 10, centre: tuple[float, float] = (100, 100), yaw: float = 0) -> Points:
    """The canonical face in pixels, turned by `yaw` degrees; z grows away from the viewer."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    x, y, z = canonical().xyz.T
    points = np.stack([c * x + s * z, -y, s * x - c * z], axis=1) * scale
    points[:, :2] += centre
    return np.asarray(points, np.float32)


def places(corners: Points, grid: Grid) -> tuple[Points, NDArray[np.uint8], Points]:
    """A map of each place to itself: what it says, where it is known, what it should say."""
    size = 1000
    values = np.column_stack([corners[:, :2] / size, np.ones(len(corners))]).astype(np.float32)
    found, covered = rasterise(grid.local(corners), values, (grid.columns, grid.rows))
    y, x = np.mgrid[: grid.rows, : grid.columns].astype(np.float32)
    # The middle of a cell, where a pixel's middle is a whole number.
    true = np.dstack([grid.x + (x + 0.5) * grid.cell - 0.5, grid.y + (y + 0.5) * grid.cell - 0.5])
    return np.asarray(found[..., :2] * size), covered, np.asarray(true)


def test_the_skirt_closes_around_the_oval() -> None:
    corners = skirted(frontal())

    assert corners.shape == (468 + len(FACE_OVAL), 3)
    assert triangles().max() == len(corners) - 1
    oval, skirt = corners[list(FACE_OVAL)], corners[468:]
    middle = oval.mean(axis=0)
    assert np.linalg.norm(skirt - middle, axis=1) == pytest.approx(
        1.16 * np.linalg.norm(oval - middle, axis=1), rel=1e-3
    )


@pytest.mark.parametrize("finest", [40, 128, 400])
def test_a_map_of_a_face_to_itself_is_the_identity(finest: int) -> None:
    corners = skirted(frontal())
    grid = Grid.over(corners, (220, 220), finest)
    assert grid is not None

    found, covered, true = places(corners, grid)

    assert (covered > 0).mean() > 0.7
    assert np.abs(found - true)[covered > 0].max() < 0.01


@pytest.mark.parametrize("centre", [(0, 100), (199, 100), (100, -30), (230, 250)])
def test_a_face_partly_outside_of_the_frame_keeps_its_place(centre: tuple[float, float]) -> None:
    corners = skirted(frontal(centre=centre))
    grid = Grid.over(corners, (200, 200))
    assert grid is not None
    assert grid.x >= 0
    assert grid.y >= 0

    found, covered, true = places(corners, grid)

    assert covered.any()
    assert np.abs(found - true)[covered > 0].max() < 0.01


def test_a_face_much_larger_than_the_frame_costs_no_more_cells() -> None:
    corners = skirted(frontal(scale=4000))
    grid = Grid.over(corners, (640, 480))
    assert grid is not None

    found, covered, true = places(corners, grid)

    assert max(grid.columns, grid.rows) <= 128
    assert (covered > 0).all()
    assert np.abs(found - true).max() < 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_there_is_no_grid_over_what_is_no_number_or_not_in_the_frame(bad: float) -> None:
    points = frontal()
    assert Grid.over(frontal(centre=(900, 100)), (200, 200)) is None
    points[7, 1] = bad

    assert Grid.over(points, (200, 200)) is None


def test_a_tiny_face_has_a_map() -> None:
    corners = skirted(frontal(scale=0.5, centre=(10, 10)))
    grid = Grid.over(corners, (200, 200))
    assert grid is not None

    found, covered, true = places(corners, grid)

    assert (covered > 0).sum() > 50
    assert np.abs(found - true)[covered > 0].max() < 0.01


def test_of_a_turned_head_the_nearer_surface_is_shown() -> None:
    corners = skirted(frontal(yaw=60))
    grid = Grid.over(corners, (220, 220))
    assert grid is not None
    local = grid.local(corners)
    # The third value is the distance itself: the one shown must be the least of all that lie at a place.
    depth = (local[:, 2] - local[:, 2].min()) / np.ptp(local[:, 2])
    values = np.column_stack([np.zeros((len(local), 2)), depth]).astype(np.float32)

    found, covered = rasterise(local, values, (grid.columns, grid.rows))

    x, y = np.rint(local[:468, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < grid.columns) & (y < grid.rows)
    seen = inside & (covered[y.clip(0, grid.rows - 1), x.clip(0, grid.columns - 1)] > 0)
    # A vertex lies between cells: the nearest that its neighbours show.
    nearest = np.asarray(cv2.erode(np.where(covered > 0, found[..., 2], 1), np.ones((3, 3), np.uint8)))
    shown = nearest[y[seen], x[seen]]
    assert (shown <= depth[:468][seen] + 0.02).all()
    assert (shown < depth[:468][seen] - 0.1).any(), "nothing was hidden, so nothing was tested"


def test_bands_together_are_the_whole() -> None:
    grid = Grid(3, 5, 3, 40, 50)
    cells = np.random.default_rng(0).random((50, 40, 3)).astype(np.float32)
    whole = next(grid.bands(1 << 30)).enlarge(cells)

    parts = list(grid.bands(40 * 9 * 7))

    assert len(parts) > 5
    assert whole.shape == (150, 120, 3)
    assert np.allclose(np.concatenate([b.enlarge(cells) for b in parts]), whole, atol=1e-6)
    assert [b.y for b in parts[:2]] == [5, 5 + 7 * 3]


def test_normals_point_at_the_viewer_and_to_the_sides() -> None:
    found = normals(skirted(frontal()))

    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-4)
    assert found[9, 2] < -0.8, "between the eyebrows"
    assert found[454, 0] > 0.5, "the left cheek"
    assert found[234, 0] < -0.5, "the right cheek"


def test_several_threads_draw_the_same() -> None:
    corners = skirted(frontal())
    grid = Grid.over(corners, (220, 220))
    assert grid is not None
    first = places(corners, grid)[0]
    results: list[bool] = []

    def work() -> None:
        for _ in range(20):
            results.append(np.array_equal(places(corners, grid)[0], first))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [True] * 80
