"""Wears a face by its mesh: a photo, or the painted mask, bent over every tracked face."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import cv2
import numpy as np
from msgspec import Meta

from ..core.errors import BadInputError
from ..core.frame import Frame, Pixels, Points
from ..core.params import Params
from ..faces import colour, masks
from ..faces.face import Face
from ..faces.paste import paste
from ..faces.texture import Texture
from ..faces.warp import Grid, normals, rasterise, skirted
from .painted_mask import painted_mask
from .processor import Effect, Picture, Render, Workshop
from .wearer import WHO, KeepMouth, Opacity, Who, check_who, wearers

MASK = "mask"
"""The name of the painted mask among the faces."""


class MeshSwapParams(Params, frozen=True):
    """What can be set while it runs."""

    face: Annotated[
        str, Meta(description="The face to wear: a name from the library, or mask for the painted one.")
    ] = MASK
    faces: Annotated[Who, Meta(description=WHO)] = "all"
    opacity: Opacity = 1.0
    feather: Annotated[
        float,
        Meta(
            ge=0, le=0.3, description="How soft a photo's edge is, by the width of the face.",
            extra_json_schema={"step": 0.01},
        ),
    ] = 0.12  # fmt: skip
    colour: Annotated[
        float,
        Meta(
            ge=0, le=1, description="How far it takes on the colour and the light of the scene.",
            extra_json_schema={"step": 0.05},
        ),
    ] = 0.9  # fmt: skip
    keep_eyes: Annotated[bool, Meta(description="Leaves the wearer's own eyes.")] = True
    keep_mouth: KeepMouth = True


@dataclass(frozen=True, slots=True)
class _Worn:
    """One texture with one set of parameters: the Render of `MeshSwap`."""

    texture: Texture
    params: MeshSwapParams

    def __call__(self, picture: Picture) -> Picture:
        faces, left = wearers(picture.faces, self.params.faces)
        done = [face.id for face in faces if self._wear(picture.pixels, face)]
        return replace(
            picture,
            effect=picture.effect | Effect.SWAPPED if done else picture.effect,
            treated=picture.treated.union(done),
            spared=picture.spared.union(face.id for face in left),
        )

    def _wear(self, pixels: Pixels, face: Face) -> bool:
        """Draws it over one face in place; False when nothing of that face can be drawn on."""
        if face.score == 0:  # a detector's stand-in has no mesh of its own: it can be covered, not worn on
            return False
        corners = skirted(face.points)
        grid = Grid.over(corners, (pixels.shape[1], pixels.shape[0]))
        if grid is None:
            return False
        local = grid.local(corners)
        values = self.texture.values
        if self.texture.painted:
            values = np.column_stack([values[:, :2], shading(local)])
        where, covered = rasterise(local, values, (grid.columns, grid.rows))
        alpha = self._alpha(grid, face.points, covered)
        under = _cut(pixels, grid)
        gains = self._gains(under, where, alpha, grid, _height(local))

        level, size = self.texture.level(_height(face.points))
        scaled = cv2.merge([
            where[..., 0] * size[0] - 0.5,
            where[..., 1] * size[1] - 0.5,
            alpha.astype(np.float32),
        ])  # fmt: skip
        for band in grid.bands():
            map_x, map_y, soft = cv2.split(band.enlarge(scaled))
            worn = cv2.remap(level, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            opaque = cv2.multiply(cv2.extractChannel(worn, 3), soft, scale=1 / 255, dtype=cv2.CV_8U)
            bgr = cv2.cvtColor(worn, cv2.COLOR_BGRA2BGR)
            lit = cv2.multiply(bgr, band.enlarge(gains), dtype=cv2.CV_8U)
            paste(pixels, grid.x, band.y, lit, opaque)
        return True

    def _alpha(self, grid: Grid, points: Points, covered: masks.Mask) -> masks.Mask:
        """How much of it shows in each cell of the grid, before the texture's own transparency."""
        params = self.params
        local = grid.local(points)
        width = float(np.linalg.norm(local[234, :2] - local[454, :2]))
        alpha = covered
        # Where the surface ends in its own silhouette, it fades within its last two cells; beyond them the map
        # means nothing. A face of a few pixels has none to spare, and no cell of it lies between two pixels.
        if edge := min(2, int(_height(local) / 12)):
            alpha = np.asarray(cv2.erode(covered, _NEAR, iterations=edge, borderValue=255), np.uint8)
            alpha = np.asarray(cv2.blur(alpha, (3, 3)), np.uint8)
        if not self.texture.painted:
            soft = params.feather * width
            oval = masks.oval_mask(local, covered.shape, -0.02 - params.feather / 4, soft)
            alpha = np.asarray(cv2.min(alpha, oval), np.uint8)
        holes = np.zeros_like(covered)
        if params.keep_eyes:
            masks.fill(holes, masks.polygon(local, masks.LEFT_EYE))
            masks.fill(holes, masks.polygon(local, masks.RIGHT_EYE))
        if params.keep_mouth:
            masks.fill(holes, masks.polygon(local, masks.LIPS_INNER))
        holes = masks.feathered(holes, 0.025 * width)
        return np.asarray(cv2.multiply(alpha, cv2.bitwise_not(holes), scale=params.opacity / 255))

    def _gains(self, under: Pixels, where: Points, alpha: masks.Mask, grid: Grid, height: float) -> Points:
        """What each cell's colour is multiplied by, rows x columns x 3."""
        small = max(1, min(grid.columns, grid.rows) // 24)
        size = (-(-grid.columns // small), -(-grid.rows // small))
        # Sixteen samples of a field are mean enough, and take a seventh of the time that every pixel would.
        samples = cv2.resize(under, (4 * size[0], 4 * size[1]), interpolation=cv2.INTER_LINEAR)
        target = cv2.resize(samples, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        weight = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
        radius = 0.15 * height / small
        strength = self.params.colour
        if self.texture.painted:
            light = colour.lighting(target, weight, radius, strength)
            return np.asarray(cv2.resize(light, (grid.columns, grid.rows)) * (2 * where[..., 2:]))
        level, full = self.texture.level(height / small)
        coarse = cv2.resize(where, size, interpolation=cv2.INTER_AREA)
        source = cv2.remap(
            level, coarse[..., 0] * full[0] - 0.5, coarse[..., 1] * full[1] - 0.5,
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )[..., :3].astype(np.float32)  # fmt: skip
        gains = colour.matching(source, target, weight, radius, strength)
        return np.asarray(cv2.resize(gains, (grid.columns, grid.rows)))


def shading(points: Points) -> Points:
    """504 values in [0, 1], half of the gain that a light above the camera gives a smooth surface (504 x 3)."""
    facing = normals(points) @ _LIGHT
    return np.asarray(0.5 * (0.48 + 0.54 * np.clip(facing, 0, 1)), np.float32)


class MeshSwap:
    """The processor."""

    name: ClassVar[str] = "mesh_swap"
    help: ClassVar[str] = "Wears another face: a photo or a painted mask that follows every expression."
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = True
    every_face: ClassVar[bool] = False
    params_type = MeshSwapParams

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._last: tuple[Pixels, Texture] | None = None
        """The photo worn last and what was made of it: most changes are of other parameters."""

    def check(self, params: MeshSwapParams) -> None:
        """See `Checking`."""
        if params.face != MASK:
            self._workshop.wardrobe.photo(params.face)

    def prepare(self, params: MeshSwapParams) -> Render:
        """Finds the face in its photo. Raises what the wardrobe raises, ModelError, and BadInputError."""
        check_who(params.faces, self._workshop)
        if params.face == MASK:
            return _Worn(painted_mask(), params)
        return _Worn(self._texture(params.face), params)

    def _texture(self, name: str) -> Texture:
        photo = self._workshop.wardrobe.photo(name)  # each time: the consent may have ended
        last = self._last
        if last is not None and np.array_equal(last[0], photo):
            return last[1]
        faces = self._workshop.tracker().track(Frame(0, 0, photo), every_frame=False).faces
        if not faces:
            raise BadInputError(
                f"no face in the photo of {name!r}{self._workshop.looked}",
                "use one that shows a face from the front, well lit",
            )
        texture = Texture.of_photo(photo, max(faces, key=lambda face: face.area).points)
        self._last = (photo, texture)
        return texture


def _height(points: Points) -> float:
    """From the chin to the top of the forehead, which turning the head does not shorten."""
    return float(np.linalg.norm(points[10, :2] - points[152, :2]))


def _cut(pixels: Pixels, grid: Grid) -> Pixels:
    """The grid's part of a frame; where it reaches over the border, the border goes on."""
    width, height = grid.pixels
    part = pixels[grid.y : grid.y + height, grid.x : grid.x + width]
    below, right = height - part.shape[0], width - part.shape[1]
    if below or right:
        return np.asarray(cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REPLICATE))
    return part


_NEAR = np.ones((3, 3), np.uint8)
_LIGHT = np.array([0.0, -0.4, -0.92], np.float32)
