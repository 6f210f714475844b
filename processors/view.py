"""How the whole picture lies in the frame: mirrored, flipped, turned, cut and enlarged."""

from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from msgspec import Meta

from ..core.frame import Matrix, Pixels
from ..core.params import Params
from ..core.settings import Size
from .processor import Picture, Render, Workshop

_TURNS = {
    "90": cv2.ROTATE_90_CLOCKWISE,
    "180": cv2.ROTATE_180,
    "270": cv2.ROTATE_90_COUNTERCLOCKWISE,
}


class ViewParams(Params, frozen=True):
    """The order is: turn, mirror, flip, then cut out the window that zoom and pan name."""

    mirror: Annotated[bool, Meta(description="Left and right change places, as in a mirror.")] = False
    flip: Annotated[bool, Meta(description="Up and down change places.")] = False
    rotate: Annotated[
        Literal["0", "90", "180", "270"],
        Meta(description="Turned clockwise, with borders where the shape changes.",
             extra_json_schema={"unit": "degrees"}),
    ] = "0"  # fmt: skip
    zoom: Annotated[
        float, Meta(ge=1, le=8, description="How many times larger.", extra_json_schema={"step": 0.1})
    ] = 1.0
    x: Annotated[
        float,
        Meta(ge=0, le=1, description="Where the window lies from left to right; needs a zoom.",
             extra_json_schema={"step": 0.05}),
    ] = 0.5  # fmt: skip
    y: Annotated[
        float,
        Meta(ge=0, le=1, description="Where the window lies from top to bottom; needs a zoom.",
             extra_json_schema={"step": 0.05}),
    ] = 0.5  # fmt: skip
    crop: Annotated[
        bool, Meta(description="Fills the frame instead of leaving borders beside a turned picture.")
    ] = False


def matrix(params: ViewParams, size: Size) -> Matrix:
    """The 2x3 affine from a frame of `size` (width, height) into the view of the same size. Pure."""
    w, h = size
    # About the picture's middle, so that every part is a plain product.
    whole = np.eye(3)
    turn = int(params.rotate)
    if turn:
        c, s = ((0, 1), (-1, 0), (0, -1))[turn // 90 - 1]
        whole = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], float)
        if turn != 180:
            pick = max if params.crop else min
            fit = pick(w / h, h / w)
            whole = np.diag([fit, fit, 1]) @ whole
    whole = np.diag([-1.0 if params.mirror else 1.0, -1.0 if params.flip else 1.0, 1.0]) @ whole
    zoom = params.zoom
    pan = np.eye(3)
    pan[0, 2] = (0.5 - params.x) * w * (1 - 1 / zoom)
    pan[1, 2] = (0.5 - params.y) * h * (1 - 1 / zoom)
    whole = np.diag([zoom, zoom, 1]) @ pan @ whole
    middle = np.eye(3)
    middle[:2, 2] = (w - 1) / 2, (h - 1) / 2
    return np.asarray((middle @ whole @ np.linalg.inv(middle))[:2], np.float32)


class View:
    """Mirror, flip, turn, cut and zoom; the size of the frame stays. Faces move along."""

    name: ClassVar[str] = "view"
    help: ClassVar[str] = "Mirrors, flips, turns and zooms the picture."
    needs_faces: ClassVar[bool] = False
    hides_face: ClassVar[bool] = False
    every_face: ClassVar[bool] = False
    params_type = ViewParams

    def __init__(self, workshop: Workshop) -> None:
        del workshop

    def prepare(self, params: ViewParams) -> Render:
        """Ready at once; raises nothing."""

        def render(picture: Picture) -> Picture:
            h, w = picture.pixels.shape[:2]
            to_view = matrix(params, (w, h))
            pixels = _moved(picture.pixels, params, to_view)
            if pixels is picture.pixels:
                return picture
            faces = tuple(face.moved(to_view) for face in picture.faces)
            return Picture(pixels, faces, picture.effect, picture.treated, picture.spared)

        return render


def _moved(pixels: Pixels, params: ViewParams, to_view: Matrix) -> Pixels:
    h, w = pixels.shape[:2]
    if params.zoom == 1 and (params.rotate in ("0", "180") or w == h):
        # Every pixel lands on a pixel: exact, and cheaper than interpolating.
        if params.rotate != "0":
            pixels = np.asarray(cv2.rotate(pixels, _TURNS[params.rotate]), np.uint8)
        if params.mirror or params.flip:
            code = -1 if params.mirror and params.flip else int(params.mirror)
            pixels = np.asarray(cv2.flip(pixels, code), np.uint8)
        return pixels
    return np.asarray(cv2.warpAffine(pixels, to_view, (w, h), flags=cv2.INTER_LINEAR), np.uint8)
