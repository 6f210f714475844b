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
from typing import Any

import numpy as np
import onnx
from msgspec import structs
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceswapd.inference.catalogue import Known, known
from faceswapd.inference.shelf import Shelf

GAIN = np.array([0.5, 0.25, 0.75], np.float32)
"""What the first, second and third channel of a picture is multiplied by, in the network's own numbers."""
SHIFT = 0.1
"""What one unit of the source's first, second and third number adds to the channel of that place."""
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
    shut: bool = False,
    half: bool = False,
) -> bytes:
    """out = target * GAIN + SHIFT * (first three numbers of the source), marks in `green` (in network numbers).

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
        choose[(0, 1, 2), (0, 1, 2)] = SHIFT
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


def portrait_features() -> bytes:
    """Means of 4 x 4 pixels in the first three of 32 channels, at all 16 depths."""
    spread = np.zeros((512, 3), np.float32)
    for channel in range(3):
        spread[16 * channel : 16 * channel + 16, channel] = 1
    weights: dict[str, NDArray[Any]] = {
        "spread": spread.reshape(512, 3, 1, 1), "cube": np.array([0, 32, 16, 64, 64]),
    }  # fmt: skip
    nodes = [
        helper.make_node("AveragePool", ["img"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "spread"], ["flat"], kernel_shape=[1, 1]),
        helper.make_node("Reshape", ["flat", "cube"], ["output"]),
    ]
    return _model(nodes, {"img": [1, 3, 256, 256]}, {"output": [1, 32, 16, 64, 64]}, weights)


def portrait_motion() -> bytes:
    """Point n is pulled by n % 7 times the mean colour (R, G, B: x, y, z); yaw is 30 degrees, scale 2, x goes by 0.5.

    At rest point n is (n, 1, 2) / 10.
    """
    pull = np.zeros((3, 63), np.float32)
    for n in range(21):
        pull[(0, 1, 2), (3 * n, 3 * n + 1, 3 * n + 2)] = n % 7
    bins = {"pitch": 32.5, "yaw": 42.5, "roll": 32.5}
    weights: dict[str, NDArray[Any]] = {
        "pull": pull,
        "none3": np.zeros((3, 3), np.float32), "none1": np.zeros((3, 1), np.float32),
        "none63": np.zeros((3, 63), np.float32), "none66": np.zeros((3, 66), np.float32),
        "t0": np.array([[0.5, 0, 0]], np.float32), "scale0": np.array([[2]], np.float32),
        "kp0": np.stack([np.arange(21), np.full(21, 1), np.full(21, 2)], 1).reshape(1, 63).astype(np.float32) / 10,
    }  # fmt: skip
    nodes = [
        helper.make_node("GlobalAveragePool", ["img"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "pull"], ["exp"]),
    ]
    for name, where in bins.items():
        weights[f"{name}0"] = (-20 * np.abs(np.arange(66) - where)).astype(np.float32)[None]
    for name, width in (("pitch", 66), ("yaw", 66), ("roll", 66), ("t", 3), ("scale", 1), ("kp", 63)):
        nodes += [
            helper.make_node("MatMul", ["colour", f"none{width}"], [f"{name}_zero"]),
            helper.make_node("Add", [f"{name}_zero", f"{name}0"], [name]),
        ]
    outputs = {"pitch": 66, "yaw": 66, "roll": 66, "t": 3, "exp": 63, "scale": 1, "kp": 63}
    return _model(nodes, {"img": [1, 3, 256, 256]}, {n: [1, w] for n, w in outputs.items()}, weights)


def portrait_generator(point: int = 3) -> bytes:
    """The face that the features hold, and on each channel how far one point is to go (x on R, y on G, z on B)."""
    weights: dict[str, NDArray[Any]] = {
        "which": np.array([point]), "first": np.array([0]), "channels": np.array([0, 1, 2]),
        "as_channels": np.array([0, 3, 1, 1]), "scales": np.array([1, 1, 8, 8], np.float32), "depth": np.array([2]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["feature_3d", "channels"], ["three"], axis=1),
        helper.make_node("Gather", ["three", "first"], ["deep"], axis=2),
        helper.make_node("Squeeze", ["deep", "depth"], ["small"]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Sub", ["kp_driving", "kp_source"], ["way"]),
        helper.make_node("Gather", ["way", "which"], ["one"], axis=1),
        helper.make_node("Reshape", ["one", "as_channels"], ["shift"]),
        helper.make_node("Add", ["large", "shift"], ["out"]),
    ]
    points = [1, 21, 3]
    inputs = {"feature_3d": [1, 32, 16, 64, 64], "kp_driving": points, "kp_source": points}
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
    "ghost_1_256": partial(swapper, 256, "arcface_112_v1", SIGNED_GREEN, names=("target", "source", "781")),
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
}
"""What swappers need or take beside them."""
PORTRAIT: dict[str, Callable[[], bytes]] = {
    "live_portrait_features": portrait_features,
    "live_portrait_motion": portrait_motion,
    "live_portrait_generator": portrait_generator,
}
FRAME_ENHANCERS: dict[str, Callable[[], bytes]] = {
    "real_esrgan_x2": partial(frame_enhancer, 2),
    "real_esrgan_x4": partial(frame_enhancer, 4),
}
ALL = {**SWAPPERS, **ENHANCERS, **OTHERS, **PORTRAIT, **FRAME_ENHANCERS}


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
