"""A hand-off of one item from a thread to the event loop: the newest wins."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from .loops import tell

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds at most one item. `offer` is for any thread, `take` for one task of the loop it was made in."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, dropped: Callable[[T], None] = lambda _: None
    ) -> None:
        self._loop = loop
        self._dropped = dropped
        self._lock = threading.Lock()
        self._item: T | None = None
        self._ended = False
        self._full = asyncio.Event()

    def offer(self, item: T) -> None:
        """Puts an item in; one that still waits there is dropped, and reported to `dropped`.

        The loop is woken only when the slot was empty: a slow consumer is not called twice.
        """
        with self._lock:
            waiting, self._item = self._item, item
        if waiting is None:
            self._wake()
        else:
            self._dropped(waiting)

    def end(self) -> None:
        """No more items will come: `take` returns what is left, then None."""
        self._ended = True
        self._wake()

    async def take(self) -> T | None:
        """Waits for an item; None once the slot has ended and is empty."""
        while True:
            with self._lock:
                item, self._item = self._item, None
                self._full.clear()
            if item is not None:
                return item
            if self._ended:
                return None
            await self._full.wait()

    def _wake(self) -> None:
        if not tell(self._loop, self._full.set):
            self._ended = True
