"""Pictures as the numbers of a network, and back: channel order, mean, scale and the order of the axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.frame import Pixels
from .engine import Tensor

Three = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Coding:
    """number = (byte - mean) / scale, channel by channel in `order`."""

    order: Literal["RGB", "BGR"] = "RGB"
    mean: Three = (0.0, 0.0, 0.0)
    scale: Three = (255.0, 255.0, 255.0)
    axes: Literal["NCHW", "NHWC"] = "NCHW"

    def encode(self, pictures: Sequence[Pixels]) -> Tensor:
        """N pictures of one size (BGR, uint8) as one batch, float32."""
        height, width = pictures[0].shape[:2]
        planes = np.empty((len(pictures), 3, height, width), np.float32)
        for out, picture in zip(planes, pictures, strict=True):
            channels = cv2.split(picture)
            for i, channel in enumerate(channels[::-1] if self.order == "RGB" else channels):
                cv2.LUT(channel, self._table(i), out[i])
        return planes if self.axes == "NCHW" else np.ascontiguousarray(planes.transpose(0, 2, 3, 1))

    def decode(self, batch: Tensor) -> list[Pixels]:
        """The pictures of a batch (BGR, uint8): rounded, what lies outside 0 to 255 is cut off."""
        planes = batch if self.axes == "NCHW" else batch.transpose(0, 3, 1, 2)
        out = []
        for picture in planes:
            # Planes are converted and put together by OpenCV: a third of the time of numpy's transpose and clip.
            channels = [
                cv2.convertScaleAbs(np.maximum(plane, floor), alpha=scale, beta=mean)
                for plane, scale, mean, floor in zip(
                    picture, self.scale, self.mean, self._floors, strict=True
                )
            ]
            out.append(np.asarray(cv2.merge(channels[::-1] if self.order == "RGB" else channels), np.uint8))
        return out

    @property
    def _floors(self) -> list[np.float32]:
        """The number that is byte 0; below it an absolute value would turn dark into light."""
        return [np.float32(-m / s) for m, s in zip(self.mean, self.scale, strict=True)]

    def _table(self, channel: int) -> NDArray[np.float32]:
        bytes_ = np.arange(256, dtype=np.float32)
        return np.asarray(
            (bytes_ - np.float32(self.mean[channel])) / np.float32(self.scale[channel]), np.float32
        )


def _all(value: float) -> Three:
    return (value, value, value)


UNIT = Coding()
"""0 to 1."""
RAW = Coding(scale=_all(1.0))
"""0 to 255: the network itself subtracts and divides."""
RAW_BGR = Coding("BGR", scale=_all(1.0))
SIGNED = Coding(mean=_all(127.5), scale=_all(127.5))
"""-1 to 1."""
SIGNED_128 = Coding(mean=_all(127.5), scale=_all(128.0))
"""Not quite -1 to 1: the detectors of insightface."""
IMAGENET = Coding(mean=(0.485 * 255, 0.456 * 255, 0.406 * 255), scale=(0.229 * 255, 0.224 * 255, 0.225 * 255))
