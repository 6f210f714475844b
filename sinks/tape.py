"""The last moments of a film that is being encoded, in memory: the oldest ones make room."""

import heapq
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import Packet


@dataclass(frozen=True, slots=True)
class _Piece:
    """An encoded packet that nothing of the encoder hangs on."""

    data: bytes
    pts: int
    dts: int
    duration: int
    base: Fraction
    key: bool

    @property
    def at_s(self) -> float:
        return float(self.pts * self.base)

    @property
    def order_s(self) -> float:
        """When a player must have it."""
        return float(self.dts * self.base)

    def packet(self, stream: Any, begin_s: Fraction) -> "Packet[Any]":
        """The packet for a film that begins at this time."""
        shift = round(begin_s / self.base)
        packet = av.Packet(self.data)
        packet.pts, packet.dts, packet.duration = self.pts - shift, self.dts - shift, self.duration
        packet.time_base, packet.is_keyframe, packet.stream = self.base, self.key, stream
        return packet


class Tape:
    """Keeps the packets of the last `keep_s` seconds, from a key frame on. One thread puts, any may write."""

    def __init__(self, keep_s: float, fps: float, video: Any, sound: Any = None) -> None:
        """`video` and `sound` are the streams of an encoder: what is written takes its head from them."""
        self._keep_s, self._fps = keep_s, fps
        self._video, self._sound = video, sound
        self._lock = threading.Lock()
        self._shots: deque[list[_Piece]] = deque()  # each list begins with a key frame
        self._sounds: deque[_Piece] = deque()

    @property
    def filled(self) -> bool:
        """Whether there is anything to be written."""
        return bool(self._shots)

    @property
    def size(self) -> int:
        """In bytes."""
        with self._lock:
            pictures = sum(len(piece.data) for shots in self._shots for piece in shots)
            return pictures + sum(len(piece.data) for piece in self._sounds)

    def put_pictures(self, packets: "Iterable[Packet[Any]]") -> None:
        """Keeps encoded pictures; what is too old is forgotten."""
        for piece in _pieces(packets):
            with self._lock:
                if piece.key:
                    self._forget(piece.at_s - self._keep_s)
                    self._shots.append([])
                if self._shots:
                    self._shots[-1].append(piece)

    def put_sounds(self, packets: "Iterable[Packet[Any]]") -> None:
        """Keeps encoded sound."""
        pieces = list(_pieces(packets))
        with self._lock:
            self._sounds.extend(pieces)

    def write(self, path: Path, options: dict[str, str]) -> float:
        """Writes the last seconds as a film that begins at 0; returns its seconds.

        Raises OSError or av.FFmpegError when it cannot be written.
        """
        with self._lock:
            newest_s = self._shots[-1][-1].at_s
            begins_s = [shots[0].at_s for shots in self._shots]
            old = sum(at_s <= newest_s - self._keep_s for at_s in begins_s[1:])
            pictures = [piece for shots in list(self._shots)[old:] for piece in shots]
            sounds = list(self._sounds)
        begin_s = pictures[0].pts * pictures[0].base
        end_s = max(piece.at_s for piece in pictures) + 1 / self._fps
        sounds = [piece for piece in sounds if begin_s <= piece.at_s < end_s]
        with av.open(str(path), "w", options=options) as film:
            video = film.add_stream_from_template(self._video)
            sound = film.add_stream_from_template(self._sound) if sounds else None
            both = heapq.merge(
                ((piece, video) for piece in pictures),
                ((piece, sound) for piece in sounds),
                key=lambda each: each[0].order_s,
            )
            for piece, stream in both:
                film.mux(piece.packet(stream, begin_s))
        return end_s - float(begin_s)

    def _forget(self, before_s: float) -> None:
        while len(self._shots) > 1 and self._shots[1][0].at_s <= before_s:
            self._shots.popleft()
        while self._shots and self._sounds and self._sounds[0].at_s < self._shots[0][0].at_s:
            self._sounds.popleft()


def _pieces(packets: "Iterable[Packet[Any]]") -> Iterable[_Piece]:
    for packet in packets:
        if packet.pts is not None and packet.dts is not None and packet.size:
            yield _Piece(
                bytes(packet), packet.pts, packet.dts, packet.duration or 0, Fraction(packet.time_base),
                packet.is_keyframe,
            )  # fmt: skip
