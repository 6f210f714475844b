import asyncio
import threading
from collections.abc import Callable

from fakes import FakeSource, picture
from pipewire_session import wait_until

from faceswapd.core.clock import SystemClock
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.core.slot import Slot
from faceswapd.daemon.intake import Intake


class Asking(FakeSource):
    """A source that opens when its user has answered."""

    def __init__(self) -> None:
        super().__init__([picture(8, 8)] * 1000, fps=100.0)
        self.asked, self.answered = threading.Event(), threading.Event()

    def open(self) -> None:
        self.asked.set()
        assert self.answered.wait(20)
        super().open()


def after(end: Callable[[Intake, asyncio.Task[None]], object]) -> tuple[FakeSource, Asking]:
    """Two sources: one at work, one that was being opened when that happened, and the intake was ended."""
    first, second = FakeSource([picture(8, 8)] * 1000, fps=100.0), Asking()

    async def live() -> None:
        intake = Intake(Slot[Frame](asyncio.get_running_loop()), SystemClock(), Meter())
        await intake.start(first)
        choosing = asyncio.create_task(intake.start(second))
        await asyncio.to_thread(second.asked.wait, 20)
        end(intake, choosing)
        await intake.stop()
        await asyncio.wait([choosing])
        assert intake.source is first
        await intake.start(FakeSource([ZeroDivisionError()]))  # it is over: nothing is opened any more

    asyncio.run(live())
    return first, second


def test_the_end_does_not_wait_for_a_camera_that_is_being_chosen() -> None:
    """A desktop's dialog may stand for minutes, and the thread that waits for it would hold up the process."""
    first, second = after(lambda _, __: None)

    assert (first.log, second.log) == (["open", "close"], [])
    second.answered.set()
    wait_until(lambda: second.log == ["open", "close"])


def test_a_camera_that_nobody_waits_for_any_more_is_let_go() -> None:
    _, second = after(lambda _, choosing: choosing.cancel())

    assert second.log == []
    second.answered.set()
    wait_until(lambda: second.log == ["open", "close"])
