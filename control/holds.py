"""Push-to-mask: what is on only while somebody renews a lease. Pure; times are given."""

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Held:
    was_on: bool
    until_s: dict[Hashable, float] = field(default_factory=dict)


class Holds:
    """Who holds what, until when. The last one to let go brings back what was before the first."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def take(self, name: str, holder: Hashable, until_s: float, *, was_on: bool) -> None:
        """Begins or renews a lease; `was_on` counts when nobody holds it yet."""
        self._held.setdefault(name, _Held(was_on)).until_s[holder] = until_s

    def release(self, name: str, holder: Hashable) -> bool:
        """Ends a lease; True when it was the last one and the thing is to be turned off."""
        held = self._held.get(name)
        if held is None or held.until_s.pop(holder, None) is None or held.until_s:
            return False
        del self._held[name]
        return not held.was_on

    def gone(self, holder: Hashable) -> list[str]:
        """Ends all leases of a client that is gone; what is to be turned off."""
        return [name for name in tuple(self._held) if self.release(name, holder)]

    def expired(self, now_s: float) -> list[str]:
        """Ends the leases that were not renewed; what is to be turned off."""
        due = [
            (n, h) for n, held in self._held.items() for h, until in held.until_s.items() if until <= now_s
        ]
        return [name for name, holder in due if self.release(name, holder)]

    def forget(self, name: str) -> None:
        """Somebody said outright what it shall be: leases on it are void."""
        self._held.pop(name, None)

    def clear(self) -> None:
        """All leases are void."""
        self._held.clear()

    def next_s(self) -> float | None:
        """When the next lease ends."""
        return min((u for held in self._held.values() for u in held.until_s.values()), default=None)
