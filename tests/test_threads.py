import cv2
import pytest

from faceswapd.daemon.threads import one_thread_each, share_cores
from faceswapd.inference.providers import PROVIDERS, plan


@pytest.mark.parametrize(("cores", "threads", "left"), [(2, 2, 1), (8, 2, 4), (8, 8, 1)])
def test_workers_and_opencv_together_never_want_more_than_the_cores(
    cores: int, threads: int, left: int
) -> None:
    before = cv2.getNumThreads()
    try:
        share_cores(plan(PROVIDERS["cpu"], threads=threads, cores=cores))

        assert cv2.getNumThreads() == left
    finally:
        cv2.setNumThreads(before)


def test_a_film_has_opencv_to_itself_only_while_it_lasts() -> None:
    before = cv2.getNumThreads()
    with one_thread_each():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before
