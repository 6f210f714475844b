"""Tiny models with the exact tensors of real families, and an arithmetic that can be predicted.

Each one changes colours in a way that tells the channels apart and marks the places of its template's five points
in green, so that a wrong channel order, template, normalisation or paste is seen as a wrong colour or place.
`python tests/standins.py FOLDER` writes them all.
"""

import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from msgspec import structs
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceswapd.faces.canonical import canonical
from faceswapd.faces.pose import MESH_68
from faceswapd.inference.catalogue import Known, known
from faceswapd.inference.shelf import Shelf

FADES = ((1.0, 0.8, 0.6), (0.5, 0.7, 0.9))
"""What an interpolator's stand-in makes of red, green and blue of its two pictures: neither can stand for the other."""
GAIN = np.array([0.5, 0.25, 0.75], np.float32)
"""What the first, second and third channel of a picture is multiplied by, in the network's own numbers."""
SHIFT = 0.1
"""What one unit of the source's first, second and third number adds to the channel of that place,"""
LOUD = 20.0
"""and so many times that where the source is a unit vector, whose 512 numbers are about 0.04."""
UNIT_GREEN = (0.0, 1.0, 0.0)
SIGNED_GREEN = (-1.0, 1.0, -1.0)
MARK = 0.012
"""Radius of a mark, in sides of the crop."""

TEMPLATES = {
    "arcface_128": ((46.2946, 51.6963), (81.5318, 51.5014), (64.0252, 71.7366), (49.5493, 92.3655), (78.7299, 92.2041)),
    "arcface_112_v1": (
        (0.35473214, 0.45658929), (0.64526786, 0.45658929), (0.5, 0.61154464),
        (0.37913393, 0.776875), (0.62086607, 0.776875),
    ),
    "ffhq_512": (
        (192.98138, 239.94708), (318.90277, 240.19366), (256.63416, 314.01935),
        (201.26117, 371.41043), (313.08905, 371.15118),
    ),
    "mtcnn_512": (
        (0.36562865, 0.46733799), (0.63305391, 0.46585885), (0.50019127, 0.61942959),
        (0.39032951, 0.77598822), (0.61178945, 0.77476328),
    ),
    "dfl_whole_face": (
        (0.35342266, 0.39285716), (0.62797622, 0.39285716), (0.48660713, 0.5401786),
        (0.38839287, 0.68750011), (0.59821427, 0.68750011),
    ),
}  # fmt: skip
_SIDES = {"arcface_128": 128.0, "ffhq_512": 512.0}


def marks(template: str, side: int) -> NDArray[np.bool_]:
    """Where a mark is, 1 x 1 x side x side: the pixels around each of the template's points."""
    points = np.array(TEMPLATES[template]) / _SIDES.get(template, 1.0) * side
    y, x = np.mgrid[:side, :side]
    near = [np.hypot(x - px, y - py) <= max(MARK * side, 1.0) for px, py in points]
    return np.asarray(np.any(near, axis=0))[None, None]


def emap(seed: int = 0) -> NDArray[np.float32]:
    """A matrix that is neither symmetric nor orthogonal."""
    return np.random.default_rng(seed).normal(0, 0.05, (512, 512)).astype(np.float32) + np.eye(
        512, dtype=np.float32
    )


