import threading

import pytest
from fakes import frame

from faceswapd.core.meter import RECENT_S, Histogram, Meter, Recent

MS = 1_000_000


def test_percentiles_are_right_within_one_percent() -> None:
    h = Histogram()
    for i in range(1, 1001):
        h.add(i * MS // 10)

    assert [h.quantile_ms(q) for q in (0.5, 0.95, 0.99)] == pytest.approx([50, 95, 99], rel=0.011)


def test_an_empty_histogram_says_zero() -> None:
    assert Histogram().quantile_ms(0.99) == 0.0


def test_stages_add_up_to_the_latency() -> None:
    meter = Meter()
    meter.observe(frame(captured_ns=100 * MS).marked("track", 104 * MS).marked("render", 110 * MS))
    stages = meter.quantiles()

    assert stages["track"].p50 == pytest.approx(4, rel=0.011)
    assert stages["render"].p50 == pytest.approx(6, rel=0.011)
    assert stages["latency"].p50 == pytest.approx(10, rel=0.011)


def test_frames_per_second_count_from_the_first_frame() -> None:
    meter = Meter()
    for i in range(31):
        meter.observe(frame(i, captured_ns=i * MS).marked("handed", 5_000 * MS + i * 1000 * MS // 30))

    assert (meter.frames, round(meter.fps, 1)) == (31, 30.0)


def test_a_frame_without_marks_is_not_counted() -> None:
    meter = Meter()
    meter.observe(frame())

    assert (meter.frames, meter.fps) == (0, 0.0)


def test_every_drop_has_a_cause() -> None:
    meter = Meter()
    meter.count("dropped", "stale")
    meter.count("dropped", "stale", by=2)
    meter.count("dropped", "late")

    assert meter.counted("dropped") == {"stale": 3, "late": 1}
    assert meter.total("dropped") == 4


def test_threads_lose_no_count() -> None:
    meter = Meter()

    def count() -> None:
        for _ in range(5000):
            meter.count("n")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    assert meter.total("n") == 20000


def test_means() -> None:
    meter = Meter()
    meter.time("run", 1 * MS)
    meter.time("run", 3 * MS)

    assert (meter.mean_ms("run"), meter.mean_ms("nothing")) == (2.0, 0.0)


def test_the_latency_of_now_forgets_what_was() -> None:
    meter, seconds = Meter(), 10**9
    for begin_s, late_ms in ((0, 100), (10, 20)):
        for n in range(300):
            at_ns = (77 + begin_s) * seconds + round(n / 30 * 1e9)
            meter.observe(frame(n, captured_ns=at_ns - late_ms * MS).marked("handed", at_ns))

    assert meter.latency(97 * seconds - 1).p50 == pytest.approx(20, rel=0.011)
    assert meter.latency(97 * seconds - 1).p99 == pytest.approx(20, rel=0.011)
    assert meter.quantiles()["latency"].p99 == pytest.approx(100, rel=0.011)
    assert meter.latency(107 * seconds).p50 == 0.0  # no frame for 10 s


def test_the_latency_of_a_long_run_takes_no_more_memory() -> None:
    recent = Recent()
    for n in range(1000):
        recent.add(20 * MS, n * 10**9)

    assert len(recent._seconds) == RECENT_S + 1
    assert recent.quantiles(999 * 10**9).p50 == pytest.approx(20, rel=0.011)
