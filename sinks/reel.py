"""The films of one recording: one after another, each safe against a crash."""

from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from ..core.errors import ConfigError, DeviceLostError, FaceswapdError, UsageError
from ..core.frame import Frame
from ..core.sound import Samples
from .encoders import CODECS, EncoderLostError
from .orphans import Journal, Mark

log = structlog.get_logger(__name__)


class Film(Protocol):
    """One file of a recording: `video.VideoSink`."""

    @property
    def name(self) -> str:
        """Its path."""

    @property
    def encoder(self) -> str:
        """The encoder at work."""

    @property
    def duration_s(self) -> float:
        """From its first frame to its last one so far."""

    @property
    def bytes_written(self) -> int:
        """Its size so far."""

    @property
    def unwritten(self) -> tuple[Frame, ...]:
        """What the encoder has taken and not given back."""

    def open(self) -> None:
        """Creates the file."""

    def put(self, frame: Frame) -> None:
        """Writes one frame; raises EncoderLostError or DeviceLostError."""

    def put_sound(self, samples: Samples, at_ns: int) -> None:
        """Writes sound, by the clock of the frames' `captured_ns`."""

    def close(self) -> None:
        """Finishes it."""


MakeFilm = Callable[[Path, str, Set[str]], Film]
"""(path, encoder wanted, encoders to leave out) -> a film, not open yet."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording is."""

    films: tuple[str, ...] = ()
    """Paths, the film that grows now last."""
    encoder: str = ""
    seconds: float = 0.0
    bytes_written: int = 0


class Reel:
    """The film that grows now, and those before it. One thread; `progress` is safe in any.

    The first film has the name that was asked for; those after it get a number: `talk.mp4`, `talk-2.mp4`.
    When an encoder fails, the frames that were inside it go to the next one, in the next film.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        make: MakeFilm,
        wanted: str,
        journal: Journal | None,
        notice: Callable[[str], None],
    ) -> None:
        self._path, self._fps = path, fps
        self._make, self._wanted = make, wanted
        self._journal, self._notice = journal, notice
        self._now: Film | None = None
        self._mark: Mark | None = None
        self._torn = False
        self._refused: set[str] = set()
        self._films: list[str] = []
        self._before = (0.0, 0)  # seconds and bytes of the films before this one
        self._encoder = ""
        self.begin_ns: int | None = None
        """When the first frame of the film of now was taken."""

    @property
    def running(self) -> bool:
        """Whether there is a film that can go on."""
        return self._now is not None and not self._torn

    @property
    def progress(self) -> Progress:
        """How far the recording is."""
        seconds, size = self._before
        film = self._now
        if film is not None:
            seconds, size = seconds + film.duration_s, size + film.bytes_written
        return Progress(tuple(self._films), self._encoder, seconds, size)

    def begin(self) -> None:
        """Opens the first film. Raises as `VideoSink.open`."""
        self._begin(self._path, (self._wanted,))

    def write(self, frame: Frame) -> None:
        """Writes one frame; if the encoder fails at it, into the next film.

        Raises DeviceLostError when it cannot be written, or no encoder is left.
        """
        waiting = deque([frame])
        while waiting:
            assert self._now is not None
            if self.begin_ns is None:
                self.begin_ns = waiting[0].captured_ns
            try:
                self._now.put(waiting[0])
            except EncoderLostError as error:
                waiting.popleft()
                waiting.extendleft(reversed(self._now.unwritten))
                self._replace_encoder(error)
            except FaceswapdError:
                self._torn = True
                raise
            else:
                waiting.popleft()

    def put_sound(self, samples: Samples, at_ns: int) -> None:
        """Writes sound into the film of now; before its first frame there is none."""
        if self._now is None or self.begin_ns is None:
            return
        try:
            self._now.put_sound(samples, at_ns)
        except FaceswapdError:
            self._torn = True
            raise

    def turn(self, wanted: tuple[str, ...] | None = None) -> None:
        """Finishes this film and begins the next one."""
        try:
            self.end()
        except DeviceLostError as error:  # it plays up to its last fragment; what comes now matters more
            log.warning("film.unfinished", film=self._films[-1], error=str(error))
        # A film whose encoder refused its first picture is gone: its name is free again.
        path = _next_name(self._path, len(self._films) + 1) if self._films else self._path
        self._begin(path, wanted or (self._wanted, "auto", *CODECS))

    def end(self) -> None:
        """Finishes the film of now, if there is one. Raises DeviceLostError when its end cannot be written."""
        film, self._now = self._now, None
        if film is None:
            return
        path = Path(film.name)
        try:
            film.close()
        except DeviceLostError:
            self._torn = True
            raise
        finally:
            self._account(film, path)

    def _replace_encoder(self, error: EncoderLostError) -> None:
        """The next film, by another encoder; the one that failed is not tried again in this recording."""
        assert self._now is not None
        self._refused.add(self._now.encoder)
        try:
            self.turn(("auto", *CODECS))
        except FaceswapdError as last:
            raise DeviceLostError(f"recording ended: {error.what}", last.what) from error
        self._notice(f"{error.what}: the recording goes on with {self._now.encoder} in {self._now.name}")

    def _begin(self, path: Path, wanted: tuple[str, ...]) -> None:
        """Opens a film with the first encoder that works, by the words of `wanted` in their order."""
        self._mark = self._journal.mark(path) if self._journal else None
        try:
            film = self._opened(path, wanted)
        except FaceswapdError:
            if self._mark is not None:
                self._mark.clear()
            raise
        self._now, self._torn, self.begin_ns = film, False, None
        self._films.append(film.name)
        self._encoder = film.encoder

    def _opened(self, path: Path, wanted: tuple[str, ...]) -> Film:
        refusals: list[FaceswapdError] = []
        for word in wanted:
            film = self._make(path, word, self._refused)
            try:
                film.open()
            except (ConfigError, UsageError) as error:
                refusals.append(error)
            else:
                return film
        raise refusals[0]

    def _account(self, film: Film, path: Path) -> None:
        seconds, size = self._before
        if path.exists():
            seconds, size = seconds + film.duration_s + 1 / self._fps, size + path.stat().st_size
        else:  # without a frame there is no film
            self._films.remove(film.name)
        self._before = (seconds, size)
        if self._mark is not None:
            if self._torn:
                self._mark.leave()
            else:
                self._mark.clear()


def _next_name(first: Path, number: int) -> Path:
    """`talk.mp4` -> `talk-2.mp4`, or the next number that is free."""
    while (path := first.with_name(f"{first.stem}-{number}{first.suffix}")).exists():
        number += 1
    return path