def swapper(
    side: int,
    template: str,
    green: Sequence[float],
    *,
    with_emap: bool = False,
    batch: int | str = 1,
    names: Sequence[str] = ("target", "source", "output"),
    picture_source: int = 0,
    loud: float = LOUD,
    shut: bool = False,
    half: bool = False,
) -> bytes:
    """out = target * GAIN + SHIFT * loud * (first three numbers of the source), marks in `green` (network numbers).

    With `picture_source` the three numbers are the means of the source picture's channels. `shut` writes the
    graph so that it works for a batch of 1 only, `half` one that computes in float16 between its casts.
    """
    target, source, output = names
    nodes = [
        helper.make_node("Conv", [target, "kernel"], ["kept"], kernel_shape=[1, 1]),
        helper.make_node("Reshape", ["three", "as_channels"], ["shift"]),
        helper.make_node("Mul", ["kept", "gain"], ["dimmed"]),
        helper.make_node("Add", ["dimmed", "shift"], ["moved"]),
        helper.make_node("Where", ["marks", "green", "moved"], [output]),
    ]
    if shut:
        nodes[0] = helper.make_node("Conv", ["again", "kernel"], ["kept"], kernel_shape=[1, 1])
        nodes[:0] = [
            helper.make_node("Squeeze", [target, "first"], ["alone"]),
            helper.make_node("Unsqueeze", ["alone", "first"], ["again"]),
        ]
    weights: dict[str, NDArray[Any]] = {
        "first": np.array([0]),
        "kernel": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1),
        "as_channels": np.array([1, 3, 1, 1]),
        "gain": GAIN.reshape(1, 3, 1, 1),
        "marks": marks(template, side),
        "green": np.array(green, np.float32).reshape(1, 3, 1, 1),
    }
    if picture_source:
        nodes[:0] = [
            helper.make_node("GlobalAveragePool", [source], ["means"]),
            helper.make_node("Flatten", ["means"], ["flat"]),
            helper.make_node("Mul", ["flat", "factor"], ["three"]),
        ]
        weights["factor"] = np.array([SHIFT], np.float32)
        given = [batch, 3, picture_source, picture_source]
    else:
        nodes[:0] = [helper.make_node("MatMul", [source, "choose"], ["three"])]
        choose = np.zeros((512, 3), np.float32)
        choose[(0, 1, 2), (0, 1, 2)] = SHIFT * loud
        weights["choose"] = choose
        given = [batch, 512]
    if with_emap:
        weights["emap"] = emap()
    if half:
        weights = {n: w.astype(np.float16) if w.dtype == np.float32 else w for n, w in weights.items()}
        for node in nodes:
            for names_ in (node.input, node.output):
                for i, name in enumerate(names_):
                    if name in (target, source, output):
                        names_[i] = f"{name}_half"
        nodes[:0] = [
            helper.make_node("Cast", [n], [f"{n}_half"], to=TensorProto.FLOAT16) for n in (target, source)
        ]
        nodes.append(helper.make_node("Cast", [f"{output}_half"], [output], to=TensorProto.FLOAT))
    return _model(
        nodes, {target: [batch, 3, side, side], source: given}, {output: [batch, 3, side, side]}, weights
    )


def recogniser(name: str = "input.1", batch: int | str = 1, seed: int = 1) -> bytes:
    """512 mixtures of the means of 8 x 8 blocks: they depend on channel order, alignment and normalisation."""
    mix = np.random.default_rng(seed).normal(0, 0.05, (588, 512)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", [name], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["blocks"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mix"], ["683"]),
    ]
    return _model(nodes, {name: [batch, 3, 112, 112]}, {"683": [batch, 512]}, {"mix": mix})


def converter() -> bytes:
    """The embedding, its numbers in the opposite order and twice as large."""
    flip = 2 * np.eye(512, dtype=np.float32)[::-1].copy()
    return _model(
        [helper.make_node("MatMul", ["input", "flip"], ["output"])],
        {"input": [1, 512]},
        {"output": [1, 512]},
        {"flip": flip},
    )


