"""Ctrl-C while threads share their locks."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from films import make_film
from interruptions import LOST, interrupted_everywhere, threads_left
from pipewire_session import wait_until
from test_film_job import QUICK, NoFace

from faceswapd.core.meter import Meter
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.interruption import ENDS, Interruption, Stopping
from faceswapd.daemon.studio import Studio
from faceswapd.inference.pool import Pool
from faceswapd.processors.chain import Chain
from faceswapd.trust.disclosure import Disclosure


class EndedError(Exception):
    """What the usual handler raises."""


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    def handler(number: int, _frame: Any) -> None:
        raise EndedError(number)

    before = {number: signal.signal(number, handler) for number in ENDS}
    yield
    assert signal.getsignal(signal.SIGINT) is handler, "it is put back"
    for number, old in before.items():
        signal.signal(number, old)


def interrupted(over: list[int], *numbers: int, obeys: bool = True) -> None:
    with Interruption() as interruption:
        interruption.obey()
        for number in numbers:
            over.append(len(over))
            signal.raise_signal(number)
        over.append(len(over))
        if obeys:
            interruption.obey()
            over.append(len(over))


@pytest.mark.parametrize("obeys", [True, False])
@pytest.mark.parametrize("number", ENDS)
def test_a_signal_is_kept_back_until_it_is_asked_for_or_the_end(number: int, obeys: bool) -> None:
    over = list[int]()
    with pytest.raises(EndedError, match=str(int(number))):
        interrupted(over, number, obeys=obeys)
    assert over == [0, 1]


def test_it_comes_once() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(EndedError):
            interruption.obey()
        interruption.obey()


def test_whoever_insists_is_obeyed_at_once() -> None:
    over = list[int]()
    with pytest.raises(EndedError):
        interrupted(over, *[signal.SIGINT] * 5)
    assert over == [0, 1, 2]


@pytest.mark.parametrize("at", ["inner", "leaving", "outer"])
def test_one_within_another_obeys_for_both(at: str) -> None:
    over = list[str]()

    def both() -> None:
        with Interruption() as outer:
            with Interruption() as inner:
                signal.raise_signal(signal.SIGINT)
                over.append("kept")
                if at == "inner":
                    inner.obey()
                over.append("leaves")
            over.append("left")
            signal.raise_signal(signal.SIGINT)
            outer.obey()

    def one_after_another() -> None:
        with Interruption() as outer:
            with Interruption():
                over.append("kept")
            signal.raise_signal(signal.SIGINT)
            over.append("leaves")
            outer.obey()

    with pytest.raises(EndedError):
        (one_after_another if at == "outer" else both)()
    assert over == (["kept"] if at == "inner" else ["kept", "leaves"])


def test_whoever_insists_within_two_is_obeyed_as_soon_as_within_one() -> None:
    over = list[int]()

    def insist() -> None:
        with Interruption(), Interruption():
            for n in range(5):
                signal.raise_signal(signal.SIGINT)
                over.append(n)

    with pytest.raises(EndedError):
        insist()
    assert over == [0, 1]


def test_what_is_not_handled_by_python_stays() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)
        with Interruption():
            patch.undo()
            with pytest.raises(EndedError):
                signal.raise_signal(signal.SIGINT)


def test_in_another_thread_it_leaves_signals_alone() -> None:
    def elsewhere() -> None:
        with Interruption() as interruption:
            interruption.obey()
            found.append(signal.getsignal(signal.SIGINT))

    found: list[Any] = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings(LOST)
def test_ctrl_c_at_any_instruction_ends_a_film_with_drawn_frames_and_its_threads(tmp_path: Path) -> None:
    source, over = make_film(tmp_path / "a.mp4", 6), 0
    options, number = msgspec.structs.replace(QUICK, interpolate=Fraction(60)), count()

    def film() -> None:
        pool, target = Pool("drawing", 2), tmp_path / f"{next(number)}.mp4"
        studio = Studio(Chain(), pool, Disclosure(), NoFace)
        try:
            FilmJob(source, target, studio, options, Meter()).run()
        finally:
            trace = sys.gettrace()
            sys.settrace(None)  # the end of the pool is the house's
            pool.close()
            wait_until(lambda: not threads_left("drawing", "offline"))
            sys.settrace(trace)

    for interrupted in interrupted_everywhere(film, 40):
        over += interrupted
    assert over


ENDING = """
import signal
from faceswapd.daemon.interruption import Stopping
times = iter([10.0, 10.1, 10.9, 11.0])
with Stopping(lambda: next(times)) as stopping:
    stopping.call(lambda: print("told", flush=True))
    for _ in range(9):
        signal.raise_signal(signal.SIGTERM)
"""


def test_a_daemon_is_told_of_each_signal_and_of_one_that_came_before_it_could_be() -> None:
    told = list[str]()
    with Stopping() as stopping:
        signal.raise_signal(signal.SIGTERM)
        stopping.call(lambda: told.append("told"))
        assert told == ["told"]
        signal.raise_signal(signal.SIGINT)

    assert told == ["told", "told"]
    with pytest.raises(EndedError):
        signal.raise_signal(signal.SIGTERM)


def test_whoever_insists_on_the_end_of_a_daemon_is_obeyed_by_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout == "told\n" * 4
    assert done.returncode != 0
    assert done.returncode == -signal.SIGTERM or sys.platform == "win32"


def test_what_is_to_be_ignored_ends_no_daemon() -> None:
    told = list[str]()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the fixture puts it back
    with Stopping() as stopping:
        stopping.call(lambda: told.append("told"))
        signal.raise_signal(signal.SIGTERM)

    assert not told
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_in_another_thread_a_daemon_leaves_signals_alone() -> None:
    found = list[object]()

    def within() -> None:
        with Stopping():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=within)
    thread.start()
    thread.join()

    assert found == [signal.getsignal(signal.SIGINT)]
