from faceswapd.control.limits import Backoff, Bucket


def test_a_burst_and_then_the_rate() -> None:
    bucket = Bucket(rate=10, burst=5, now_s=0)

    assert [bucket.take(0) for _ in range(6)] == [True] * 5 + [False]
    assert not bucket.take(0.05)
    assert bucket.take(0.1)
    assert [bucket.take(100) for _ in range(6)] == [True] * 5 + [False]


def test_what_weighs_more_takes_more() -> None:
    bucket = Bucket(rate=1, burst=10, now_s=0)

    assert bucket.take(0, 8)
    assert not bucket.take(0, 8)
    assert bucket.take(0, 2)


def test_failures_wait_longer_each_time_and_are_forgotten() -> None:
    backoff = Backoff(first_s=0.25, most_s=8, forget_s=60)

    assert [backoff.failed(t) for t in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert backoff.failed(100) == 0.25
