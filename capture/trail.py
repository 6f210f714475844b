"""Where a decoder was when it failed, so that another one goes on after the last frame that it gave."""

from collections.abc import Iterator

from av.video.frame import VideoFrame


class Trail:
    """The frames that were given out."""

    def __init__(self, begin: int | None) -> None:
        """`begin`: what was sought before the first one, in ticks; None for the film's beginning."""
        self._begin = begin
        self.frames = 0
        self._last: int | None = None
        self._key: int | None = None
        self._since_key = 0

    def add(self, frame: VideoFrame) -> None:
        """One more."""
        self.frames += 1
        self._last = frame.pts
        self._since_key += 1
        if frame.key_frame and frame.pts is not None:
            self._key, self._since_key = frame.pts, 1

    def ways(self) -> Iterator[int | None]:
        """Where to begin again: near by, and if the frames are not found there, where the first decoder began."""
        if self._key is not None:
            yield self._key
        yield self._begin

    def passed(self, frames: Iterator[VideoFrame], begin: int | None) -> bool:
        """Takes those off that were given out already; False if they are not there as they were."""
        if begin is not None and begin == self._key:
            # Of frames before a key frame some may come that cannot be decoded from it on.
            last = next((f for f in frames if f.key_frame and f.pts == self._key), None)
            count = self._since_key - 1
        else:
            last, count = None, self.frames
        if self.frames == 0:
            return True
        for _ in range(count):
            last = next(frames, None)
        return last is not None and last.pts == self._last
