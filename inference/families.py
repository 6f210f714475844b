"""The families of models that a user may bring: what goes in, what comes out, and how pictures are coded, as data.

The geometry is `faces.templates`; which family a file belongs to is told by `recognition`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from .coding import IMAGENET, RAW, RAW_BGR, SIGNED, SIGNED_128, UNIT, Coding
from .contracts import Shape

Task = Literal[
    "swapper",
    "recogniser",
    "converter",
    "detector",
    "landmarks",
    "attributes",
    "enhancer",
    "frame enhancer",
    "interpolator",
    "mask",
    "expression",
]
Identity = Literal["latent", "unit", "sum", "converted", "converted_unit", "picture", "none"]
"""What a swapper is told of the face that is worn.

latent: the unit embedding times the emap, made a unit vector again (the way inswapper was trained).
unit: the embedding of length 1. sum: the unit embeddings of several recognisers, added. converted: the embedding
through the family's converter, converted_unit: that with length 1. picture: the aligned face itself. none: the face
is in the network.
"""


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output by its role; None in a shape is any size, in the first place the batch."""

    role: str
    shape: Shape
    dtype: str = "float32"
    optional: bool = False
    name: str = ""
    """What every known export calls it, where that tells the family from others of its shapes. A file that calls it
    otherwise is taken for this family only when told."""
    alias: str = ""
    """What another export calls it, where the file has more of its shape."""
    batchless: bool = False
    """Some exports leave the batch out."""
    number: bool = False
    """One number a picture: how many sizes of 1 are around it, if any, differs between exports."""


@dataclass(frozen=True, slots=True)
class Family:
    """What the models of one family have in common."""

    name: str
    task: Task
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    template: str = ""
    """Of `faces.templates`, for the picture that goes in."""
    coding: Coding = UNIT
    """Of the picture that goes in."""
    result: Coding = UNIT
    """Of the picture that comes out."""
    identity: Identity = "none"
    source_template: str = ""
    """How the worn face is aligned, for identity `picture`, or where recognisers want it otherwise than ArcFace."""
    source_coding: Coding = UNIT
    converter: str = ""
    """The model that turns an embedding of `w600k_r50` into this family's."""
    recognisers: tuple[str, ...] = ("w600k_r50",)
    """The models whose embeddings it was trained on."""
    emap: bool = False
    """The file holds the 512 x 512 matrix of the latent. One that needs it and has none takes inswapper's."""
    reach: float = 0.0
    """Without a template: the picture is the square around the face's box, so many times its longer side."""
    open: bool = False
    """Its file leaves height and width open. One that fixes them is taken for this family only when told."""
    exact: bool = False
    """A file with more outputs is another's."""
    by_place: bool = False
    """Of outputs that have one shape, the order says which is which, whatever a file calls them."""


def _picture(role: str, side: int, *, channels: int = 3, optional: bool = False) -> Port:
    return Port(role, (None, channels, side, side), optional=optional)


def _swapper(
    name: str,
    side: int,
    template: str,
    coding: Coding,
    identity: Identity,
    result: Coding = UNIT,
    converter: str = "",
    emap: bool = False,
) -> Family:
    return Family(
        name,
        "swapper",
        (_picture("target", side), Port("source", (None, 512))),
        (_picture("output", side),),
        template,
        coding,
        result,
        identity,
        converter=converter,
        emap=emap,
    )


def _enhancer(name: str, side: int, template: str = "ffhq_512", out: int = 0, *more: Port) -> Family:
    return Family(
        name,
        "enhancer",
        (_picture("input", side), *more),
        (_picture("output", out or side),),
        template,
        SIGNED,
        SIGNED,
    )


def _maps(task: str, width: int, strides: Sequence[int]) -> tuple[Port, ...]:
    """One output for every stride, an anchor a line."""
    return tuple(Port(f"{task}_{n}", (None, None, width), batchless=True) for n in strides)


def _scrfd(name: str, strides: Sequence[int], *, points: bool = True) -> Family:
    outputs = (*_maps("score", 1, strides), *_maps("bbox", 4, strides))
    if points:
        outputs += _maps("kps", 10, strides)
    inputs = (Port("input", (None, 3, None, None)),)
    return Family(name, "detector", inputs, outputs, coding=SIGNED_128, exact=True)


