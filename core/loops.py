"""A word to an event loop from another thread."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def tell(
    loop: asyncio.AbstractEventLoop, what: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs
) -> bool:
    """Has the loop call `what` soon; for any thread. False if the loop is closed: nobody is there any more.

    A thread outlives the loop when it hangs in a driver, or still has a word to say at the end.
    """
    try:
        loop.call_soon_threadsafe(lambda: what(*args, **kwargs))
    except RuntimeError:
        if loop.is_closed():
            return False
        raise
    return True
