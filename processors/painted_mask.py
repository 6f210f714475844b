"""The painted mask: nobody's face, drawn by the project itself in the texture space of the mesh."""

import numpy as np

from ..faces.canonical import canonical
from ..faces.texture import Texture

_SIDE = 512


def painted_mask() -> Texture:
    """Draws it; the same on every machine."""
    picture = np.full((_SIDE, _SIDE, 4), 225, np.uint8)
    picture[..., 3] = 255
    return Texture.of_picture(picture, canonical().uv * np.float32(_SIDE) - np.float32(0.5), painted=True)
