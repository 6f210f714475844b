"""From one face's mesh to another's: which place of a texture each pixel of a face shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points
from .canonical import canonical
from .masks import FACE_OVAL, Mask

VERTICES = 468
"""Of the face's surface; a tracked mesh has ten iris points more, which are no corners of triangles."""
SKIRT = 0.16
"""How far the skirt reaches beyond the oval, as a part of the distance from the face's middle."""


@lru_cache(maxsize=1)
def triangles() -> NDArray[np.int32]:
    """970 x 3, read-only: the face's surface and around it the skirt, whose 36 vertices follow the face's 468."""
    inner = np.array(FACE_OVAL, np.int32)
    outer = VERTICES + np.arange(len(inner), dtype=np.int32)
    ring = np.concatenate([
        np.stack([inner, np.roll(inner, -1), outer], axis=1),
        np.stack([np.roll(inner, -1), np.roll(outer, -1), outer], axis=1),
    ])  # fmt: skip
    found = np.ascontiguousarray(np.concatenate([canonical().triangles, ring]), np.int32)
    found.flags.writeable = False
    return found


def skirted(points: Points, width: float = SKIRT) -> Points:
    """504 x C: the surface of a 478-point mesh (468 or 478 x C) with a skirt, room for a soft edge outside of it."""
    surface = np.asarray(points[:VERTICES], np.float32)
    oval = surface[list(FACE_OVAL)]
    return np.concatenate([surface, oval + np.float32(width) * (oval - oval.mean(axis=0))])


@dataclass(frozen=True, slots=True)
class Grid:
    """A lattice of square cells over the part of a frame that holds a face: the map is found at its resolution.

    Between the corners of the mesh the map is linear, so cells of a few pixels lose nothing that can be seen, and
    the work for a face does not grow with its size.
    """

    x: int
    """Left edge, frame pixels."""
    y: int
    """Upper edge, frame pixels."""
    cell: int
    """Side of a cell in frame pixels."""
    columns: int
    rows: int

    @classmethod
    def over(cls, points: Points, size: tuple[int, int], finest: int = 128) -> "Grid | None":
        """The grid over N x 2+ frame points, cut at the frame of `size` (width, height).

        finest: at most about so many cells along the longer side. None when nothing of the face is in
        the frame, or when a point is not a number.
        """
        if not np.isfinite(points).all():
            return None
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        x0, y0 = np.maximum(np.floor(low), 0)
        x1, y1 = np.minimum(np.ceil(high) + 1, size)
        if x1 <= x0 or y1 <= y0:
            return None
        cell = int(max(1, np.ceil(max(x1 - x0, y1 - y0) / finest)))
        return cls(int(x0), int(y0), cell, int(-(-(x1 - x0) // cell)), int(-(-(y1 - y0) // cell)))

    def local(self, points: Points) -> Points:
        """Frame points (N x 2 or 3) in cells; the centre of the first cell is at 0. z keeps its proportion."""
        found = np.asarray(points, np.float32) / np.float32(self.cell)
        found[:, :2] += (np.float32(0.5) - np.array([self.x, self.y], np.float32)) / self.cell - np.float32(
            0.5
        )
        return np.asarray(found)

    @property
    def pixels(self) -> tuple[int, int]:
        """(width, height) of the whole grid in frame pixels; the last cells may reach over the frame's border."""
        return self.columns * self.cell, self.rows * self.cell

    def bands(self, limit: int = 1 << 17) -> "Iterator[Band]":
        """The grid from top to bottom in parts of about `limit` pixels, which stay in the processor's cache."""
        step = max(1, limit // (self.columns * self.cell * self.cell))
        for row in range(0, self.rows, step):
            yield Band(self, row, min(row + step, self.rows))


@dataclass(frozen=True, slots=True)
class Band:
    """Some rows of a grid, from `first` up to `end`."""

    grid: Grid
    first: int
    end: int

    @property
    def y(self) -> int:
        """The upper edge, frame pixels."""
        return self.grid.y + self.first * self.grid.cell

    def enlarge(self, cells: NDArray[Any]) -> NDArray[Any]:
        """What is known for each cell of the whole grid, for each pixel of this band; linear between the cells."""
        cell = self.grid.cell
        # A row more on either side, for the pixels between the centres of cells.
        above, below = max(self.first - 1, 0), min(self.end + 1, self.grid.rows)
        found = cv2.resize(cells[above:below], (self.grid.pixels[0], (below - above) * cell))
        return found[(self.first - above) * cell : (self.end - above) * cell]


def rasterise(local: Points, values: Points, size: tuple[int, int]) -> tuple[Points, Mask]:
    """Draws the skirted mesh, nearest surface in front: what a turned nose hides stays hidden.

    local: 504 x 3, in cells of the grid, z growing away from the viewer. values: 504 x 3 in [0, 1], given to the
    corners and interpolated between them. size: (columns, rows).

    Returns rows x columns x 3 float32, zero where there is no face; and 255 where there is one.
    """
    columns, rows = size
    half = rows / 2
    z = local[:, 2]
    # The camera looks from so far away that depth orders surfaces without moving them: 1 to 1.001 of the distance.
    depth = 1 + (z - z.min()) * np.float32(1e-3 / max(float(np.ptp(z)), 1e-6))
    corners = np.empty((len(local), 3), np.float32)
    corners[:, 0] = (local[:, 0] + 0.5 - columns / 2) / half * depth
    corners[:, 1] = (local[:, 1] + 0.5 - half) / -half * depth
    corners[:, 2] = -depth
    settings = cv2.TriangleRasterizeSettings()
    settings.setCullingMode(cv2.RASTERIZE_CULLING_CW)
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    picture, nearest = cv2.triangleRasterize(
        corners, triangles(), np.ascontiguousarray(values, np.float32),
        np.zeros((rows, columns, 3), np.float32), np.full((rows, columns), 2.0, np.float32),
        _UPRIGHT, np.pi / 2, 0.5, 2.0, settings,
    )  # fmt: skip
    return np.asarray(picture), np.asarray(cv2.inRange(nearest, (0.0,), (1.5,)), np.uint8)


def normals(points: Points) -> Points:
    """504 x 3 unit vectors out of the skirted surface (504 x 3, any space with z growing away from the viewer)."""
    # Coordinates first: numpy works on long rows, and np.cross alone would take longer than all of this.
    corners = np.ascontiguousarray(points.T)[:, triangles().T]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # An index beyond the last triangle stands for none.
    flat = np.zeros((3, len(triangles()) + 1), np.float32)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        flat[i, :-1] = a[j] * b[k] - a[k] * b[j]
    found = flat[:, _around()].sum(axis=1)
    return np.asarray((found / np.maximum(np.sqrt((found * found).sum(axis=0)), 1e-9)).T, np.float32)


@lru_cache(maxsize=1)
def _around() -> NDArray[np.intp]:
    """most x 504: the triangles around each vertex, filled up with an index beyond the last one."""
    lists: list[list[int]] = [[] for _ in range(int(triangles().max()) + 1)]
    for number, corners in enumerate(triangles().tolist()):
        for corner in corners:
            lists[corner].append(number)
    most = max(map(len, lists))
    return np.array([found + [len(triangles())] * (most - len(found)) for found in lists]).T.copy()


_UPRIGHT = np.eye(4, dtype=np.float32)
