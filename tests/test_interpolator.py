"""RIFE's contracts with stand-ins whose arithmetic shows which picture is which, and which colour."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
import standins
from films import make_film, pictures
from test_between import cloth
from test_film_job import NoFace, left, run

from faceswapd.core.errors import ModelError, UsageError
from faceswapd.core.frame import Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.daemon.film_frames import FilmOptions
from faceswapd.daemon.studio import Studio
from faceswapd.inference.engines import Engines
from faceswapd.inference.interpolator import Interpolator
from faceswapd.inference.pool import Pool
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.chain import Chain
from faceswapd.trust.disclosure import Disclosure

Kind = Literal["time", "plane", "seven"]
KINDS: tuple[tuple[Kind, str], ...] = (("time", "rife"), ("plane", "rife_plane"), ("seven", "rife_7"))


def coloured(red: int, green: int, blue: int, size: tuple[int, int] = (70, 50)) -> Pixels:
    picture = np.empty((size[1], size[0], 3), np.uint8)
    picture[:] = (blue, green, red)
    return picture


def expected(first: Pixels, second: Pixels, at: float) -> Pixels:
    """What the stand-in makes of them."""
    fades = [np.array(fade[::-1]) for fade in standins.FADES]
    return np.asarray(np.rint((1 - at) * first * fades[0] + at * second * fades[1]), np.uint8)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("interpolators")
    shelf = Shelf(folder / "models", {})
    for kind, _ in KINDS:
        (folder / f"{kind}.onnx").write_bytes(standins.interpolator(kind))
        shelf.add(folder / f"{kind}.onnx")
    (folder / "fixed.onnx").write_bytes(standins.interpolator("time", 256))
    shelf.add(folder / "fixed.onnx")
    engines = Engines(InferenceSettings(threads=2), cache=folder / "engines.json", live=False, shelf=shelf)
    yield engines
    engines.close()


@pytest.mark.parametrize(("kind", "family"), KINDS)
def test_every_export_is_known_by_its_tensors_and_draws(engines: Engines, kind: Kind, family: str) -> None:
    assert engines.shelf.card(kind).family == family
    model = Interpolator(engines, kind)
    first, second = coloured(200, 90, 30), coloured(20, 120, 240)
    first[10:20, 30:50] = 255
    for at in (0.25, 0.5, 0.9):
        drawn = model.between(first, second, at)
        assert drawn.shape == first.shape
        assert np.abs(drawn.astype(int) - expected(first, second, at)).max() <= 1


def test_the_catalogue_knows_one_by_its_file(tmp_path: Path) -> None:
    card = standins.shelf(tmp_path, "rife_4.9").card("rife_4.9")
    assert (card.family, card.licence, card.side) == ("rife", "MIT", 0)


def test_what_cannot_draw_is_refused_by_name(engines: Engines, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="256 high"):
        Interpolator(engines, "fixed")
    with pytest.raises(UsageError, match="no model is called 'nothing'"):
        Interpolator(engines, "nothing")
    shelf = standins.shelf(tmp_path, "occluder")
    with_mask = Engines(InferenceSettings(threads=1), cache=tmp_path / "e.json", live=False, shelf=shelf)
    with pytest.raises(UsageError, match="no interpolator but a mask"):
        Interpolator(with_mask, "occluder")
    with_mask.close()


def test_a_film_is_drawn_by_it(engines: Engines, tmp_path: Path) -> None:
    pool = Pool("test", 2)
    studio = Studio(Chain(), pool, Disclosure(), NoFace, models=engines)
    ground = np.repeat(
        cloth(1, 64, 96, 0, 60)[..., None], 3, axis=2
    )  # a plain picture would be another scene
    colours = ((150, 90, 30), (20, 110, 190), (180, 60, 40))
    looks = [ground + coloured(*colour, size=(96, 64)) for colour in colours]
    source = make_film(tmp_path / "a.mp4", 3, (96, 64), pictures=iter(looks), options={"qp": "1"})
    options = FilmOptions(preset="ultrafast", quality=100, interpolate=Fraction(60), interpolate_model="time")
    told = run(studio, source, tmp_path / "b.mp4", options)
    assert (told.frames_out, told.interpolated) == (6, 2)
    seen = pictures(tmp_path / "b.mp4")
    for n in (0, 1):
        wanted = expected(looks[n], looks[n + 1], 0.5)
        turned = expected(looks[n + 1], looks[n], 0.5)
        assert np.abs(seen[2 * n + 1].astype(int) - wanted).mean() < 4
        assert np.abs(seen[2 * n + 1].astype(int) - turned).mean() > 6
        assert np.abs(seen[2 * n].astype(int) - looks[n]).mean() < 3
    with pytest.raises(UsageError, match="no model is called 'nothing'"):
        run(studio, source, tmp_path / "c.mp4", msgspec.structs.replace(options, interpolate_model="nothing"))
    assert left(tmp_path) == ["a.mp4", "b.mp4"]
    pool.close()
