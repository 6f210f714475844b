"""A microphone's sound brought onto the computer's clock: its own crystal is up to some 100 ppm off."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from ..core.sound import RATE, Block, Samples

_BANDWIDTH_HZ = 0.1  # of the loop: block times tremble by milliseconds, crystals drift over minutes
_TREMBLE_NS = 2_000_000  # no block pulls the loop by more: one that a busy machine delayed says little
_OFF = 1e-3  # no crystal is further off
_STEP_NS = 5_000_000  # an error of that size
_STEP_S = 0.25  # that stays for so long is no trembling: the device has lost samples, or given some twice
_GAP_NS = 1_000_000_000  # and one of this size needs no proof: a new stretch begins after it
_TAPS = 16
_PHASES = 4096


def _kernels() -> NDArray[np.float32]:
    """A low-pass of `_TAPS` for each fraction of a sample: sinc in a Kaiser window, sum 1."""
    fraction = np.arange(_PHASES)[:, None] / _PHASES
    at = np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1) - fraction
    inside = np.clip(1 - (at / (_TAPS / 2)) ** 2, 0, None)
    kernels = np.sinc(at) * np.i0(8.0 * np.sqrt(inside))
    return np.asarray(kernels / kernels.sum(1, keepdims=True), np.float32)


class Straightener:
    """Blocks of a device's samples in, exactly `rate` samples a second of our clock out.

    A delay-locked loop of second order smooths the times of the blocks and learns the device's true rate
    (F. Adriaensen, Using a DLL to filter time, 2005); the samples are then interpolated at our own ticks.
    What a device loses becomes silence of the same length, a second at most: after more the next stretch
    has its own time. What it gives twice is cut. Not safe for several threads.
    """

    def __init__(self, channels: int, rate: int = RATE) -> None:
        self._rate = rate
        self._kernels = _kernels()
        self._channels = channels
        self._step_ns = self._nominal_ns = 1e9 / rate  # of the device, as learnt and as it says
        self._before: deque[Block] = deque()  # the ends of earlier stretches, not taken yet
        self._begin()

    def _begin(self) -> None:
        """A stretch without long gaps; what was learnt of the crystal stays."""
        channels = self._channels
        self._off_s = 0.0  # for how long blocks have been off by a step
        self._next_ns: float | None = None  # when the next block begins, by the loop
        self._first_ns = 0  # of output sample 0
        self._made = 0  # output samples whose place in the input is known
        self._given = 0  # output samples that were taken
        self._input: Samples = np.zeros((_TAPS, channels), np.float32)
        self._places: NDArray[np.float64] = np.empty(0)  # of outputs that wait, in samples of `_input`
        self._ready: Samples = np.empty((0, channels), np.float32)

    def put(self, block: Block) -> None:
        """Adds what the device gave next."""
        count = len(block.samples)
        if not count:
            return
        if self._next_ns is not None and block.captured_ns - self._next_ns > _GAP_NS:
            self._before.append(Block(self._ready, self._ready_ns))
            self._begin()
        if self._next_ns is None:
            self._next_ns, self._first_ns = float(block.captured_ns), block.captured_ns
        error_ns = block.captured_ns - self._next_ns
        if error_ns < -_GAP_NS:  # the block is of the past
            return
        samples = self._mended(block.samples, error_ns)
        if not len(samples):
            return
        begin_ns = self._next_ns
        if samples is block.samples and self._off_s == 0:
            omega = math.tau * _BANDWIDTH_HZ * count * self._step_ns / 1e9
            pull_ns = max(-_TREMBLE_NS, min(_TREMBLE_NS, error_ns))
            self._next_ns += math.sqrt(2) * omega * pull_ns
            step_ns = self._step_ns + omega * omega * pull_ns / count
            self._step_ns = max(self._nominal_ns * (1 - _OFF), min(self._nominal_ns * (1 + _OFF), step_ns))
        self._next_ns += len(samples) * self._step_ns
        self._append(samples, begin_ns, self._next_ns)

    def _mended(self, samples: Samples, error_ns: float) -> Samples:
        """The samples of a block that fit in; before it, silence for what was lost."""
        assert self._next_ns is not None
        self._off_s = self._off_s + len(samples) / self._rate if abs(error_ns) > _STEP_NS else 0.0
        if self._off_s < _STEP_S:
            return samples
        self._off_s = 0.0
        if error_ns < 0:
            return samples[round(-error_ns / self._step_ns) :]
        silence = np.zeros((round(error_ns / self._step_ns), samples.shape[1]), np.float32)
        begin_ns = self._next_ns
        self._next_ns += len(silence) * self._step_ns
        self._append(silence, begin_ns, self._next_ns)
        return samples

    def take(self, until_ns: int) -> Block | None:
        """The samples before `until_ns` that were not taken yet, as far as they are there: one stretch."""
        while self._before:
            taken, rest = self._cut(self._before.popleft(), until_ns)
            if len(rest.samples):
                self._before.appendleft(rest)
            if len(taken.samples):
                return taken
            if len(rest.samples):
                return None
        taken, rest = self._cut(Block(self._ready, self._ready_ns), until_ns)
        self._ready = rest.samples
        self._given += len(taken.samples)
        return taken if len(taken.samples) else None

    def _cut(self, block: Block, until_ns: int) -> tuple[Block, Block]:
        """What is before this time, and the rest."""
        count = max(0, math.ceil((until_ns - block.captured_ns) * self._rate / 1e9))
        rest_ns = block.captured_ns + round(count * 1e9 / self._rate)
        return Block(block.samples[:count], block.captured_ns), Block(block.samples[count:], rest_ns)

    @property
    def _ready_ns(self) -> int:
        """When the first sample that can be taken was heard."""
        return self._first_ns + round(self._given * 1e9 / self._rate)

    def _append(self, samples: Samples, begin_ns: float, end_ns: float) -> None:
        """Samples that last from `begin_ns` to `end_ns`: our ticks within are places among them."""
        before = len(self._input)
        self._input = np.concatenate([self._input, samples])
        last = math.ceil((end_ns - self._first_ns) * self._rate / 1e9)
        ticks_ns = self._first_ns + np.arange(self._made, last) * (1e9 / self._rate)
        self._made = max(self._made, last)
        places = before + (ticks_ns - begin_ns) / (end_ns - begin_ns) * len(samples)
        self._places = np.concatenate([self._places, places])
        self._interpolate()

    def _interpolate(self) -> None:
        """Makes the outputs whose neighbours on both sides are there."""
        can = int(np.searchsorted(self._places, len(self._input) - _TAPS // 2))
        places, self._places = self._places[:can], self._places[can:]
        whole = np.floor(places).astype(np.int64)
        phase = ((places - whole) * _PHASES).astype(np.int64)
        around = whole[:, None] + np.arange(_TAPS)[None, :] - (_TAPS // 2 - 1)
        made = np.einsum("ntc,nt->nc", self._input[np.maximum(around, 0)], self._kernels[phase])
        self._ready = np.concatenate([self._ready, made.astype(np.float32)])
        # What lies before the first neighbour of the next output is of no more use.
        oldest = self._places[0] if len(self._places) else float(len(self._input))
        gone = max(0, int(oldest) - _TAPS)
        self._input, self._places = self._input[gone:], self._places - gone
