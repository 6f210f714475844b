"""Decoded frames as the rest of the house sees pictures: BGR, upright, with square pixels."""

import threading
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ..core.frame import Pixels

TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
UNSAID, BT709 = 2, 1
"""FFmpeg's numbers of colour matrices: AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT709."""
HD = 720
"""From this height on, what nobody said is BT.709 by convention; below it is BT.601."""


class Upright:
    """Turns decoded frames into pictures. Any thread may call, but one at a time for the same frame.

    Each thread has a scaler of its own, which works in that thread alone: frames are converted side by side, and
    a scaler made anew for every frame would start as many threads as there are cores each time.
    """

    def __init__(self) -> None:
        self._threads = threading.local()

    def __call__(self, frame: VideoFrame, aspect: Fraction | None = None) -> Pixels:
        """BGR, by the frame's own colour matrix and range, turned as it says, its pixels (`aspect`) made square."""
        options: dict[str, Any] = {}
        if int(frame.colorspace) == UNSAID and frame.height >= HD and not frame.format.is_rgb:
            options["src_colorspace"] = BT709
        if aspect and aspect != 1:
            options["width"] = 2 * round(frame.width * aspect / 2)
        pixels: Any = self._scaler.reformat(frame, format="bgr24", threads=1, **options).to_ndarray()
        turn = TURNS.get(round(frame.rotation / 90) * 90 % 360)
        return np.ascontiguousarray(pixels if turn is None else cv2.rotate(pixels, turn))

    @property
    def _scaler(self) -> VideoReformatter:
        if not hasattr(self._threads, "scaler"):
            self._threads.scaler = VideoReformatter()
        scaler: VideoReformatter = self._threads.scaler
        return scaler
