"""Tiny detectors with the exact tensors of real ones: what is red is a face, of a size that depends on the stride.

A cell's score is the reddest of its 4 x 4 pixels' means, (R - (G + B) / 2) / 256 of what was shown; where the box and
the points lie around the cell's corner is written in the tables below, in strides. So a wrong stride, order of the
channels, normalisation or rounding is seen as a wrong place or score.
`python tests/detector_standins.py FOLDER` writes them all.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from onnx import helper
from standins import _model

from faceswapd.inference.catalogue import known
from faceswapd.inference.shelf import Shelf

BOX = np.array([[3, 3.5, 3, 4.5], [2, 2.5, 2, 3.5]], np.float32)
"""left, top, right, bottom of the first and the second anchor."""
POINTS = np.array(
    [
        [-1.2, -0.6, 1.2, -0.7, 0.1, 0.5, -0.9, 2.0, 1.0, 1.9],
        [-0.8, -0.4, 0.8, -0.5, 0.1, 0.4, -0.6, 1.3, 0.7, 1.2],
    ],
    np.float32,
)
"""Right eye, left eye, nose, corners of the mouth: x, y of the first and the second anchor."""
WEIGHTS = np.array([1.0, 0.9], np.float32)
"""Of the first and the second anchor's score."""
ALIVE = (1.0, 0.97, 0.94, 0.91, 0.88)
"""Of the strides' scores: no two maps that see one pixel are equally sure."""
LEAN = 0.25
"""So many strides longer is every side of the box for a score of 1."""


