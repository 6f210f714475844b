"""The one capture thread: reads a source at its own rate and hands its frames over."""

import random
import threading
from collections.abc import Callable

import structlog

from ..core.clock import Clock
from ..core.errors import BusyError, DeviceLostError, MissingInputError, NoDeviceError
from ..core.frame import Frame
from ..core.meter import Meter
from .source import EndOfSource, Shot, Source

log = structlog.get_logger(__name__)

STALL_NS = 1_000_000_000
"""A film that is later than this has stalled as a whole: it goes on where it was, on a new time base."""
BACK_OFF_S = (0.25, 2.0)
"""First and longest wait between two tries to reopen a lost device, each taken by 0.75 to 1.25 of itself."""


def _nothing(*_: object) -> None:
    """The observer that is not there."""


class Pump:
    """Reads `source` on a thread of its own and calls `offer` with each frame.

    A paced source is played at its own rate: every frame has an absolute deadline, counted from the
    first one, and a frame that is later than its own duration is skipped (`dropped{late}`) as long as
    skipping catches up, so a stall is never followed by a burst. Frames keep counting the source's
    pictures in `seq`. With `pace=False` frames come as fast as they are read.

    `offer` and the observers are called in the capture thread and must not block:
    `on_end(error)` once, when the source is finished (None) or has failed, not after `stop`;
    with `reopen`, `on_lost(error)` and `on_found()` around the absence of a device, which is then
    opened again and again until it is back. Without it a lost device ends the pump.
    """

    def __init__(
        self,
        source: Source,
        offer: Callable[[Frame], None],
        clock: Clock,
        meter: Meter,
        *,
        pace: bool = True,
        reopen: bool = False,
        on_end: Callable[[BaseException | None], None] = _nothing,
        on_lost: Callable[[DeviceLostError], None] = _nothing,
        on_found: Callable[[], None] = _nothing,
    ) -> None:
        self._source = source
        self._offer = offer
        self._clock = clock
        self._meter = meter
        self._pace = pace
        self._reopen = reopen
        self._on_end, self._on_lost, self._on_found = on_end, on_lost, on_found
        self._stop = threading.Event()
        self._opened = threading.Event()
        self._refused: BaseException | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="capture", daemon=True)
        self._seq = 0
        self._base_ns: int | None = None
        self._late_ns = 0

    def start(self) -> bool:
        """Starts the thread and blocks until the source is open (a camera may take seconds, a desktop's dialog
        as long as its user does); False if it was abandoned before.

        Raises what `Source.open` raised; there is nothing to stop then.
        """
        self._thread.start()
        self._opened.wait()
        if self._refused is not None:
            raise self._refused
        return not self._stop.is_set()

    def abandon(self) -> None:
        """In another thread: `start` waits no longer. A source that opens later is closed at once."""
        self._stop.set()
        self._opened.set()

    def stop(self, deadline_s: float = 3.0) -> None:
        """Ends the thread and closes the source; safe to call again, and after the end.

        Raises the error that ended the pump, once; or DeviceLostError when the source does not come
        back from a read within `deadline_s` (the thread is a daemon: the process can still end).
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if self._thread.is_alive():
            raise DeviceLostError(
                f"{self._source.name} does not answer", f"not closed after {deadline_s:g} s"
            )
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _main(self) -> None:
        try:
            self._source.open()
        except BaseException as error:  # noqa: BLE001 - `start` raises it in its caller's thread
            self._refused = error
            return
        finally:
            self._opened.set()
        ended: BaseException | None = None
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - `stop` raises it in its caller's thread
            self._error = ended = error
        if not self._stop.is_set():
            self._on_end(ended)

    def _run(self) -> None:
        is_open = True
        try:
            while not self._stop.is_set():
                try:
                    self._next()
                except EndOfSource:
                    return
                except DeviceLostError as error:
                    if not self._reopen:
                        raise
                    self._source.close()
                    is_open = False
                    log.warning("source.lost", source=self._source.name, error=str(error))
                    self._on_lost(error)
                    if not (is_open := self._open_again()):
                        return
                    log.info("source.found", source=self._source.name)
                    self._on_found()
        finally:
            if is_open:
                self._source.close()

    def _next(self) -> None:
        shot = self._source.read()
        seq, self._seq = self._seq, self._seq + 1
        if self._pace and self._source.paced and not self._on_time(shot):
            return
        if not self._stop.is_set():
            now_ns = self._clock.now_ns()
            frame = Frame(seq, now_ns, shot.pixels, shot.pts_s)
            if shot.age_s is not None:  # what the source took is the first part of the latency
                taken_ns = now_ns - round(shot.age_s * 1e9)
                frame = Frame(seq, taken_ns, shot.pixels, shot.pts_s, (("source", now_ns),))
            self._offer(frame)

    def _on_time(self, shot: Shot) -> bool:
        """Waits until the shot's time; False when it has passed and the shot is to be skipped."""
        if shot.pts_s is None:
            return True
        now_ns, pts_ns = self._clock.now_ns(), round(shot.pts_s * 1e9)
        if self._base_ns is None:
            self._base_ns = now_ns - pts_ns
        before_ns, self._late_ns = self._late_ns, max(0, now_ns - self._base_ns - pts_ns)
        if self._late_ns <= 1e9 / self._source.fps:
            self._late_ns = 0
            self._clock.wait(self._stop, self._base_ns + pts_ns)
            return True
        if self._late_ns > STALL_NS or 0 < before_ns <= self._late_ns:
            # Reading is slower than the film, or stood still: skipping more would only show less.
            self._base_ns, self._late_ns = now_ns - pts_ns, 0
            return True
        self._meter.count("dropped", "late")
        return False

    def _open_again(self) -> bool:
        """Tries until the device is back (True) or the pump is stopped (False)."""
        wait_s, longest_s = BACK_OFF_S
        while not self._clock.wait(
            self._stop, self._clock.now_ns() + round(wait_s * random.uniform(0.75, 1.25) * 1e9)
        ):
            try:
                self._source.open()
            except (NoDeviceError, BusyError, MissingInputError) as error:
                log.debug("source.still_lost", source=self._source.name, error=str(error))
                wait_s = min(2 * wait_s, longest_s)
            else:
                self._base_ns = None
                return True
        return False
