"""What a user must know of the latency: by how much the microphone of a call is to be delayed."""

import msgspec

from ..core.events import Stats
from ..core.meter import RECENT_S


class Delay(msgspec.Struct, frozen=True):
    """How late the picture is now, in ms. The field names are an interface: `--json` prints them."""

    delay_ms: float
    """The median: what the sound is to be delayed by."""
    p99_ms: float
    source_ms: float | None
    """The camera's part of it; None where the camera does not tell, and it comes on top."""


def delay(stats: Stats) -> Delay | None:
    """The delay now; None if no picture was shown lately."""
    now = stats.latency_ms
    if not now.p50:
        return None
    source = stats.stages_ms.get("source")
    return Delay(now.p50, now.p99, None if source is None else source.p50)


def words(now: Delay | None) -> str:
    """The same for people."""
    if now is None:
        return f"no live picture was shown in the last {RECENT_S} s"
    part = (
        "the camera's own part is not known: what it takes comes on top"
        if now.source_ms is None
        else f"the camera's own part of it is {now.source_ms:.0f} ms"
    )
    return (
        f"delay your microphone by {now.delay_ms:.0f} ms in a call or in OBS: the picture is that late"
        f" (99 of 100 pictures of the last {RECENT_S} s within {now.p99_ms:.0f} ms; {part})"
    )
