"""Presentation times made usable: from 0, never going back, whatever a container says."""

JUMP_S = 1.0
"""A step back by more than this is a new beginning (a wrapped counter, another programme), not disorder."""
GAP_S = 60.0
"""A step forward by more than this is one too: a film must not stand still for hours."""


class Timeline:
    """Turns the times of decoded frames into seconds since the first one."""

    def __init__(self) -> None:
        self._shift_s: float | None = None
        self._last_s: float | None = None
        self._pause_s: float | None = None

    def at(self, time_s: float | None, period_s: float) -> float:
        """The time of the next frame; `time_s` is the container's (None: unknown), `period_s` the usual step."""
        period_s, self._pause_s = self._pause_s or period_s, None
        expected_s = 0.0 if self._last_s is None else self._last_s + period_s
        if time_s is None:
            now_s = expected_s
        else:
            if self._shift_s is None or not -JUMP_S <= time_s + self._shift_s - expected_s <= GAP_S:
                self._shift_s = expected_s - time_s
            now_s = time_s + self._shift_s
        if self._last_s is not None and now_s <= self._last_s:
            # Twice the same time: between its neighbours, so that the right times after it stay right.
            now_s = self._last_s + period_s / 4
        self._last_s = now_s
        return now_s

    def restart(self, pause_s: float | None = None) -> None:
        """The film begins again: its first frame follows the last one by `pause_s`, or by a period."""
        self._shift_s, self._pause_s = None, pause_s
