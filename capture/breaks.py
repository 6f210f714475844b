"""The times of a stream that its file does not tell well: a clock that jumps, as in transport streams that were cut,
joined or interrupted; an order of decoding in place of times, as in AVI."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

BACK_S = Fraction(1, 10)
"""A step back by more than this is another clock, not disorder."""
GAP_S = Fraction(60)
"""A step forward by more than this is one too: a film must not stand still for hours."""
_DISCONTINUOUS = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT."""


def jumps(container: InputContainer) -> bool:
    """Its kind of film may have more than one clock, none of which means anything: broadcasts, discs."""
    return bool(int(container.format.flags) & _DISCONTINUOUS)


def breaks(container: InputContainer, stream: VideoStream) -> tuple[Fraction, ...]:
    """For each jump of the clock, in order: the seconds that are added from there on, so that pictures go on as if
    there was none. Reads the film to its end. May raise FFmpegError."""
    base: Any = stream.time_base
    step = 1 / Fraction(stream.guessed_rate or 25) / base
    shifts: list[Fraction] = []
    last: int | None = None
    end, shift = Fraction(0), Fraction(0)
    for packet in _packets(container, stream):
        if packet.dts is None:
            continue
        begin = packet.dts if packet.pts is None else packet.pts
        if last is not None and not -BACK_S <= (packet.dts - last) * base <= GAP_S:
            # A key frame opens what comes: what is shown before it cannot be decoded.
            shift = end - begin
            shifts.append(shift * base)
            end = Fraction(0)
        last, end = packet.dts, max(end, begin + shift + (packet.duration or step))
    return tuple(shifts)


def _packets(container: InputContainer, stream: VideoStream) -> "Iterator[Packet[Any]]":
    try:
        yield from container.demux(stream)
    except IndexError:  # see `decode.decoded`
        return


class Believed:
    """What of a decoded frame's two times is believed: when it is shown, until that has gone back more often than
    when it was decoded. AVI knows only the latter, and what FFmpeg makes of it for films with B-frames goes to and
    fro, while the frames themselves come in the order they are shown."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._faults = {"pts": 0, "dts": 0}

    def of(self, pts: int | None, dts: int | None) -> int | None:
        """The time of the next frame; None where it has none."""
        for name, ticks in (("pts", pts), ("dts", dts)):
            if ticks is not None:
                self._faults[name] += name in self._last and ticks <= self._last[name]
                self._last[name] = ticks
        if pts is None or (dts is not None and self._faults["pts"] > self._faults["dts"]):
            return dts
        return pts


class Unbroken:
    """The times of one stream's packets or frames, with the jumps taken out. They come in order, from the beginning."""

    def __init__(self, shifts: Sequence[Fraction], time_base: Any) -> None:
        """`shifts` as `breaks` found them; `time_base` is the stream's."""
        base = Fraction(time_base)
        self._shifts = [0, *(round(shift / base) for shift in shifts)]
        self._back, self._gap = -BACK_S / base, GAP_S / base
        self._last: int | None = None
        self._at = 0

    def at(self, ticks: int) -> int:
        """When it is shown, in ticks too."""
        last, self._last = self._last, ticks
        if last is not None and not self._back <= ticks - last <= self._gap:
            expected = last + self._shifts[self._at]
            # A stream may have a pause of its own: it goes over to the clock by which it goes on best.
            self._at = min(
                range(self._at, len(self._shifts)), key=lambda n: abs(ticks + self._shifts[n] - expected)
            )
        return ticks + self._shifts[self._at]
