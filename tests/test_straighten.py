import numpy as np
import pytest
from numpy.typing import NDArray

from faceswapd.capture.straighten import Straightener
from faceswapd.core.sound import Block

BEGIN_NS = 5_000_000_000


def straightened(
    seconds: float,
    rate: int,
    ppm: float,
    tone_hz: float,
    jitter_s: float = 0.004,
    lost_s: tuple[float, float] = (0, 0),
    late_s: dict[float, float] | None = None,
) -> tuple[int, NDArray[np.float32]]:
    """A tone heard by a device whose crystal is `ppm` fast and whose blocks of 10 ms come with jitter."""
    true_rate, block = rate * (1 + ppm * 1e-6), rate // 100
    random = np.random.default_rng(1)
    straightener = Straightener(1, rate)
    got: list[Block] = []
    for first in range(0, int(seconds * true_rate), block):
        begin_s = first / true_rate
        if lost_s[0] <= begin_s < lost_s[1]:
            continue
        heard = np.sin(2 * np.pi * tone_hz * (first + np.arange(block)) / true_rate)
        delayed_s = max((d for at, d in (late_s or {}).items() if at <= begin_s < at + 0.05), default=0.0)
        block_late_s = delayed_s + random.uniform(-jitter_s, jitter_s)
        straightener.put(
            Block(heard.astype(np.float32)[:, None], BEGIN_NS + round((begin_s + block_late_s) * 1e9))
        )
        if part := straightener.take(BEGIN_NS + round(begin_s * 1e9)):
            got.append(part)
    end = 0
    for part in got:  # they fit without a seam
        assert part.captured_ns == pytest.approx(got[0].captured_ns + end * 1e9 / rate, abs=1)
        end += len(part.samples)
    return got[0].captured_ns, np.concatenate([part.samples for part in got])[:, 0]


def late_ms(first_ns: int, sound: NDArray[np.float32], rate: int, tone_hz: float, at_s: float) -> float:
    """How much later than it was heard the tone is at a moment, from its phase."""
    begin = round(at_s * rate)
    part = sound[begin : begin + rate]
    times = (first_ns - BEGIN_NS) / 1e9 + (begin + np.arange(len(part))) / rate
    phase = np.angle(np.mean(part * np.exp(-2j * np.pi * tone_hz * times)))
    return float(-(phase + np.pi / 2) / (2 * np.pi * tone_hz) * 1000)


@pytest.mark.parametrize("ppm", [0, 100, -300])
def test_sound_stays_at_its_time_whatever_the_crystal(ppm: float) -> None:
    first_ns, sound = straightened(60, 8000, ppm, 100)
    assert len(sound) == pytest.approx(60 * 8000, abs=200)
    for at_s in (1, 10, 30, 57):
        assert abs(late_ms(first_ns, sound, 8000, 100, at_s)) < 4.5, at_s


def test_a_tone_stays_a_tone() -> None:
    _, sound = straightened(10, 48_000, 50, 1000, jitter_s=0)
    part = sound[5 * 48_000 : 6 * 48_000]
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    tone = power[995:1006].sum()
    assert 10 * np.log10(tone / (power.sum() - tone)) > 60


def test_what_a_device_loses_is_silence_and_nothing_moves() -> None:
    first_ns, sound = straightened(20, 8000, 0, 100, lost_s=(5, 5.9))
    assert np.abs(sound[round(5.3 * 8000) : round(5.9 * 8000)]).max() < 0.01
    for at_s in (2, 9, 18):
        assert abs(late_ms(first_ns, sound, 8000, 100, at_s)) < 6


def test_after_a_long_silence_a_new_stretch_has_its_own_time() -> None:
    straightener = Straightener(1, 8000)
    one = np.ones((800, 1), np.float32)
    for n in range(5):
        straightener.put(Block(one, BEGIN_NS + n * 100_000_000))
    later_ns = BEGIN_NS + 3600 * 10**9
    for n in range(5):
        straightener.put(Block(-one, later_ns + n * 100_000_000))

    assert (first := straightener.take(BEGIN_NS + 200_000_000)) is not None
    assert (rest := straightener.take(later_ns + 100_000_000)) is not None
    assert (second := straightener.take(later_ns + 100_000_000)) is not None
    assert straightener.take(later_ns + 100_000_000) is None
    assert (first.captured_ns, rest.captured_ns) == (BEGIN_NS, BEGIN_NS + 200_000_000)
    assert second.captured_ns == later_ns
    assert (len(first.samples), len(second.samples)) == (1600, 800)
    assert len(rest.samples) == pytest.approx(2400, abs=8)
    assert rest.samples[:2000].min() > 0.9
    assert second.samples[100:].max() < -0.9


def test_a_block_of_the_past_is_left_out() -> None:
    straightener = Straightener(1, 8000)
    one = np.ones((800, 1), np.float32)
    straightener.put(Block(one, BEGIN_NS))
    straightener.put(Block(-one, BEGIN_NS - 10**9))
    straightener.put(Block(one, BEGIN_NS + 100_000_000))
    block = straightener.take(BEGIN_NS + 10**9)
    assert block is not None
    assert block.samples[100:].min() > 0.9


def test_a_lost_block_and_late_ones_move_nothing_for_long() -> None:
    first_ns, sound = straightened(
        20, 8000, 0, 100, jitter_s=0, lost_s=(5.0, 5.01), late_s={9.0: 0.044, 12.0: 0.3}
    )
    assert np.abs(np.diff(sound)).max() < 1.0
    for at_s in (2, 6, 10, 13, 18):
        assert abs(late_ms(first_ns, sound, 8000, 100, at_s)) < 1.0, at_s


@pytest.mark.slow
def test_an_hour_with_a_crystal_that_is_off() -> None:
    first_ns, sound = straightened(3600, 8000, 200, 100)
    assert abs(late_ms(first_ns, sound, 8000, 100, 3595)) < 4.5