def enhancer(
    side: int,
    template: str = "ffhq_512",
    *,
    out: int = 0,
    weight: bool = False,
    extra: bool = False,
    vqfr: bool = False,
) -> bytes:
    """out = in * GAIN, marks in green; `weight` (float64) is added to the third channel; `out` enlarges.

    `vqfr` calls its tensors as VQFR does, whose number is a scalar of float32 and whose second picture, which comes
    first, is not the one.
    """
    weights: dict[str, NDArray[Any]] = {
        "gain": GAIN.reshape(1, 3, 1, 1),
        "marks": marks(template, side),
        "green": np.array(SIGNED_GREEN, np.float32).reshape(1, 3, 1, 1),
    }
    given, number, made = ("x_lq", "fidelity_ratio", "main_dec") if vqfr else ("input", "weight", "output")
    inputs: dict[str, Any] = {given: [1, 3, side, side]}
    nodes = [helper.make_node("Mul", [given, "gain"], ["dimmed"])]
    moved = "dimmed"
    if weight:
        inputs[number] = ([], TensorProto.FLOAT) if vqfr else ([1], TensorProto.DOUBLE)
        third = np.array([0, 0, 1], np.float32).reshape(1, 3, 1, 1)
        weights["third"] = third
        nodes += [
            helper.make_node("Cast", [number], ["w"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["third", "w"], ["tint"]),
            helper.make_node("Add", ["dimmed", "tint"], ["tinted"]),
        ]
        moved = "tinted"
    last = "small" if out else made
    nodes.append(helper.make_node("Where", ["marks", "green", moved], [last]))
    if out:
        weights["scales"] = np.array([1, 1, out / side, out / side], np.float32)
        nodes.append(helper.make_node("Resize", ["small", "", "scales"], ["output"], mode="nearest"))
    outputs: dict[str, Any] = {made: [1, 3, out or side, out or side]}
    if vqfr:
        nodes.append(helper.make_node("Identity", ["dimmed"], ["texture_dec"]))
        outputs = {"texture_dec": [1, 3, side, side], **outputs}
    if extra:
        nodes.append(helper.make_node("Identity", ["dimmed"], ["1228"]))
        outputs["1228"] = [1, 3, side, side]
    return _model(nodes, inputs, outputs, weights)


def dfm(*, morph: bool = True, side: int = 224) -> bytes:
    """face = in * GAIN + SHIFT * morph (BGR, NHWC); the celebrity's mask leaves out the right quarter."""
    cut = np.ones((1, side, side, 1), np.float32)
    cut[:, :, side * 3 // 4 :] = 0
    mark = marks("dfl_whole_face", side).reshape(1, side, side, 1)
    weights: dict[str, NDArray[Any]] = {
        "gain": GAIN,
        "cut": cut,
        "marks": mark,
        "green": np.array([0, 1, 0], np.float32),
        "shift": np.array([SHIFT], np.float32),
        "none": np.zeros(1, np.float32),
        "one": np.ones(1, np.float32),
    }
    inputs: dict[str, Any] = {"in_face:0": ["unk", side, side, 3]}
    if morph:
        inputs["morph_value:0"] = [1]
    nodes = [
        helper.make_node("Mul", ["in_face:0", "gain"], ["dimmed"]),
        helper.make_node("Mul", ["morph_value:0" if morph else "none", "shift"], ["more"]),
        helper.make_node("Add", ["dimmed", "more"], ["moved"]),
        helper.make_node("Where", ["marks", "green", "moved"], ["out_celeb_face:0"]),
        helper.make_node("ReduceMax", ["in_face:0"], ["bright"], axes=[3], keepdims=1),
        helper.make_node("Mul", ["bright", "none"], ["zeros"]),
        helper.make_node("Add", ["zeros", "cut"], ["out_celeb_face_mask:0"]),
        helper.make_node("Add", ["zeros", "one"], ["out_face_mask:0"]),
    ]
    one = ["unk", side, side, 1]
    outputs = {
        "out_face_mask:0": one,
        "out_celeb_face:0": ["unk", side, side, 3],
        "out_celeb_face_mask:0": one,
    }
    return _model(nodes, inputs, outputs, weights)


def xseg(name: str, output: str, *, nhwc: bool, blue: int, scale: float = 1.0) -> bytes:
    """Face = 1 - 4 * (blue - red), `blue` telling which channel that is: what is blue lies before the face."""
    axis = 3 if nhwc else 1
    weights: dict[str, NDArray[Any]] = {
        "blue": np.array([blue]), "red": np.array([2 - blue]), "four": np.array([-4 * scale], np.float32),
        "one": np.array([scale], np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", [name, "blue"], ["b"], axis=axis),
        helper.make_node("Gather", [name, "red"], ["r"], axis=axis),
        helper.make_node("Sub", ["b", "r"], ["bluer"]),
        helper.make_node("Mul", ["bluer", "four"], ["hidden"]),
        helper.make_node("Add", ["hidden", "one"], [output]),
    ]
    shapes = ([1, 256, 256, 3], [1, 256, 256, 1]) if nhwc else ([1, 3, 256, 256], [1, 1, 256, 256])
    return _model(nodes, {name: shapes[0]}, {output: shapes[1]}, weights)


def bisenet() -> bytes:
    """Skin (1) where red is the larger number of the normalised picture, hair (17) where blue is."""
    choose = np.full((19, 3), 0, np.float32)
    choose[1, 0] = choose[17, 2] = 1
    bias = np.full(19, -9, np.float32)
    bias[[1, 17]] = 0
    weights: dict[str, NDArray[Any]] = {"choose": choose.reshape(19, 3, 1, 1), "bias": bias}
    nodes = [helper.make_node("Conv", ["input", "choose", "bias"], ["output"], kernel_shape=[1, 1])]
    return _model(nodes, {"input": [1, 3, 512, 512]}, {"output": [1, 19, 512, 512]}, weights)


def portrait_features(given: str = "img") -> bytes:
    """Means of 4 x 4 pixels in the first three of 32 channels, at all 16 depths."""
    spread = np.zeros((512, 3), np.float32)
    for channel in range(3):
        spread[16 * channel : 16 * channel + 16, channel] = 1
    weights: dict[str, NDArray[Any]] = {
        "spread": spread.reshape(512, 3, 1, 1), "cube": np.array([0, 32, 16, 64, 64]),
    }  # fmt: skip
    nodes = [
        helper.make_node("AveragePool", [given], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "spread"], ["flat"], kernel_shape=[1, 1]),
        helper.make_node("Reshape", ["flat", "cube"], ["output"]),
    ]
    return _model(nodes, {given: [1, 3, 256, 256]}, {"output": [1, 32, 16, 64, 64]}, weights)


ANGLES = {"pitch": -9.0, "yaw": 30.0, "roll": 12.0}
"""What both stand-ins of motion say of every face."""


def _motion(angles: dict[str, NDArray[Any]], rows: str = "") -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Point n is pulled by n % 7 times the mean colour (R, G, B: x, y, z): `exp`; at rest it is (n, 1, 2) / 10: `kp`.

    The scale is 2, x goes by 0.5 (`t`). All have the batch of the picture, `img`: one row a face. `rows` is put to
    their names.
    """
    pull = np.zeros((3, 63))
    for n in range(21):
        pull[(0, 1, 2), (3 * n, 3 * n + 1, 3 * n + 2)] = n % 7
    rest = np.stack([np.arange(21), np.full(21, 1), np.full(21, 2)], 1) / 10
    same = {**angles, "t": np.array([0.5, 0, 0]), "scale": np.array([2]), "kp": rest.ravel()}
    weights: dict[str, NDArray[Any]] = {"pull": pull.astype(np.float32)}
    nodes = [
        helper.make_node("GlobalAveragePool", ["img"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "pull"], [f"exp{rows}"]),
    ]
    for name, value in same.items():
        weights |= {
            f"{name}0": value.astype(np.float32)[None],
            f"no_{name}": np.zeros((3, value.size), np.float32),
        }
        nodes += [
            helper.make_node("MatMul", ["colour", f"no_{name}"], [f"{name}_zero"]),
            helper.make_node("Add", [f"{name}_zero", f"{name}0"], [f"{name}{rows}"]),
        ]
    return nodes, weights


def portrait_motion() -> bytes:
    """`_motion`, each angle by the two bins that it lies between."""
    nodes, weights = _motion({n: -20 * np.abs(np.arange(66) - (a + 97.5) / 3) for n, a in ANGLES.items()})
    outputs = {"pitch": 66, "yaw": 66, "roll": 66, "t": 3, "exp": 63, "scale": 1, "kp": 63}
    return _model(nodes, {"img": [1, 3, 256, 256]}, {n: [1, w] for n, w in outputs.items()}, weights)


def portrait_motion_degrees(angle: Sequence[int] = (), names: Sequence[str] = "abcdefg") -> bytes:
    """`_motion` in facefusion's export: the angles in degrees, of the shape `angle`.

    `names`: of pitch, yaw, roll, scale, translation, expression and the points at rest.
    """
    nodes, weights = _motion({n: np.array([a]) for n, a in ANGLES.items()}, "_row")
    shapes = {
        **dict.fromkeys(ANGLES, angle),
        "scale": (1, 1),
        "t": (1, 3),
        "exp": (1, 21, 3),
        "kp": (1, 21, 3),
    }
    for (made, shape), name in zip(shapes.items(), names, strict=True):
        weights[f"as_{made}"] = np.array(shape, np.int64)
        nodes.append(helper.make_node("Reshape", [f"{made}_row", f"as_{made}"], [name]))
    outputs = dict(zip(names, map(list, shapes.values()), strict=True))
    return _model(nodes, {"img": [1, 3, 256, 256]}, outputs, weights)


def portrait_generator(
    point: int = 3, names: Sequence[str] = ("feature_3d", "kp_driving", "kp_source")
) -> bytes:
    """The face that the features hold, and on each channel how far one point is to go (x on R, y on G, z on B).

    `names` are those of the features, of where the points are to go, and of where they are.
    """
    features, wanted, now = names
    weights: dict[str, NDArray[Any]] = {
        "which": np.array([point]), "first": np.array([0]), "channels": np.array([0, 1, 2]),
        "as_channels": np.array([0, 3, 1, 1]), "scales": np.array([1, 1, 8, 8], np.float32), "depth": np.array([2]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", [features, "channels"], ["three"], axis=1),
        helper.make_node("Gather", ["three", "first"], ["deep"], axis=2),
        helper.make_node("Squeeze", ["deep", "depth"], ["small"]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Sub", [wanted, now], ["way"]),
        helper.make_node("Gather", ["way", "which"], ["one"], axis=1),
        helper.make_node("Reshape", ["one", "as_channels"], ["shift"]),
        helper.make_node("Add", ["large", "shift"], ["out"]),
    ]
    points = [1, 21, 3]
    inputs = {features: [1, 32, 16, 64, 64], wanted: points, now: points}
    return _model(nodes, inputs, {"out": [1, 3, 512, 512]}, weights)


def frame_enhancer(times: float, side: int | None = None) -> bytes:
    """out = in * GAIN, `times` as large; of any size unless `side` says one."""
    weights: dict[str, NDArray[Any]] = {
        "gain": GAIN.reshape(1, 3, 1, 1), "scales": np.array([1, 1, times, times], np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["input", "gain"], ["dimmed"]),
        helper.make_node("Resize", ["dimmed", "", "scales"], ["output"], mode="nearest"),
    ]
    given: list[Any] = [1, 3, side or "height", side or "width"]
    made = [1, 3, int(side * times) if side else "tall", int(side * times) if side else "wide"]
    return _model(nodes, {"input": given}, {"output": made}, weights)


def red_centre(name: str, side: int) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """Where red of a picture (0 to 255, RGB) has its middle, as `centre`: N x 3, x and y from -1 to 1, and 0.

    The first two nodes are called as insightface looks for them: the network normalises by itself.
    """
    at = (np.arange(side, dtype=np.float32) - side / 2) / (side / 2)
    x, y = np.meshgrid(at, at)
    sums = np.stack([x.ravel(), y.ravel(), np.zeros(side * side), np.ones(side * side)], 1) / side**2
    weights: dict[str, NDArray[Any]] = {
        "half": np.array([127.5], np.float32), "unit": np.array([1 / 127.5], np.float32),
        "one": np.array([1.00001], np.float32), "red": np.array([0]), "sums": sums.astype(np.float32),
        "places": np.array([0, 1, 2]), "count": np.array([3]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Sub", [name, "half"], ["minus"], name="_minusscalar0"),
        helper.make_node("Mul", ["minus", "unit"], ["signed"], name="_mulscalar0"),
        helper.make_node("Add", ["signed", "one"], ["weight"]),
        helper.make_node("Gather", ["weight", "red"], ["reds"], axis=1),
        helper.make_node("Flatten", ["reds"], ["flat"]),
        helper.make_node("MatMul", ["flat", "sums"], ["moments"]),
        helper.make_node("Gather", ["moments", "places"], ["first"], axis=1),
        helper.make_node("Gather", ["moments", "count"], ["whole"], axis=1),
        helper.make_node("Div", ["first", "whole"], ["centre"]),
    ]
    return nodes, weights


FIVE_106 = {38: (-0.3, -0.2), 88: (0.3, -0.2), 86: (0.0, 0.1), 52: (-0.25, 0.35), 61: (0.25, 0.35)}
"""Where the stand-in of 2d106det puts the five points, from the middle of red, in halves of the crop."""


def layout_106() -> NDArray[np.float32]:
    """106 x 2: the five points, all others in a corner."""
    layout = np.full((106, 2), -0.9, np.float32)
    layout[list(FIVE_106)] = list(FIVE_106.values())
    return layout


def layout_68(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> NDArray[np.float32]:
    """68 x 3: the canonical face turned by so many degrees, y down, in halves of the crop."""
    xyz = canonical().xyz[list(MESH_68)] * np.array([1, -1, 1], np.float32) / 15
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.radians((pitch, yaw, roll)))
    turn = (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    )
    return np.asarray(xyz @ turn.T, np.float32)


def landmarks_192(layout: NDArray[np.float32], before: int = 0) -> bytes:
    """The layout (n x 2 or 3) around the middle of red; `before` more points stand first, all at 9."""
    nodes, weights = red_centre("data", 192)
    n, d = layout.shape
    pull = np.zeros((3, (before + n) * d), np.float32)
    rest = np.full((before + n, d), 9, np.float32)
    rest[before:] = layout
    for axis in range(2):
        pull[axis, before * d + axis :: d] = 1
    weights |= {"pull": pull, "rest": rest.reshape(1, -1)}
    nodes += [
        helper.make_node("MatMul", ["centre", "pull"], ["moved"]),
        helper.make_node("Add", ["moved", "rest"], ["fc1"]),
    ]
    return _model(nodes, {"data": [1, 3, 192, 192]}, {"fc1": [1, (before + n) * d]}, weights)


def fan(height: float = 0.9) -> bytes:
    """`layout_68` around the middle of the picture's first channel, in cells; heatmaps that are `height` high."""
    nodes, weights = red_centre("bytes", 256)
    heat = np.zeros((1, 68, 64, 64), np.float32)
    heat[:, :, 32, 32] = height
    pull = np.zeros((3, 204), np.float32)
    pull[0, 0::3] = pull[1, 1::3] = 32
    rest = layout_68() * np.array([32, 32, 0], np.float32) + np.array([32, 32, 0.7], np.float32)
    weights |= {
        "byte": np.array([255], np.float32), "pull": pull, "rest": rest.reshape(1, -1).astype(np.float32),
        "heat": heat, "as_points": np.array([0, 68, 3]), "nothing": np.zeros((3, 68), np.float32),
        "as_maps": np.array([0, 68, 1, 1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["input", "byte"], ["bytes"]),
        *nodes,
        helper.make_node("MatMul", ["centre", "pull"], ["moved"]),
        helper.make_node("Add", ["moved", "rest"], ["rows"]),
        helper.make_node("Reshape", ["rows", "as_points"], ["landmarks_xyscore"]),
        helper.make_node("MatMul", ["centre", "nothing"], ["none"]),
        helper.make_node("Reshape", ["none", "as_maps"], ["zeros"]),
        helper.make_node("Add", ["zeros", "heat"], ["heatmaps"]),
    ]
    outputs = {"landmarks_xyscore": [1, 68, 3], "heatmaps": [1, 68, 64, 64]}
    return _model(nodes, {"input": [1, 3, 256, 256]}, outputs, weights)


def genderage() -> bytes:
    """Female by the mean of blue, male by that of red; the age is 50 years in the middle of red's way across."""
    nodes, weights = red_centre("data", 96)
    means = np.zeros((3, 3), np.float32)
    means[2, 0] = means[0, 1] = 1
    age = np.zeros((3, 3), np.float32)
    age[0, 2] = 0.5
    weights |= {"means": means, "age": age, "fifty": np.array([[0, 0, 0.5]], np.float32)}
    nodes += [
        helper.make_node("GlobalAveragePool", ["weight"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "means"], ["sexes"]),
        helper.make_node("MatMul", ["centre", "age"], ["years"]),
        helper.make_node("Add", ["sexes", "years"], ["both"]),
        helper.make_node("Add", ["both", "fifty"], ["fc1"]),
    ]
    return _model(nodes, {"data": [1, 3, 96, 96]}, {"fc1": [1, 3]}, weights)


def fairface() -> bytes:
    """Female where blue (normalised) is the larger mean, else male; the eighth of green is the span of age."""
    step = np.arange(9, dtype=np.float32) / 8
    spans = np.zeros((3, 9), np.float32)
    spans[1] = 2 * step * 0.224
    sexes = np.zeros((3, 2), np.float32)
    sexes[0, 0] = sexes[2, 1] = 1
    weights: dict[str, NDArray[Any]] = {
        "spans": spans, "offset": (2 * step * 0.456 - step**2)[None], "sexes": sexes,
    }  # fmt: skip
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "spans"], ["green"]),
        helper.make_node("Add", ["green", "offset"], ["ages"]),
        helper.make_node("MatMul", ["colour", "sexes"], ["two"]),
        helper.make_node("ArgMax", ["colour"], ["race_id"], axis=1, keepdims=0),
        helper.make_node("ArgMax", ["two"], ["gender_id"], axis=1, keepdims=0),
        helper.make_node("ArgMax", ["ages"], ["age_id"], axis=1, keepdims=0),
    ]
    one = ([1], TensorProto.INT64)
    outputs = {"race_id": one, "gender_id": one, "age_id": one}
    return _model(nodes, {"input": [1, 3, 224, 224]}, outputs, weights)


