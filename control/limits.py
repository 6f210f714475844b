"""How often somebody may come: pure arithmetic on times that are given."""


class Bucket:
    """A token bucket: `burst` at once, `rate` a second in the long run."""

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = now_s

    def take(self, now_s: float, amount: float = 1) -> bool:
        """Takes from the bucket; False, and nothing taken, when it holds less."""
        self._left = min(self._burst, self._left + (now_s - self._at) * self._rate)
        self._at = now_s
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Backoff:
    """How long a failed attempt waits for its answer: doubles with each, forgotten after a quiet minute."""

    def __init__(self, first_s: float = 0.25, most_s: float = 8.0, forget_s: float = 60.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._forget_s = forget_s
        self._failed = 0
        self._at = 0.0

    def failed(self, now_s: float) -> float:
        """Counts a failure; returns the seconds to wait."""
        if now_s - self._at > self._forget_s:
            self._failed = 0
        self._at = now_s
        wait: float = min(self._most_s, self._first_s * 2 ** min(self._failed, 16))
        self._failed += 1
        return wait
