"""Draws what is known of a face over it: its box, its points, how it stands, and what a model takes it for."""

import cv2

from ..core.frame import Pixels
from .face import Face

_GREEN, _YELLOW, _GREY = (80, 220, 80), (60, 220, 255), (160, 160, 160)


def draw(pixels: Pixels, face: Face, *, box: bool = True, points: bool = True, mesh: bool = False,
         text: bool = True) -> None:  # fmt: skip
    """Draws into `pixels` (BGR), in place. A face that only a detector sees is grey and has no points."""
    seen = face.score > 0
    colour = _GREEN if seen else _GREY
    thick = max(1, round(min(pixels.shape[:2]) / 400))
    x0, y0, x1, y1 = (round(float(v)) for v in face.box)
    if box:
        cv2.rectangle(pixels, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA)
    if mesh and seen:
        for x, y in face.points[:, :2].tolist():
            cv2.circle(pixels, (round(x), round(y)), thick // 2, colour, -1)
    if points and seen:
        for x, y in face.anchors.tolist():
            cv2.circle(pixels, (round(x), round(y)), 2 * thick, _YELLOW, -1, cv2.LINE_AA)
    if text:
        _write(pixels, lines(face), (x0, y1), colour, thick)


def lines(face: Face) -> list[str]:
    """What is known, in words, a line each."""
    words = [f"#{face.id}", *([f"{face.score:.2f}"] if face.score > 0 else ["detector only"])]
    if face.held_ns:
        words.append(f"held {face.held_ns / 1e9:.1f} s")
    out = [" ".join(words)]
    if face.attributes is not None:
        out.append(f"{face.attributes.sex}, {face.attributes.age}")
    if face.score > 0:
        pose = face.pose
        out.append(f"pitch {round(pose.pitch):+d} yaw {round(pose.yaw):+d} roll {round(pose.roll):+d}")
    return out


def _write(
    pixels: Pixels, texts: list[str], corner: tuple[int, int], colour: tuple[int, int, int], thick: int
) -> None:
    size, step = 0.42 * thick + 0.05, round(15 * thick) + 2
    for n, text in enumerate(texts, 1):
        x, y = corner[0], corner[1] + n * step
        # A thicker text is also a wider one: the dark rim is the same text, moved.
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            at = (x + dx * thick, y + dy * thick)
            cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), thick, cv2.LINE_AA)
        cv2.putText(pixels, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
