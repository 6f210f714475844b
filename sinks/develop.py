"""Processed pictures as the encoder takes them; what the processors left alone is not converted at all."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from ..core.frame import Pixels, Points
from .encoders import matrix_of
from .segments import Print

_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
_SCALED = {1: 1, 4: 4, 5: 5, 6: 6, 7: 7, 9: 9, 10: 9}
"""The colour matrices that swscale computes, by ITU-T H.273's numbers."""
_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Of red and blue in brightness, for each of these matrices (ITU-T H.273, table 4)."""
_PLANES = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})
_MARGIN = 4
"""Pixels around a change that are converted with it, so that its border has right neighbours in colour."""
_BAND = 16
"""Lines that are compared at once, from above and from below."""
_MOST = 0.6
"""Of the picture: from this share on all of it is converted."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1."""


@dataclass(frozen=True, slots=True, eq=False)
class Grade:
    """For films of high dynamic range, whose processors see an ordinary picture."""

    raw: Callable[[VideoFrame], Pixels]
    """A decoded frame as BGR in the film's own codes."""
    restored: Callable[[Pixels], Points]
    """What was drawn into the ordinary picture, as BGR in the film's own codes, 0 to 1."""


class Developer:
    """Turns pictures into what the encoder takes. Any thread may call; each has its own scaler."""

    def __init__(self, print_: Print, *, plain: bool, grade: Grade | None = None) -> None:
        """`plain`: the film's pictures lie as the original's are stored, which then stand for what did not change.
        `grade`: the film keeps its high dynamic range, and only what changed goes the way back to it."""
        self._grade = grade
        self._print = print_
        self._plain = plain
        self._threads = threading.local()
        # What nobody said is taken as the reader took it: BT.709 from 720 lines on.
        self._matrix = _SCALED.get(print_.matrix, matrix_of(print_.size))
        self._to_planes = _to_planes(self._matrix)

    def develop(self, original: VideoFrame, before: Pixels, after: Pixels) -> VideoFrame:
        """`after` (BGR) in the encoder's format and the film's matrix, cut to its size.

        `before` is the picture as the processors got it, and `original` the frame that it was decoded from:
        where the two are equal the original's own numbers come out, with all its bits.
        """
        width, height = self._print.size
        if self._grade is not None and before.shape != after.shape:
            codes = self._grade.restored(after[:height, :width])
            return self._converted(np.rint(codes * 255).astype(np.uint8))
        if not self._plain or before.shape != after.shape:
            return self._converted(self._regraded(original, before, after)[:height, :width])
        box = None if after is before else changed(before, after)
        if box is None:
            return self._copy(original)
        x0, y0, x1, y1 = box
        known = original.format.name in _PLANES and self._print.encoder.pix_fmt in _PLANES
        if not known or (x1 - x0) * (y1 - y0) > _MOST * width * height:
            return self._converted(self._regraded(original, before, after))
        if self._grade is not None and "10" in self._print.encoder.pix_fmt:
            return self._graded(original, before, after, box)
        return self._patched(original, after, box)

    def _regraded(self, original: VideoFrame, before: Pixels, after: Pixels) -> Pixels:
        """`after` in the film's own codes, with 8 bits: what did not change as it was decoded."""
        if self._grade is None:
            return after
        pixels = self._grade.raw(original).copy()
        if after is not before and (box := changed(before, after)) is not None:
            x0, y0, x1, y1 = box
            part = np.s_[y0:y1, x0:x1]
            differs = covered(before[part], after[part]).astype(bool)
            pixels[part][differs] = np.rint(self._grade.restored(after[part]) * 255)[differs]
        return pixels

    def _graded(self, original: VideoFrame, before: Pixels, after: Pixels, box: Box) -> VideoFrame:
        """Ten bits: pixel by pixel what changed, all else with the numbers that came from the decoder."""
        assert self._grade is not None
        out = self._whole(self._copy(original))
        x0, y0, x1, y1 = box
        part = np.s_[y0:y1, x0:x1]
        differs = covered(before[part], after[part])
        full = cv2.transform(
            self._grade.restored(after[part]) * np.float32(255), self._to_planes
        ) * np.float32(4)
        size = ((x1 - x0) // 2, (y1 - y0) // 2)
        half = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
        # A colour stands for four pixels: it is new where one of them is.
        pairs = differs.reshape(size[1], 2, size[0], 2).max(axis=(1, 3))
        for channel, (plane, values, mask) in enumerate(
            zip(out.planes, (full, half, half), (differs, pairs, pairs), strict=True)
        ):
            shift = 0 if channel == 0 else 1
            canvas = _array(plane, deep=True)[y0 >> shift : y1 >> shift, x0 >> shift : x1 >> shift]
            np.copyto(canvas, np.rint(values[..., channel]).astype(np.uint16), where=mask.astype(bool))
        return out

    def _whole(self, picture: VideoFrame) -> VideoFrame:
        """A copy that may be drawn into: the decoder goes on predicting from its frames."""
        out = VideoFrame(picture.width, picture.height, picture.format.name)
        self._tag(out)
        deep = "10" in picture.format.name
        for from_, to in zip(picture.planes, out.planes, strict=True):
            np.copyto(_array(to, deep=deep), _array(from_, deep=deep))
        return out

    def pixels(self, picture: VideoFrame) -> Pixels:
        """A developed picture as BGR again."""
        image = self._scaler().reformat(
            picture,
            format="bgr24",
            src_colorspace=self._matrix,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_EXACT,
            threads=1,
        )
        return np.ascontiguousarray(image.to_ndarray(), np.uint8)

    def _converted(self, pixels: Pixels) -> VideoFrame:
        if self._print.encoder.pix_fmt == "yuv420p":
            return self._subsampled(pixels)
        return self._reformatted(
            VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), "bgr24"),
            dst_colorspace=self._matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )

    def _subsampled(self, pixels: Pixels) -> VideoFrame:
        """BGR of even size as planes, each colour the mean of four pixels: the way back from how decoded frames become
        BGR, where four pixels share a colour. Half of swscale's time; within a level of exact arithmetic."""
        height, width = pixels.shape[:2]
        full = np.asarray(cv2.transform(pixels, self._to_planes), np.uint8)
        half = np.asarray(cv2.resize(full, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        out = VideoFrame(width, height, "yuv420p")
        for channel, (plane, from_) in enumerate(zip(out.planes, (full, half, half), strict=True)):
            cv2.extractChannel(from_, channel, _array(plane, deep=False))
        self._tag(out)
        return out

    def _copy(self, image: VideoFrame) -> VideoFrame:
        """A decoded frame that nothing has changed, without a detour over RGB."""
        full = int(image.color_range) == ColorRange.JPEG.value or image.format.name.startswith("yuvj")
        return self._reformatted(
            image,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
        )

    def _patched(self, original: VideoFrame, pixels: Pixels, box: Box) -> VideoFrame:
        out = self._whole(self._copy(original))
        x0, y0, x1, y1 = box
        patch = self._converted(pixels[y0:y1, x0:x1])
        deep = "10" in out.format.name
        for plane, (to, new) in enumerate(zip(out.planes, patch.planes, strict=True)):
            half = 0 if plane == 0 else 1
            part = np.s_[y0 >> half : y1 >> half, x0 >> half : x1 >> half]
            _array(to, deep=deep)[part] = _array(new, deep=deep)
        return out

    def _reformatted(self, image: VideoFrame, **options: Any) -> VideoFrame:
        picture = self._scaler().reformat(
            image, format=self._print.encoder.pix_fmt, interpolation=_EXACT, threads=1, **options
        )
        self._tag(picture)
        return picture

    def _scaler(self) -> VideoReformatter:
        if not hasattr(self._threads, "scaler"):
            self._threads.scaler = VideoReformatter()
        scaler: VideoReformatter = self._threads.scaler
        return scaler

    def _tag(self, picture: VideoFrame) -> None:
        picture.color_range = ColorRange.MPEG.value
        picture.colorspace, picture.color_primaries = self._print.matrix, self._print.primaries
        picture.color_trc = self._print.transfer


def _to_planes(matrix: int) -> Points:
    """3 x 4: from columns B, G, R and 1 to limited-range Y', Cb and Cr (ITU-T H.273, equations 34 to 40)."""
    red, blue = _WEIGHTS[matrix]
    luma = np.array((blue, 1 - red - blue, red))
    cb = (np.array((1, 0, 0)) - luma) / (2 * (1 - blue))
    cr = (np.array((0, 0, 1)) - luma) / (2 * (1 - red))
    rows = np.array((luma * 219, cb * 224, cr * 224)) / 255
    return np.column_stack((rows, (16, 128, 128))).astype(np.float32)


def changed(before: Pixels, after: Pixels) -> Box | None:
    """The box around all that differs, with a margin, on even lines; None where nothing does."""
    height, width = before.shape[:2]
    y0, y1 = 0, height
    while y0 < height and _same(before[y0 : y0 + _BAND], after[y0 : y0 + _BAND]):
        y0 += _BAND
    if y0 >= height:
        return None
    while _same(before[max(y0, y1 - _BAND) : y1], after[max(y0, y1 - _BAND) : y1]):
        y1 -= _BAND
    old, new = (np.ascontiguousarray(p[y0:y1]).reshape(y1 - y0, width * 3) for p in (before, after))
    wide = 8 if width * 3 % 8 == 0 else 1  # bytes that are compared at once
    differs = old.view(f"u{wide}") != new.view(f"u{wide}")
    rows, words = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    first, last = (int(words[n]) * wide for n in (0, -1))
    first += int(
        np.flatnonzero((old[:, first : first + wide] != new[:, first : first + wide]).any(axis=0))[0]
    )
    last += int(np.flatnonzero((old[:, last : last + wide] != new[:, last : last + wide]).any(axis=0))[-1])
    return (
        max(0, first // 3 - _MARGIN) & ~1,
        max(0, y0 + int(rows[0]) - _MARGIN) & ~1,
        min(width & ~1, (last // 3 + 1 + _MARGIN + 1) & ~1),
        min(height & ~1, (y0 + int(rows[-1]) + 1 + _MARGIN + 1) & ~1),
    )


def _same(one: Pixels, other: Pixels) -> bool:
    return cv2.norm(one, other, cv2.NORM_INF) == 0


def covered(before: Pixels, after: Pixels) -> Pixels:
    """Where something was drawn: 1, else 0. All within the outline of what differs counts: where both pictures are
    white, the film may still show what was to be hidden, brighter than white. What lies no farther apart than the
    box is wide (or high) has one outline."""
    blue, green, red = cv2.split(cv2.absdiff(before, after))
    differs = np.asarray(
        cv2.threshold(cv2.max(cv2.max(blue, green), red), 0, 1, cv2.THRESH_BINARY)[1], np.uint8
    )
    edges, _ = cv2.findContours(differs, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = [np.asarray(edge, np.int32).reshape(-1, 2) for edge in edges]
    # What belongs together is found in a picture of an eighth.
    small = np.zeros((differs.shape[0] // 8 + 1, differs.shape[1] // 8 + 1), np.uint8)
    for edge in points:
        small[edge[:, 1] // 8, edge[:, 0] // 8] = 1
    reach = min(small.shape) | 1
    _, parts = cv2.connectedComponents(cv2.dilate(small, np.ones((reach, reach), np.uint8)))
    owners = [int(parts[edge[0, 1] // 8, edge[0, 0] // 8]) for edge in points]
    for n in set(owners):
        whole = np.concatenate([edge for edge, owner in zip(points, owners, strict=True) if owner == n])
        cv2.fillConvexPoly(differs, cv2.convexHull(whole), (1,))
    return differs


def _array(plane: Any, *, deep: bool) -> Any:
    """A plane's samples, height x width, without the padding of its lines."""
    wide = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return wide[:, : plane.width * 2].view(np.uint16) if deep else wide[:, : plane.width]
