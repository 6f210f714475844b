"""One sink with its thread: opened, fed and closed there, by its own drop policy."""

import random
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from ..core.clock import Clock
from ..core.errors import FaceswapdError
from ..core.frame import Frame, Pixels
from ..core.meter import Meter
from .pacer import Pacer
from .sink import Sink, WhenFull

log = structlog.get_logger(__name__)

Failed = Callable[[Exception], None]
_KEPT_S = 2.0
_KEPT_BYTES = 384 << 20  # two seconds of 1080p at 30 fps; more would hurt the live picture by swapping
_WAITING = 4  # frames: enough that neither side of an offline job idles over a moment's difference
_RETRY_S = (0.25, 5.0)  # first and longest wait before a device is opened again


def capacity(when_full: WhenFull, fps: float, frame_bytes: int) -> int:
    """How many frames may wait for a sink."""
    if when_full is WhenFull.NEWEST:
        return 1
    if when_full is WhenFull.WAIT:
        return _WAITING
    return max(1, min(round(_KEPT_S * fps), _KEPT_BYTES // frame_bytes))


class Feed:
    """A sink, its thread and the frames that wait for it.

    `offer`, `show`, `start` and `stop` return at once and are safe in any thread; everything else of the
    sink happens in the feed's own thread, also the calls of `failed`, `recovered` and `room`.
    """

    primary = False
    """Its puts end the latency of a frame; set by the owner."""

    def __init__(
        self,
        sink: Sink,
        blank: Frame,
        fps: float,
        clock: Clock,
        meter: Meter,
        *,
        failed: Failed,
        recovered: Callable[[], None] = lambda: None,
        room: Callable[[], None] = lambda: None,
    ) -> None:
        self.sink = sink
        self.opened: Future[None] = Future()
        """Done when the sink is open; carries the error if it could not be opened."""
        self.closed: Future[None] = Future()
        """Done when the sink is closed, as the thread's last act; carries what the last `close` raised."""
        self._shown = blank
        self._fps = fps
        self._clock = clock
        self._meter = meter
        self._failed, self._recovered, self._room = failed, recovered, room
        self._capacity = capacity(sink.when_full, fps, blank.pixels.nbytes)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Frame, int]] = deque()
        self._fresh = threading.Event()  # frames wait, or the end is near
        self._stop = threading.Event()
        self._instead: Pixels | None = None
        # A driver may hang for ever in a write; the process must end all the same.
        self._thread = threading.Thread(target=self._run, name=f"sink {sink.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread, which opens the sink first."""
        for future in (self.opened, self.closed):  # a waiter that is cancelled must not cancel it
            future.set_running_or_notify_cancel()
        self._thread.start()

    def stop(self) -> None:
        """Lets the thread end: after what waits has been written, for a sink that keeps frames."""
        self._stop.set()
        self._fresh.set()
        self._room()

    def offer(self, frame: Frame) -> bool:
        """Hands a frame over. False when there is no room, and the producer should wait and try again."""
        policy = self.sink.when_full
        with self._lock:
            if len(self._waiting) < self._capacity:
                self._waiting.append((frame, self._clock.now_ns()))
            elif policy is WhenFull.NEWEST:
                self._waiting[0] = (frame, self._clock.now_ns())
                if self.primary:
                    self._meter.count("dropped", "superseded")
            elif policy is WhenFull.DROP:
                self._meter.count("dropped", "recorder_full")
            else:
                return False
            self._fresh.set()
        return True

    def show(self, pixels: Pixels | None) -> None:
        """Puts this picture in the place of every frame from the next put on, of those that wait too."""
        self._instead = pixels

    def reopens(self, error: Exception) -> bool:
        """Whether the sink is opened again after this error: a steady one is, unless it is a bug of ours."""
        return self.sink.steady and isinstance(error, FaceswapdError)

    def _take(self) -> tuple[Frame, int] | None:
        with self._lock:
            item = self._waiting.popleft() if self._waiting else None
            if not self._waiting and not self._stop.is_set():
                self._fresh.clear()
        if item:
            self._room()
        return item

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self.sink.open()
        except Exception as refused:  # noqa: BLE001 - it goes on in whoever started the feed
            self.opened.set_exception(refused)
        else:
            self.opened.set_result(None)
            try:
                self._live()
            except Exception as last:  # noqa: BLE001 - the future carries it
                error = last
        # Last: the process may end on it, and Python aborts if a daemon thread is still writing a line then.
        if error is None:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(error)

    def _live(self) -> None:
        """From the open sink to the closed one. Raises what the last `close` raises."""
        log.info("sink.opened", sink=self.sink.name)
        while not self._served():
            if not self._reopened():
                return
        try:
            self.sink.close()
        finally:
            log.info("sink.closed", sink=self.sink.name)

    def _served(self) -> bool:
        """Feeds the sink until the end; False if it must be opened again (it is closed then)."""
        try:
            if self.sink.steady:
                self._serve_steadily()
            else:
                self._serve()
        except Exception as error:  # noqa: BLE001 - a failing sink is its owner's affair, the others go on
            log.warning("sink.failed", sink=self.sink.name, error=str(error))
            self._failed(error)
            if not self.reopens(error):
                return True
            try:
                self.sink.close()
            except Exception as again:  # noqa: BLE001 - it is lost anyway
                log.debug("sink.close_failed", sink=self.sink.name, error=str(again))
            return False
        return True

    def _reopened(self) -> bool:
        """Opens a lost device again, however long it takes; False if the end came first."""
        wait_s, longest_s = _RETRY_S
        while not self._clock.wait(
            self._stop, self._clock.now_ns() + round(wait_s * random.uniform(0.5, 1.5) * 1e9)
        ):
            try:
                self.sink.open()
            except FaceswapdError as error:
                log.debug("sink.still_lost", sink=self.sink.name, error=str(error))
                wait_s = min(longest_s, 2 * wait_s)
            except Exception as bug:
                log.exception("sink.failed", sink=self.sink.name)
                self._failed(bug)
                return False
            else:
                log.info("sink.recovered", sink=self.sink.name)
                self._recovered()
                return True
        return False

    def _serve_steadily(self) -> None:
        pacer = Pacer(self._fps, self._clock.now_ns())
        while not self._clock.wait(self._stop, pacer.deadline_ns):
            self._clock.wait(self._fresh, pacer.latest_ns)
            item = self._take()
            frame, arrived_ns = item or (self._shown, None)
            if (late := pacer.tick(self._clock.now_ns(), arrived_ns)) > 0:
                self._meter.count("late_ticks", self.sink.name, late)
            if item is None:
                self._meter.count("repeated", self.sink.name)
            # What is repeated is what was shown: a picture from before `show` never comes back.
            self._shown = self._put(frame, repeated=item is None)

    def _serve(self) -> None:
        while True:
            self._fresh.wait()
            if self._stop.is_set() and self.sink.when_full is WhenFull.NEWEST:
                return
            if item := self._take():
                self._put(item[0])
            elif self._stop.is_set():
                return

    def _put(self, frame: Frame, *, repeated: bool = False) -> Frame:
        instead = self._instead
        if instead is not None:
            frame = frame.showing(instead) if frame.pixels is not instead else frame
        began_ns = self._clock.now_ns()
        if self.primary and instead is None and not repeated and frame.seq >= 0:
            self._meter.observe(frame.marked("handed", began_ns))
        self.sink.put(frame)
        self._meter.time(f"sink:{self.sink.name}", self._clock.now_ns() - began_ns)
        return frame
