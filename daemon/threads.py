"""How the cores are shared between the workers and the libraries that have threads of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from ..inference.providers import Plan


def share_cores(plan: Plan) -> None:
    """Gives OpenCV's own pool what the workers leave: by default it would take all cores in each of them."""
    cv2.setNumThreads(plan.intra_op)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """While it lasts, OpenCV works in the thread that calls it: the workers keep the cores busy already.

    Optical flow hands motion on from row to row within a thread's share of the picture: with one thread a film is
    the same whatever machine it is made on.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