def scrfd(
    strides: Sequence[int] = (8, 16, 32),
    *,
    anchors: int = 2,
    batch: bool = False,
    side: int = 0,
    alive: Sequence[float] = ALIVE,
    names: Sequence[str] = ("input.1", "448", "471", "494", "451", "474", "497", "454", "477", "500"),
    points: bool = True,
) -> bytes:
    """SCRFD; `side` fixes the size of its picture, `alive` weighs its strides, `batch` gives its outputs one.

    Without `points` it tells scores and boxes alone, and has so many fewer `names`.
    """
    given, *made = names
    nodes, weights = _redness(given, norm=0.5, channels=(0, 1, 2))
    outputs: dict[str, Any] = {}
    n = len(strides)
    for i, stride in enumerate(strides):
        rows = ((side or 640) // stride) ** 2 * anchors
        nodes += _map(stride, f"map{i}")
        weights[f"as{i}"] = np.array([-1, 1, 1])
        weights[f"weigh{i}"] = (WEIGHTS[:anchors] * np.float32(alive[i])).reshape(1, anchors, 1)
        nodes += [
            helper.make_node("Reshape", [f"map{i}", f"as{i}"], [f"cells{i}"]),
            helper.make_node("Mul", [f"cells{i}", f"weigh{i}"], [f"scored{i}"]),
            helper.make_node("Clip", [f"scored{i}", "zero", "one"], [f"sure{i}"]),
        ]
        tables: dict[str, tuple[NDArray[Any] | None, int]] = {"score": (None, 1), "box": (BOX, 4)}
        if points:
            tables["points"] = (POINTS, 10)
        for k, (name, (table, width)) in enumerate(tables.items()):
            last, shape = f"sure{i}", [1, rows, width] if batch else [rows, width]
            if table is not None:
                weights[f"{name}{i}"] = table[None, :anchors]
                lean = LEAN if name == "box" else 0.0
                weights[f"lean_{name}{i}"] = np.array([lean], np.float32)
                last = f"{name}_at{i}"
                nodes += [
                    helper.make_node("Mul", [f"sure{i}", f"lean_{name}{i}"], [f"{name}_more{i}"]),
                    helper.make_node("Add", [f"{name}_more{i}", f"{name}{i}"], [last]),
                ]
            out = made[k * n + i]
            weights[f"{name}_as{i}"] = np.array([1, -1, width] if batch else [-1, width])
            nodes.append(helper.make_node("Reshape", [last, f"{name}_as{i}"], [out]))
            outputs[out] = shape
    outputs = {name: outputs[name] for name in made}
    return _model(nodes, {given: [1, 3, side or "?", side or "?"]}, outputs, weights)


def yunet(side: int = 640) -> bytes:
    """YuNet: class = objectness = redness, the first anchor's box and points; width and height as logarithms."""
    nodes, weights = _redness("input", norm=1 / 256, channels=(2, 1, 0))
    left, top, right, bottom = BOX[0]
    box = [(right - left) / 2, (bottom - top) / 2, np.log(right + left), np.log(bottom + top)]
    tables = {"bbox": np.array([box], np.float32), "kps": POINTS[:1]}
    outputs: dict[str, Any] = {}
    for i, stride in enumerate((8, 16, 32)):
        rows = (side // stride) ** 2
        nodes += _map(stride, f"map{i}")
        nodes.append(helper.make_node("Clip", [f"map{i}", "zero", "one"], [f"sure{i}"]))
        for name in ("cls", "obj"):
            weights[f"{name}_as{i}"] = np.array([1, -1, 1])
            nodes.append(helper.make_node("Reshape", [f"sure{i}", f"{name}_as{i}"], [f"{name}_{stride}"]))
            outputs[f"{name}_{stride}"] = [1, rows, 1]
        for name, table in tables.items():
            weights[f"{name}{i}"] = table[None]
            weights[f"none_{name}{i}"] = np.zeros(1, np.float32)
            nodes += [
                helper.make_node("Mul", [f"cls_{stride}", f"none_{name}{i}"], [f"{name}_zero{i}"]),
                helper.make_node("Add", [f"{name}_zero{i}", f"{name}{i}"], [f"{name}_{stride}"]),
            ]
            outputs[f"{name}_{stride}"] = [1, rows, table.shape[1]]
    order = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    return _model(nodes, {"input": [1, 3, side, side]}, {name: outputs[name] for name in order}, weights)


def yoloface(side: int = 640) -> bytes:
    """YOLOv8-face: its 20 rows for the first anchor of every cell, in pixels; the points' confidence is one half."""
    nodes, weights = _redness("images", norm=255 / 256, channels=(0, 1, 2))
    tables, maps = [], []
    for i, stride in enumerate((8, 16, 32)):
        nodes += _map(stride, f"map{i}")
        weights[f"as{i}"] = np.array([1, 1, -1])
        nodes.append(helper.make_node("Reshape", [f"map{i}", f"as{i}"], [f"cells{i}"]))
        maps.append(f"cells{i}")
        y, x = np.mgrid[: side // stride, : side // stride].reshape(2, -1).astype(np.float32) * stride
        left, top, right, bottom = BOX[0] * stride
        table = np.zeros((20, len(x)), np.float32)
        table[0], table[1] = x + (right - left) / 2, y + (bottom - top) / 2
        table[2], table[3] = left + right, top + bottom
        for n in range(5):
            table[5 + 3 * n], table[6 + 3 * n] = (
                x + POINTS[0, 2 * n] * stride,
                y + POINTS[0, 2 * n + 1] * stride,
            )
            table[7 + 3 * n] = 0.5
        tables.append(table)
    weights["table"] = np.concatenate(tables, axis=1)[None]
    weights["fifth"] = (np.arange(20) == 4).astype(np.float32).reshape(1, 20, 1)
    nodes += [
        helper.make_node("Concat", maps, ["all"], axis=2),
        helper.make_node("Clip", ["all", "zero", "one"], ["sure"]),
        helper.make_node("Mul", ["sure", "fifth"], ["scores"]),
        helper.make_node("Add", ["scores", "table"], ["output0"]),
    ]
    count = sum((side // s) ** 2 for s in (8, 16, 32))
    return _model(nodes, {"images": [1, 3, side, side]}, {"output0": [1, 20, count]}, weights)


def _redness(
    given: str, *, norm: float, channels: tuple[int, int, int]
) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Means of 4 x 4 pixels of red minus half of green and blue, whose places `channels` are, times `norm`.

    The pixels count almost alike: with equal weights many cells would be equally sure, and any order of them right.
    """
    kernel = np.zeros(3)
    kernel[list(channels)] = (1, -0.5, -0.5)
    pixels = 1 + 0.01 * np.random.default_rng(2).random((4, 4))
    weights: dict[str, NDArray[Any]] = {
        "kernel": (norm * kernel.reshape(1, 3, 1, 1) * pixels / pixels.sum()).astype(np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    return [
        helper.make_node("Conv", [given, "kernel"], ["red"], kernel_shape=[4, 4], strides=[4, 4])
    ], weights


def _map(stride: int, name: str) -> list[Any]:
    size = [stride // 4, stride // 4]
    return [helper.make_node("MaxPool", ["red"], [name], kernel_shape=size, strides=size)]


def scrfd_boxes(strides: Sequence[int] = (8, 16, 32), **told: Any) -> bytes:
    """`scrfd` as it comes without points: six outputs, or ten."""
    return scrfd(
        strides, names=("input.1", *(str(450 + n) for n in range(2 * len(strides)))), points=False, **told
    )


DETECTORS: dict[str, Callable[[], bytes]] = {
    "scrfd_10g": scrfd,
    "scrfd_2.5g": partial(scrfd, batch=True, names=("input", *(f"out{n}" for n in range(9)))),
    "scrfd_500m": partial(scrfd, side=640),
    "retinaface_10g": partial(scrfd, names=("input", *(f"out{n}" for n in range(9)))),
    "yoloface_8n": yoloface,
    "yunet": yunet,
}
"""The detectors that have a stand-in, by the catalogue's names."""


@cache
def standin(model: str) -> bytes:
    """The stand-in of a detector of the catalogue."""
    return DETECTORS[model]()


def shelf(folder: Path, *models: str, **more: bytes) -> Shelf:
    """A shelf with the stand-ins of these models on it, and `more`, called by their names."""
    files = {**{m: standin(m) for m in models}, **more}
    names = {
        m: structs.replace(known()[m], sha256=sha256(content).hexdigest(), url="")
        for m, content in files.items()
        if m in known()
    }
    made = Shelf(folder / "models", names)
    for model, content in files.items():
        path = folder / f"{model}.onnx"
        path.write_bytes(content)
        made.add(path, model)
    return made


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name in DETECTORS:
        (target / f"{name}.onnx").write_bytes(standin(name))
