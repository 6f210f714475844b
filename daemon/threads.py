"""How the cores are shared between the workers and the libraries that have threads of their own."""

import cv2

from ..inference.providers import Plan


def share_cores(plan: Plan) -> None:
    """Gives OpenCV's own pool what the workers leave: by default it would take all cores in each of them."""
    cv2.setNumThreads(plan.intra_op)
