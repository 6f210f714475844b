"""Work side by side, handed out in its order; and Ctrl-C at any instruction of whoever waits for it."""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console
from test_film_job import step
from test_film_job import studio as studio

from faceswapd.daemon.crew import Crew
from faceswapd.daemon.jobs import plan
from faceswapd.daemon.process_options import add_process_options
from faceswapd.daemon.process_run import Run
from faceswapd.daemon.progress import Bar
from faceswapd.daemon.row import Row
from faceswapd.daemon.studio import Studio
from faceswapd.processors.chain import Chain
from faceswapd.processors.processor import Picture


def outcomes(works: list[Callable[[], int]], hands: int = 3) -> Iterator[int]:
    row = Row(works)
    with Crew("row", hands, row.choose, row.changed) as crew:
        for n in range(len(works)):
            yield crew.until(partial(row.outcome, n)).result()


@pytest.mark.parametrize("hands", [1, 2, 5])
def test_all_is_done_once_and_comes_in_its_order(hands: int) -> None:
    done = list[int]()

    def work(n: int) -> int:
        done.append(n)
        return n * n

    assert list(outcomes([partial(work, n) for n in range(30)], hands)) == [n * n for n in range(30)]
    assert sorted(done) == list(range(30))


def test_the_first_is_given_out_first_though_the_second_was_done_before() -> None:
    second = threading.Event()

    def first() -> int:
        assert second.wait(10)
        return 1

    def other() -> int:
        second.set()
        return 2

    assert list(outcomes([first, other])) == [1, 2]


def test_an_error_has_its_place_in_the_order_and_the_rest_is_done() -> None:
    def fails() -> int:
        raise ValueError("no")

    row = Row([lambda: 1, fails, lambda: 3])
    with Crew("row", 2, row.choose, row.changed) as crew:
        assert crew.until(partial(row.outcome, 0)).result() == 1
        with pytest.raises(ValueError, match="no"):
            crew.until(partial(row.outcome, 1)).result()
        assert crew.until(partial(row.outcome, 2)).result() == 3


def test_without_work_there_is_nothing() -> None:
    assert list(outcomes([])) == []


@contextmanager
def ctrl_c_after(instructions: int) -> Iterator[Callable[[], int]]:
    """SIGINT at the main thread's instruction of this number, of those of Python in the block; gives how many were
    left. A signal's handler runs between any two: no time after which it is sent would reach them all."""
    before, trace, left = (
        signal.signal(signal.SIGINT, signal.default_int_handler),
        sys.gettrace(),
        instructions,
    )

    def counted(frame: FrameType, _event: str, _arg: Any) -> Any:
        nonlocal left
        if "weakref" in frame.f_code.co_filename:  # what a callback of the interpreter raises is lost
            return None
        frame.f_trace_opcodes = True
        left -= 1
        if left == 0:
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return counted

    try:
        sys.settrace(counted)
        yield lambda: left
    finally:
        sys.settrace(trace)
        signal.signal(signal.SIGINT, before)


def interrupted_everywhere(work: Callable[[], object], times: int) -> Iterator[bool]:
    """Does it so many times, each time interrupted somewhere else, over all its length; gives whether it was."""
    with ctrl_c_after(1 << 60) as left:
        work()
        length = (1 << 60) - left()
    for n in range(times):
        try:
            with ctrl_c_after(1 + n * length // times):
                work()
        except KeyboardInterrupt:
            yield True
        else:
            yield False


def hands_left() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(("row ", "picture "))]


@pytest.mark.timeout(60)
def test_ctrl_c_at_any_instruction_leaves_no_thread_behind() -> None:
    over = 0
    for interrupted in interrupted_everywhere(lambda: list(outcomes([lambda: 1] * 5)), 150):
        over += interrupted
        assert hands_left() == []
    assert over


@pytest.mark.timeout(60)
def test_ctrl_c_at_any_instruction_leaves_every_picture_whole_or_absent(
    studio: Studio, tmp_path: Path
) -> None:
    def inverted(picture: Picture) -> Picture:
        picture.pixels[:] = 255 - picture.pixels
        return picture

    studio.chain = Chain((step(inverted),))
    (tmp_path / "in").mkdir()
    for n in range(5):
        cv2.imwrite(str(tmp_path / "in" / f"{n}.png"), np.full((8, 8, 3), n, np.uint8))
    out, over = tmp_path / "out", 0
    parser = argparse.ArgumentParser()
    add_process_options(parser)
    args = parser.parse_args([])

    def process() -> None:
        with Bar(Console(), quiet=True) as bar:
            Run(studio, args, bar, alone=False).all(plan([str(tmp_path / "in")], out, overwrite=True))

    for interrupted in interrupted_everywhere(process, 60):
        over += interrupted
        assert hands_left() == []
        for path in out.rglob("*"):
            assert (np.asarray(cv2.imread(str(path))) == 255 - int(path.stem)).all()
            path.unlink()
    assert over
