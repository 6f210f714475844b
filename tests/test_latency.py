from faceswapd.core.events import Stats
from faceswapd.core.meter import Quantiles
from faceswapd.daemon.latency import Delay, delay, words


def stats(p50: float, **stages: Quantiles) -> Stats:
    return Stats(
        frames=9, fps=30.0, latency_ms=Quantiles(p50, p50 + 1, p50 + 2), stages_ms=stages, dropped={},
        face_share=1.0, loop_lag_ms=Quantiles(), uptime_s=1.0,
    )  # fmt: skip


def test_the_camera_s_part_is_told_where_it_is_known() -> None:
    known = delay(stats(87.2, source=Quantiles(31.4, 32, 33)))
    unknown = delay(stats(87.2, wait=Quantiles(31.4, 32, 33)))

    assert (known, unknown) == (Delay(87.2, 89.2, 31.4), Delay(87.2, 89.2, None))
    assert "by 87 ms" in words(known)
    assert "own part of it is 31 ms" in words(known)
    assert "comes on top" in words(unknown)


def test_without_pictures_nothing_is_claimed() -> None:
    assert delay(stats(0.0)) is None
    assert words(None) == "no live picture was shown in the last 10 s"
