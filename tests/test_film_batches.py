"""Films whose frames are rendered several at once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from films import make_film
from test_film_job import QUICK, Interrupt, run, step
from test_film_job import studio as studio
from test_offline import AsLong

from faceswapd.core.frame import Frame
from faceswapd.core.meter import Meter
from faceswapd.daemon.film_job import FilmJob
from faceswapd.daemon.studio import Studio
from faceswapd.faces.face import Face, Sighting
from faceswapd.processors.chain import Chain
from faceswapd.processors.processor import Picture


class Together:
    """Inverts frames, several at once as quickly as one."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, picture: Picture) -> Picture:
        return self.many([picture])[0]

    def many(self, pictures: Sequence[Picture]) -> list[Picture]:
        self.sizes.append(len(pictures))
        return [replace(p, pixels=255 - p.pixels, treated=frozenset({1})) for p in pictures]


class OneFace:
    """A tracker that sees the same face in each frame."""

    def track(self, frame: Frame, every_frame: bool) -> Sighting:
        points = np.zeros((478, 3), np.float32)
        return Sighting((Face(1, np.zeros(4, np.float32), points, 1.0),), detected=True)


@pytest.fixture
def as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceswapd.daemon.studio.Batch", AsLong)


@pytest.mark.usefixtures("as_long")
def test_frames_rendered_together_are_the_same_film(studio: Studio, tmp_path: Path) -> None:
    render = Together()
    studio.chain, studio.tracker = Chain((step(render, hides=True),)), OneFace
    source = make_film(tmp_path / "a.mp4", 120)
    options = msgspec.structs.replace(QUICK, segment_s=1.0, batch=1)
    run(studio, source, tmp_path / "one.mp4", options)
    assert set(render.sizes) == {1}
    render.sizes.clear()
    told = run(studio, source, tmp_path / "many.mp4", msgspec.structs.replace(options, batch=None))
    assert 1 < told.batch <= max(render.sizes)
    assert sum(render.sizes) == 120
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()


@pytest.mark.usefixtures("as_long")
def test_where_cores_compute_each_frame_is_by_itself_unless_told_otherwise(
    studio: Studio, tmp_path: Path
) -> None:
    render = Together()
    studio.chain, studio.tracker = Chain((step(render, hides=True),)), OneFace
    studio.computes_on_cores = True
    source = make_film(tmp_path / "a.mp4", 60)
    assert run(studio, source, tmp_path / "b.mp4").batch == 1
    assert set(render.sizes) == {1}
    told = run(studio, source, tmp_path / "c.mp4", msgspec.structs.replace(QUICK, batch=4))
    assert told.batch == max(render.sizes) == 4


@pytest.mark.usefixtures("as_long")
def test_a_resumed_film_keeps_the_size_of_its_batches(studio: Studio, tmp_path: Path) -> None:
    render = Together()
    studio.chain, studio.tracker = Chain((step(render, hides=True),)), OneFace
    source = make_film(tmp_path / "a.mp4", 200)
    options = msgspec.structs.replace(QUICK, segment_s=3.0)
    run(studio, source, tmp_path / "whole.mp4", options)
    with pytest.raises(KeyboardInterrupt):
        FilmJob(source, tmp_path / "b.mp4", studio, options, Meter(), tell=Interrupt(150)).run()
    render.sizes.clear()
    told = run(studio, source, tmp_path / "b.mp4", options, resume=True)
    assert told.resumed >= 90
    assert 1 < told.batch == render.sizes[0] == max(render.sizes)  # nothing is tried again
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