def interpolator(kind: Literal["time", "plane", "seven"] = "time", side: int | str = "side") -> bytes:
    """out = (1 - t) * first * FADES[0] + t * second * FADES[1], RGB from 0 to 1."""
    weights: dict[str, NDArray[Any]] = {
        "one": np.ones(1, np.float32),
        **{f"fade{n}": np.array(fade, np.float32).reshape(1, 3, 1, 1) for n, fade in enumerate(FADES)},
    }
    sides = [1, 3, side, side if isinstance(side, int) else "width"]
    nodes, inputs = [], dict[str, Any]()
    if kind == "seven":
        weights["split"] = np.array([3, 3, 1])
        inputs["input"] = [1, 7, *sides[2:]]
        nodes.append(helper.make_node("Split", ["input", "split"], ["img0", "img1", "timestep"], axis=1))
    else:
        inputs = {"img0": sides, "img1": sides, "timestep": [1] if kind == "time" else [1, 1, *sides[2:]]}
    nodes += [
        helper.make_node("Sub", ["one", "timestep"], ["left"]),
        helper.make_node("Mul", ["img0", "fade0"], ["a"]),
        helper.make_node("Mul", ["img1", "fade1"], ["b"]),
        helper.make_node("Mul", ["a", "left"], ["aa"]),
        helper.make_node("Mul", ["b", "timestep"], ["bb"]),
        helper.make_node("Add", ["aa", "bb"], ["output"]),
    ]
    return _model(nodes, inputs, {"output": sides}, weights)


