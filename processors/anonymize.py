"""Makes every face unrecognisable: blurred, pixelated, covered, or drawn anew as a mask that moves with it."""

import math
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from msgspec import Meta

from ..core.frame import Pixels, Points
from ..core.params import Params
from ..core.settings import Size
from ..faces import masks
from ..faces.face import Face
from ..faces.paste import paste
from .drawn_mask import SKIN, draw, fill
from .processor import Effect, Picture, Render, Workshop

Mode = Literal["blur", "pixelate", "fill", "mesh"]

MOST_CELLS, FEWEST_CELLS = 8.0, 3.0
"""Cells across a face at strength 0 and 1. How weak a blur may be is a matter of the face's size, not of pixels:
a blur of 20 pixels hides a face of 60 and leaves one of 600 as it is. Tests hold the weakest setting to a likeness
(cosine of a face embedding) that strangers have too. Averages still say something to whoever compares them with
pictures of a few known persons: only fill and mesh carry no pixel of the face."""
HELD_GROWTH = 1.2
"""A face that was lost may be elsewhere: its cover grows by so many of its own half-widths a second."""
CROWN = 1.0
"""How much farther the cover reaches above the face, where the hair is, as a multiple of the margin."""
GREY = (96, 96, 96)
_FOREHEAD, _CHIN = 10, 152


class AnonymizeParams(Params, frozen=True):
    """What can be set while it runs."""

    mode: Annotated[
        Mode,
        Meta(description="Blur, pixelate, fill (one colour) or mesh (a drawn mask with the expression)."),
    ] = "blur"
    strength: Annotated[
        float,
        Meta(ge=0, le=1, description="How little blur and pixelate leave of a face.",
             extra_json_schema={"step": 0.05}),
    ] = 0.5  # fmt: skip
    margin: Annotated[
        float,
        Meta(ge=0.1, le=1, description="How far it reaches beyond the face, by the face's half width.",
             extra_json_schema={"step": 0.05}),
    ] = 0.35  # fmt: skip


class Anonymize:
    """Covers every face, also those that were lost a moment ago."""

    name: ClassVar[str] = "anonymize"
    help: ClassVar[str] = "Makes every face unrecognisable."
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = True
    every_face: ClassVar[bool] = True
    params_type = AnonymizeParams

    def __init__(self, workshop: Workshop) -> None:
        del workshop

    def prepare(self, params: AnonymizeParams) -> Render:
        """Ready at once; raises nothing."""
        return lambda picture: _render(picture, params)


def cells(strength: float) -> float:
    """How many averages across a face blur and pixelate leave of it."""
    return float(MOST_CELLS * (FEWEST_CELLS / MOST_CELLS) ** strength)


def outline(face: Face, margin: float) -> Points:
    """N x 2: the convex line around all that is covered of a face, in frame pixels."""
    points = face.points[:, :2]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    up = points[_FOREHEAD] - points[_CHIN]
    up = up / max(float(np.hypot(*up)), 1e-6)
    grow = margin + HELD_GROWTH * face.held_ns / 1e9
    away = cv2.convexHull(np.ascontiguousarray(points))[:, 0] - middle
    higher = np.maximum(away @ up, 0)[:, None] * up
    return np.asarray(middle + away * (1 + grow) + higher * (CROWN * grow), np.float32)


def _render(picture: Picture, params: AnonymizeParams) -> Picture:
    done = [face.id for face in picture.faces if _cover(picture.pixels, face, params)]
    if not done:
        return picture
    return replace(picture, effect=picture.effect | Effect.ANONYMIZED, treated=picture.treated.union(done))


