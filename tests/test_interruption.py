"""Ctrl-C while threads share their locks."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from faceswapd.daemon.interruption import Interruption


class EndedError(Exception):
    """What the usual handler raises."""


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    def handler(number: int, _frame: Any) -> None:
        raise EndedError(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