def _model(
    nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], weights: dict[str, NDArray[Any]]
) -> bytes:
    def info(name: str, spec: Any) -> Any:
        shape, kind = spec if isinstance(spec, tuple) else (spec, TensorProto.FLOAT)
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        nodes,
        "standin",
        [info(*item) for item in inputs.items()],
        [info(*item) for item in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


SWAPPERS: dict[str, Callable[[], bytes]] = {
    "inswapper_128": partial(swapper, 128, "arcface_128", UNIT_GREEN, with_emap=True),
    "reswapper_128": partial(swapper, 128, "arcface_128", UNIT_GREEN),
    "reswapper_256": partial(swapper, 256, "arcface_128", UNIT_GREEN),
    "instyle_256_a": partial(swapper, 256, "arcface_128", UNIT_GREEN),
    "hyperswap_1a_256": partial(swapper, 256, "arcface_128", SIGNED_GREEN),
    "ghost_1_256": partial(
        swapper, 256, "arcface_112_v1", SIGNED_GREEN, names=("target", "source", "781"), loud=1.0
    ),
    "simswap_256": partial(swapper, 256, "arcface_112_v1", UNIT_GREEN),
    "simswap_unofficial_512": partial(
        swapper, 512, "arcface_112_v1", UNIT_GREEN, names=("input", "onnx::Gemm_1", "output")
    ),
    "hififace_unofficial_256": partial(swapper, 256, "mtcnn_512", SIGNED_GREEN),
    "cscs_256": partial(swapper, 256, "ffhq_512", SIGNED_GREEN, names=("input_1", "input_2", "output")),
    "blendswap_256": partial(swapper, 256, "ffhq_512", UNIT_GREEN, picture_source=112),
    "uniface_256": partial(swapper, 256, "ffhq_512", SIGNED_GREEN, picture_source=256),
}
"""The swappers that have a stand-in, by the catalogue's names."""
ENHANCERS: dict[str, Callable[[], bytes]] = {
    "gfpgan_1.4": partial(enhancer, 512),
    "gfpgan_1024": partial(enhancer, 512, out=1024),
    "gpen_bfr_256": partial(enhancer, 256, "arcface_128"),
    "gpen_bfr_512": partial(enhancer, 512),
    "gpen_bfr_1024": partial(enhancer, 1024),
    "gpen_bfr_2048": partial(enhancer, 2048),
    "codeformer_fp16": partial(enhancer, 512, weight=True),
    "restoreformer_plus_plus": partial(enhancer, 512, extra=True),
    "vqfr_v2": partial(enhancer, 512, weight=True, vqfr=True),
}
OTHERS: dict[str, Callable[[], bytes]] = {
    "w600k_r50": recogniser,
    "cscs_arcface": partial(recogniser, "input", seed=2),
    "cscs_id_adapter": partial(recogniser, "input", seed=3),
    "xseg_1": partial(xseg, "input", "output", nhwc=True, blue=0),
    "dfl_xseg": partial(xseg, "in_face:0", "out_mask:0", nhwc=False, blue=0),
    "occluder": partial(xseg, "img", "output", nhwc=False, blue=2, scale=3.0),
    "bisenet_resnet_34": bisenet,
    "crossface_ghost": converter,
    "crossface_simswap": converter,
    "crossface_hififace": converter,
    "rife_4.9": interpolator,
}
"""What swappers need or take beside them."""
PORTRAIT: dict[str, Callable[[], bytes]] = {
    "live_portrait_features": portrait_features,
    "live_portrait_motion": portrait_motion,
    "live_portrait_generator": portrait_generator,
    "live_portrait_ff_features": partial(portrait_features, "input"),
    "live_portrait_ff_motion": portrait_motion_degrees,
    "live_portrait_ff_generator": partial(portrait_generator, names=("feature_volume", "source", "target")),
}
FRAME_ENHANCERS: dict[str, Callable[[], bytes]] = {
    "real_esrgan_x2": partial(frame_enhancer, 2),
    "real_esrgan_x4": partial(frame_enhancer, 4),
}
LANDMARKS: dict[str, Callable[[], bytes]] = {
    "2d106det": lambda: landmarks_192(layout_106()),
    "1k3d68": lambda: landmarks_192(layout_68(), before=1035),
    "2dfan4": fan,
}
ATTRIBUTES: dict[str, Callable[[], bytes]] = {"genderage": genderage, "fairface": fairface}
ALL = {**LANDMARKS, **ATTRIBUTES, **SWAPPERS, **ENHANCERS, **OTHERS, **PORTRAIT, **FRAME_ENHANCERS}


@cache
def standin(model: str) -> bytes:
    """The stand-in of a model of the catalogue."""
    return ALL[model]()


def catalogue(*models: str) -> dict[str, Known]:
    """The catalogue's entries of these models, with the hashes of their stand-ins."""
    return {m: structs.replace(known()[m], sha256=sha256(standin(m)).hexdigest(), url="") for m in models}


def shelf(folder: Path, *models: str) -> Shelf:
    """A shelf with the stand-ins of these models on it, called as the real ones are."""
    made = Shelf(folder / "models", catalogue(*models))
    for model in models:
        path = folder / f"{model}.onnx"
        path.write_bytes(standin(model))
        made.add(path, model)
    return made


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name in ALL:
        (target / f"{name}.onnx").write_bytes(standin(name))
