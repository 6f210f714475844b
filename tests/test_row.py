"""Work side by side, handed out in its order; and Ctrl-C at any instruction of whoever waits for it."""

import argparse
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from interruptions import LOST, interrupted_everywhere, threads_left
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


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings(LOST)
def test_ctrl_c_at_any_instruction_leaves_no_thread_behind() -> None:
    over = 0
    for interrupted in interrupted_everywhere(lambda: list(outcomes([lambda: 1] * 5)), 150):
        over += interrupted
        assert threads_left("row ", "picture ") == []
    assert over


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings(LOST)
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
        assert threads_left("row ", "picture ") == []
        for path in out.rglob("*"):
            assert (np.asarray(cv2.imread(str(path))) == 255 - int(path.stem)).all()
            path.unlink()
    assert over
