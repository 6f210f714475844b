"""Where a face's five points lie in the crops that networks were trained on, and the affines that lead there.

The five points are ArcFace's: the eye on the left of the picture, the one on its right, the tip of the nose, the
two corners of the mouth. A template is in parts of the crop's side; pixel = part x side.
"""

from types import MappingProxyType

import numpy as np

from ..core.frame import Matrix, Points
from .align import ARCFACE_112, similarity


def _shifted(side: int, margin: float) -> Points:
    """ArcFace's template in a crop that is wider than 112 pixels, by `margin` on its left."""
    return np.asarray((ARCFACE_112 + np.array([margin, 0], np.float32)) / side, np.float32)


def _parts(*xy: float) -> Points:
    return np.array(xy, np.float32).reshape(5, 2)


TEMPLATES = MappingProxyType(
    {
        "arcface_112_v1": _parts(
            0.35473214, 0.45658929, 0.64526786, 0.45658929, 0.5, 0.61154464,
            0.37913393, 0.776875, 0.62086607, 0.776875,
        ),
        "arcface_112_v2": _shifted(112, 0.0),
        "arcface_128": _shifted(128, 8.0),
        "dfl_whole_face": _parts(
            0.35342266, 0.39285716, 0.62797622, 0.39285716, 0.48660713, 0.5401786,
            0.38839287, 0.68750011, 0.59821427, 0.68750011,
        ),
        "ffhq_512": _parts(
            0.37691676, 0.46864664, 0.62285697, 0.46912813, 0.50123859, 0.61331904,
            0.39308822, 0.725411, 0.61150205, 0.72490465,
        ),
        "mtcnn_512": _parts(
            0.36562865, 0.46733799, 0.63305391, 0.46585885, 0.50019127, 0.61942959,
            0.39032951, 0.77598822, 0.61178945, 0.77476328,
        ),
    }
)  # fmt: skip
"""{name: 5 x 2}. The names, and all but ArcFace's own numbers, are those of facefusion's warp templates."""
for _template in TEMPLATES.values():
    _template.flags.writeable = False


def crop_matrix(five: Points, template: str, side: int) -> Matrix:
    """The 2x3 affine, frame -> crop of `side` x `side`, that lays five points (5 x 2) nearest to a template."""
    return similarity(five, TEMPLATES[template] * np.float32(side))