def _motion(name: str, angle: Port, points: Shape, *, by_place: bool = False) -> Family:
    """`angle` is how each of the three angles is told, `points` how what is told of 21 points is."""
    outputs = (
        *(replace(angle, role=role) for role in ("pitch", "yaw", "roll")),
        Port("t", (None, 3)),
        Port("exp", points),
        Port("scale", (None, 1)),
        Port("kp", points),
    )
    return Family(name, "expression", (_picture("img", 256),), outputs, "arcface_128", by_place=by_place)


_BETWEEN = (Port("img0", (None, 3, None, None)), Port("img1", (None, 3, None, None)))

_ALL = (
    _swapper("inswapper_128", 128, "arcface_128", UNIT, "latent", emap=True),
    _swapper("reswapper_128", 128, "arcface_128", UNIT, "latent"),
    _swapper("reswapper_256", 256, "arcface_128", UNIT, "latent"),
    _swapper("instyle_256", 256, "arcface_128", UNIT, "latent"),
    _swapper("hyperswap_256", 256, "arcface_128", SIGNED, "unit", SIGNED),
    _swapper("ghost_256", 256, "arcface_112_v1", SIGNED, "converted", SIGNED, "crossface_ghost"),
    _swapper("simswap_256", 256, "arcface_112_v1", IMAGENET, "converted_unit", UNIT, "crossface_simswap"),
    _swapper("simswap_512", 512, "arcface_112_v1", UNIT, "converted_unit", UNIT, "crossface_simswap"),
    _swapper("hififace_256", 256, "mtcnn_512", SIGNED, "converted_unit", SIGNED, "crossface_hififace"),
    Family(
        "cscs_256", "swapper",
        (Port("target", (None, 3, 256, 256), name="input_1"), Port("source", (None, 512), name="input_2")),
        (_picture("output", 256),),
        "ffhq_512", SIGNED, SIGNED, "sum", "ffhq_512", recognisers=("cscs_arcface", "cscs_id_adapter"),
    ),
    Family(
        "blendswap_256", "swapper", (_picture("target", 256), _picture("source", 112)), (_picture("output", 256),),
        "ffhq_512", UNIT, UNIT, "picture", "arcface_112_v2", UNIT,
    ),
    Family(
        "uniface_256", "swapper", (_picture("target", 256), _picture("source", 256)), (_picture("output", 256),),
        "ffhq_512", SIGNED, SIGNED, "picture", "ffhq_512", UNIT,
    ),
    Family(
        "dfm", "swapper",
        (Port("in_face", (None, None, None, 3)), Port("morph_value", (1,), optional=True)),
        (
            Port("out_celeb_face", (None, None, None, 3)),
            Port("out_celeb_face_mask", (None, None, None, 1)),
            Port("out_face_mask", (None, None, None, 1)),
        ),
        "dfl_whole_face", Coding("BGR", axes="NHWC"), Coding("BGR", axes="NHWC"),
    ),
    Family(
        "crossface", "converter", (Port("input", (None, 512)),), (Port("output", (None, 512)),),
    ),
    Family(
        "arcface_112", "recogniser", (_picture("input", 112),), (Port("embedding", (None, 512)),),
        "arcface_112_v2", SIGNED,
    ),
    Family(
        "2d106det", "landmarks", (_picture("data", 192),), (Port("fc1", (None, 212)),), coding=RAW, reach=1.5,
    ),
    Family(
        "1k3d68", "landmarks", (_picture("data", 192),), (Port("fc1", (None, 3309)),), coding=RAW, reach=1.5,
    ),
    Family(
        "2dfan4", "landmarks", (_picture("input", 256),),
        (Port("landmarks_xyscore", (None, 68, 3)), Port("heatmaps", (None, 68, 64, 64))),
        coding=Coding("BGR"), reach=256 / 195,
    ),
    Family(
        "genderage", "attributes", (_picture("data", 96),), (Port("fc1", (None, 3)),), coding=RAW, reach=1.5,
    ),
    Family(
        "fairface", "attributes", (_picture("input", 224),),
        (Port("race_id", (None,), "int64"), Port("gender_id", (None,), "int64"), Port("age_id", (None,), "int64")),
        "arcface_112_v2", IMAGENET,
    ),
    _enhancer("enhancer_512", 512),
    _enhancer("enhancer_512_1024", 512, "ffhq_512", 1024),
    _enhancer("enhancer_256", 256, "arcface_128"),
    _enhancer("enhancer_1024", 1024),
    _enhancer("enhancer_2048", 2048),
    _enhancer("codeformer", 512, "ffhq_512", 512, Port("weight", (1,), "float64", batchless=True)),
    Family(
        "frame_enhancer", "frame enhancer", (Port("input", (None, 3, None, None)),),
        (Port("output", (None, 3, None, None)),), open=True,
    ),
    Family(
        "portrait_features", "expression", (_picture("img", 256),), (Port("output", (None, 32, 16, 64, 64)),),
        "arcface_128",
    ),
    _motion("portrait_motion", Port("angle", (None, 66)), (None, 63)),
    _motion("portrait_motion_degrees", Port("angle", (None, 1), number=True), (None, 21, 3), by_place=True),
    Family(
        "portrait_generator", "expression",
        (
            Port("feature_3d", (None, 32, 16, 64, 64)),
            # Where the points are to go, and where they are. facefusion's export names these two from the other end.
            Port("kp_driving", (None, 21, 3), alias="source"), Port("kp_source", (None, 21, 3), alias="target"),
        ),
        (_picture("out", 512),),
    ),
    Family(
        "vqfr", "enhancer",
        (_picture("x_lq", 512), Port("fidelity_ratio", (1,), batchless=True)), (_picture("main_dec", 512),),
        "ffhq_512", SIGNED, SIGNED,
    ),
    _scrfd("scrfd", (8, 16, 32)),
    _scrfd("scrfd_five", (8, 16, 32, 64, 128)),
    _scrfd("scrfd_boxes", (8, 16, 32), points=False),
    _scrfd("scrfd_five_boxes", (8, 16, 32, 64, 128), points=False),
    Family(
        "yoloface", "detector", (Port("images", (None, 3, None, None)),), (Port("output0", (None, 20, None)),),
        exact=True,
    ),
    Family(
        "yunet", "detector", (Port("input", (None, 3, None, None)),),
        (
            *_maps("cls", 1, (8, 16, 32)), *_maps("obj", 1, (8, 16, 32)),
            *_maps("bbox", 4, (8, 16, 32)), *_maps("kps", 10, (8, 16, 32)),
        ),
        coding=RAW_BGR, exact=True,
    ),
    Family(
        "bisenet", "mask", (_picture("input", 512),), (_picture("output", 512, channels=19),),
        "ffhq_512", IMAGENET,
    ),
    Family(
        "xseg_nhwc", "mask", (Port("input", (None, 256, 256, 3)),), (Port("output", (None, 256, 256, 1)),),
        "dfl_whole_face", Coding("BGR", axes="NHWC"),
    ),
    Family(
        "xseg_nchw", "mask", (_picture("input", 256),), (_picture("output", 256, channels=1),),
        "dfl_whole_face", Coding("BGR"),
    ),
    Family(
        "occluder", "mask", (_picture("input", 256),), (_picture("output", 256, channels=1),),
        "dfl_whole_face",
    ),
    *(
        Family(name, "interpolator", (*_BETWEEN, *at), (Port("output", (None, 3, None, None)),))
        for name, at in (
            ("rife", (Port("timestep", (1,)), Port("scale", (1,), optional=True))),
            ("rife_plane", (Port("timestep", (None, 1, None, None)),)),
        )
    ),
    Family(
        "rife_7", "interpolator", (Port("input", (None, 7, None, None)),), (Port("output", (None, 3, None, None)),),
    ),
)  # fmt: skip

FAMILIES: Mapping[str, Family] = MappingProxyType({f.name: f for f in _ALL})
