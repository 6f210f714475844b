"""`faceswapd face analyse`: what is seen in a photo."""

import argparse
import logging
import sys
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.table import Table

from ..capture.picture import load
from ..core.errors import UsageError
from ..core.frame import Frame, Pixels
from ..core.settings import Settings
from ..faces.face import Face
from ..faces.overlay import draw
from ..inference.engines import Engines
from ..inference.landmarker import Landmarker, Landmarks
from ..inference.shelf import Shelf
from ..processors.analysis import Analysis
from ..sinks.picture import save
from . import config, places
from .logs import configure
from .options import analysis_options, check_analysis
from .precheck import check_models


class Seen(msgspec.Struct, frozen=True):
    """One face as `--json` tells it; places are pixels of the upright photo."""

    box: tuple[float, ...]
    """x0, y0, x1, y1."""
    five: tuple[tuple[float, ...], ...]
    """The eye on the left of the picture, the other one, the nose, the corners of the mouth."""
    pitch: float
    """Degrees; positive looks up."""
    yaw: float
    """Degrees; positive looks to the right side of the picture."""
    roll: float
    """Degrees; positive leans clockwise in the picture."""
    score: float
    sex: str | None = None
    age: int | None = None
    landmarks: tuple[tuple[float, ...], ...] = ()
    """All points of the landmark model, where one is chosen."""


def analyse(args: argparse.Namespace) -> int:
    """Prints what is seen; with `--save` draws it into a copy. Raises as `config.load` and the models do."""
    configure(logging.WARNING)
    settings = config.load({"analysis": analysis_options(args)}, args.config)
    check_analysis(args, settings.analysis)
    check_models(settings, places.data_dir() / "models", args.config)
    if args.save is not None and args.save.exists():
        raise UsageError(f"{args.save} exists", "choose another name for the copy")
    seen, pixels = _look(load(args.photo).pixels, settings)
    if args.save is not None:
        save(args.save, pixels)
    if args.json:
        height, width = pixels.shape[:2]
        said = {"photo": str(args.photo), "size": (width, height), "faces": seen}
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
        return 0
    console = Console(soft_wrap=True)
    if not seen:
        console.print(f"no face is found in {args.photo}", highlight=False, markup=False)
        return 0
    table = Table(box=None)
    for column in ("face", "box", "eyes, nose, mouth", "pitch, yaw, roll", "sex, age"):
        table.add_column(column, no_wrap=column != "eyes, nose, mouth")
    for n, one in enumerate(seen, 1):
        known = f"{one.sex}, {one.age}" if one.sex else "-"
        table.add_row(
            str(n), _text(one.box), " ".join(_text(p) for p in one.five),
            _text((one.pitch, one.yaw, one.roll)), known,
        )  # fmt: skip
    console.width = max(80, console.width)  # narrower it could not be read
    console.print(table)
    if not settings.analysis.attributes:
        console.print("sex and age: no model is chosen (--attributes)", highlight=False, style="dim")
    return 0


def _look(pixels: Pixels, settings: Settings) -> tuple[list[Seen], Pixels]:
    """The faces of a picture, the largest first, and a copy in which they are drawn."""
    engines = Engines(
        settings.inference, cache=places.cache_dir() / "engines.json", live=False,
        shelf=Shelf(places.data_dir() / "models"),
    )  # fmt: skip
    try:
        tracker = Analysis(engines, settings.analysis, engines.plan).tracker()
        found = tracker.track(Frame(0, 0, pixels), every_frame=False).faces
        faces = sorted(found, key=lambda face: -face.area)
        points: list[Landmarks | None] = [None] * len(faces)
        if settings.analysis.landmarks:
            points = [*Landmarker(engines, settings.analysis.landmarks).look(pixels, faces)]
    finally:
        engines.close()
    drawn = pixels.copy()
    for face in faces:
        draw(drawn, face)
    return [_seen(face, told) for face, told in zip(faces, points, strict=True)], drawn


def _seen(face: Face, told: Landmarks | None) -> Seen:
    pose = face.pose
    return Seen(
        box=_places(face.box.tolist()),
        five=tuple(_places(row) for row in face.anchors.tolist()),
        pitch=round(pose.pitch, 1),
        yaw=round(pose.yaw, 1),
        roll=round(pose.roll, 1),
        score=round(face.score, 3),
        sex=face.attributes.sex if face.attributes else None,
        age=face.attributes.age if face.attributes else None,
        landmarks=tuple(_places(row) for row in told.points.tolist()) if told is not None else (),
    )


def _places(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(v, 2) for v in values)


def _text(values: tuple[float, ...]) -> str:
    return ", ".join(f"{v:.0f}" for v in values)
