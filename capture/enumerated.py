"""Cameras of Windows and macOS, where OpenCV opens them by number."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import cv2

from .devices import Device

VIRTUAL = ("obs virtual camera", "unity video capture", "obs-camera")
"""Names of virtual cameras that programs can write to."""
MOST = 4
"""How many numbers are tried where no names are to be had: each takes up to a second."""


def backend() -> int:
    """OpenCV's road to cameras: DirectShow (Media Foundation opens slowly and misses virtual ones), AVFoundation."""
    return {"win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}.get(sys.platform, cv2.CAP_ANY)


class Enumerated:
    """Names come from the package cv2-enumerate-cameras where it is installed, else numbers are tried."""

    def __init__(self, lister: Any = None) -> None:
        """`lister(backend)` gives objects with `index` and `name`; None looks for the package."""
        if lister is None and importlib.util.find_spec("cv2_enumerate_cameras"):
            lister = importlib.import_module("cv2_enumerate_cameras").enumerate_cameras
        self._lister = lister

    def scan(self) -> Iterator[Device]:
        """Every camera; formats are not told by these systems."""
        if self._lister is not None:
            for info in self._lister(backend()):
                index = info.index % 100  # the package adds the backend's number, which is a multiple of 100
                yield Device(info.name, str(index), virtual=info.name.casefold() in VIRTUAL)
            return
        for index in range(MOST):
            capture = cv2.VideoCapture(index, backend())
            try:
                if capture.isOpened():
                    yield Device(f"camera {index}", str(index))
            finally:
                capture.release()

    def resolved(self, path: str) -> str:
        """Numbers lead nowhere else."""
        return path
