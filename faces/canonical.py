"""The canonical face of MediaPipe: a neutral head in centimetres with its triangles and texture coordinates."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.frame import Points


@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """Geometry of the 468 face vertices; the ten iris points of a tracked mesh (468 to 477) are no part of it."""

    xyz: Points
    """468 x 3, cm; x to the face's left, y up, z towards the viewer."""
    uv: Points
    """468 x 2, texture coordinates in [0, 1], v downwards: the forehead is at 0.11, the chin at 0.95."""
    triangles: NDArray[np.int32]
    """898 x 3 vertex indices."""
    rigid: NDArray[np.int32]
    """33 vertices that expressions move least, for head pose (MediaPipe's Procrustes basis)."""
    rigid_weights: Points
    """Their weights."""


@lru_cache(maxsize=1)
def canonical() -> Canonical:
    """The bundled canonical face (Apache-2.0, see inference/weights/NOTICE); read-only arrays."""
    with np.load(Path(__file__).with_name("canonical_face.npz")) as data:
        face = Canonical(
            xyz=data["xyz"].astype(np.float32),
            uv=data["uv"].astype(np.float32),
            triangles=data["tri"].astype(np.int32),
            rigid=data["basis_id"].astype(np.int32),
            rigid_weights=data["basis_w"].astype(np.float32),
        )
    for array in (face.xyz, face.uv, face.triangles, face.rigid, face.rigid_weights):
        array.flags.writeable = False
    return face
