"""Films whose encoder or disk fails at a chosen moment; everything else of them is real."""

from collections.abc import Set
from pathlib import Path
from typing import Any

import av

from faceswapd.core.settings import Size
from faceswapd.sinks.video import VideoSink


class Failing:
    """An open stream whose encoder gives up after `good` frames, as when its driver went away."""

    def __init__(self, stream: Any, good: int) -> None:
        self._stream, self._good = stream, good

    def encode(self, picture: Any) -> Any:
        if self._good <= 0:
            raise av.ExternalError(542398533, "Generic error in an external library")
        self._good -= 1
        return self._stream.encode(picture)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class FragileFilm(VideoSink):
    """A film whose encoder works for so many frames as come first in `good`, which is used up; else for ever."""

    def __init__(self, *args: Any, good: list[int], **options: Any) -> None:
        super().__init__(*args, **options)
        self._good = good

    def open(self) -> None:
        super().open()
        if self._good:
            self._stream = Failing(self._stream, self._good.pop(0))  # type: ignore[assignment]


class Studio:
    """Makes films; the first ones have encoders that fail after so many frames."""

    def __init__(self, size: Size, fps: float, *good: int) -> None:
        self._size, self._fps, self._good = size, fps, list(good)

    def __call__(self, path: Path, encoder: str, without: Set[str]) -> VideoSink:
        return FragileFilm(path, self._size, self._fps, encoder=encoder, without=without, good=self._good)
