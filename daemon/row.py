"""Work that is done side by side and handed out in its order."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from .crew import Task

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome(Generic[T]):
    """What a piece of work gave, or raised."""

    value: T | None = None
    error: Exception | None = None

    def result(self) -> T:
        """Raises what the work did."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class Row(Generic[T]):
    """What a `Crew` chooses from, one piece after another, and where it leaves the outcomes."""

    def __init__(self, works: Sequence[Callable[[], T]]) -> None:
        self.changed = threading.Condition()
        """Of the crew; held while the methods are called."""
        self._works = works
        self._begun = 0
        self._outcomes: dict[int, Outcome[T]] = {}

    def choose(self) -> Task | None:
        """The next piece; None when all are begun."""
        if self._begun == len(self._works):
            return None
        self._begun += 1
        return partial(self._do, self._begun - 1)

    def outcome(self, n: int) -> Outcome[T] | None:
        """Of the piece at place `n`, once; None while it is not done."""
        return self._outcomes.pop(n, None)

    def _do(self, n: int) -> None:
        outcome: Outcome[T]
        try:
            outcome = Outcome(self._works[n]())
        except Exception as error:  # noqa: BLE001 - it has its place in the order, and is raised there
            outcome = Outcome(error=error)
        with self.changed:
            self._outcomes[n] = outcome
            self.changed.notify_all()