def _cover(pixels: Pixels, face: Face, params: AnonymizeParams) -> bool:
    """Covers one face in place; False when nobody can say where it is."""
    if not np.isfinite(face.points).all():
        return False
    line = outline(face, params.margin)
    # A head's size whichever way it is turned: in profile a face is narrow, and no less known for it.
    size = 0.85 * float(np.ptp(face.points[:, :2], axis=0).max())
    cell = max(1.0, size / cells(params.strength))
    match params.mode:
        case "blur":
            # The edge fades within the outer half of the margin, never over the face itself.
            _blur(pixels, line, cell, params.margin * size / 4)
        case "pixelate":
            _pixelate(pixels, line, cell, face.box[:2])
        case "fill":
            fill(pixels, line, GREY)
        case "mesh":
            fill(pixels, line, SKIN)
            draw(pixels, face.points)
    return True


def _blur(pixels: Pixels, line: Points, cell: float, soft: float) -> None:
    """Averages over cells, made smooth: what a cell has averaged no filter brings back."""
    height, width = pixels.shape[:2]
    x0, y0 = np.clip(np.floor(line.min(axis=0) - soft), 0, (width, height)).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(line.max(axis=0) + soft) + 1, 0, (width, height)).astype(int).tolist()
    if x1 <= x0 or y1 <= y0:
        return
    under = pixels[y0:y1, x0:x1]
    full = (x1 - x0, y1 - y0)
    size = (max(1, round(full[0] / cell)), max(1, round(full[1] / cell)))
    small = cv2.GaussianBlur(_averaged(under, size), (3, 3), 0.8)
    # The opacity has no details, so it is drawn small.
    shrink = max(1.0, cell / 8)
    size = (max(1, round(full[0] / shrink)), max(1, round(full[1] / shrink)))
    scale = np.array((size[0] / full[0], size[1] / full[1]), np.float32)
    mask = np.zeros((size[1], size[0]), np.uint8)
    masks.fill(mask, (line - np.array((x0, y0), np.float32) + 0.5) * scale - 0.5)
    mask = masks.feathered(mask, soft * float(scale[0]))
    paste(pixels, x0, y0, cv2.resize(small, full, interpolation=cv2.INTER_CUBIC), cv2.resize(mask, full))


def _averaged(pixels: Pixels, size: Size) -> Pixels:
    """The picture in `size` (width, height), each pixel an average; when it shrinks by much, a few pixels at the
    right and lower edge are not looked at, for whole factors are averaged several times faster."""
    h, w = pixels.shape[0] // 4, pixels.shape[1] // 4
    if w > 4 * size[0] and h > 4 * size[1]:
        pixels = np.asarray(
            cv2.resize(pixels[: 4 * h, : 4 * w], (w, h), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _pixelate(pixels: Pixels, line: Points, cell: float, origin: Points) -> None:
    """Averages over cells that move with the face: under a grid that stands still, a face that moves would show
    a bit more of itself in every frame. Every cell that the line touches is covered as a whole."""
    height, width = pixels.shape[:2]
    # Sizes in steps of a tenth, or the grid would breathe with the landmarks.
    side = max(2, round(1.1 ** round(math.log(cell) / math.log(1.1))))
    origin = np.rint(origin)
    first = np.floor((line.min(axis=0) - origin) / side)
    columns, rows = (np.floor((line.max(axis=0) - origin) / side) - first + 1).astype(int).tolist()
    left, top = (origin + first * side).astype(int).tolist()
    x0, y0, x1, y1 = (
        max(left, 0),
        max(top, 0),
        min(left + columns * side, width),
        min(top + rows * side, height),
    )
    if x1 <= x0 or y1 <= y0:
        return
    under = pixels[y0:y1, x0:x1]
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    edges = (y0 - top, top + rows * side - y1, x0 - left, left + columns * side - x1)
    padded = cv2.copyMakeBorder(under, *edges, cv2.BORDER_REPLICATE) if any(edges) else under
    small = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    mask = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(mask, [np.floor((line - (left, top)) / side).astype(np.int32)], (255,))
    size = (columns * side, rows * side)
    large, covered = (cv2.resize(a, size, interpolation=cv2.INTER_NEAREST) for a in (small, mask))
    cv2.copyTo(large[part], covered[part], under)
