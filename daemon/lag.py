"""How late the event loop is: a published number, for a late loop is a late frame."""

import asyncio

from ..core.clock import Clock
from ..core.meter import Meter

EVERY_S = 0.05
"""Between two looks: often enough to see a late loop, seldom enough to let a virtual machine's core sleep."""


async def watch_lag(meter: Meter, clock: Clock) -> None:
    """Sleeps 50 ms again and again and records by how much each sleep was overslept as `loop_lag`."""
    while True:
        due_ns = clock.now_ns() + round(EVERY_S * 1e9)
        await asyncio.sleep(EVERY_S)
        meter.time("loop_lag", max(0, clock.now_ns() - due_ns))
