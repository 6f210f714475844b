import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import standins

from faceswapd.capture.motion import REST
from faceswapd.capture.person import Person
from faceswapd.core.effect import Effect
from faceswapd.core.errors import InferenceError, UsageError
from faceswapd.core.events import SetProcessor
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings, ProcessorSettings
from faceswapd.faces.face import Face, Sighting
from faceswapd.inference.engines import Engines
from faceswapd.processors.chain import ChainBuilder
from faceswapd.processors.enhance import Enhance, EnhanceParams
from faceswapd.processors.processor import BatchRender, Picture, Render, Workshop
from faceswapd.processors.registry import Registry
from faceswapd.processors.track_faces import FaceTracker
from faceswapd.processors.view import View

SIZE = (640, 360)
PERSON = Person(SIZE)
SCENE = PERSON.paint(REST).copy()


class Nobody:
    def photo(self, name: str) -> Pixels:
        raise UsageError(f"no face is called {name!r}")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    engines = Engines(settings, cache=folder / "e.json", shelf=standins.shelf(folder, "gpen_bfr_256"))
    yield engines
    engines.close()


@pytest.fixture(scope="module")
def face(engines: Engines) -> Face:
    return FaceTracker(engines).track(Frame(0, 0, SCENE), every_frame=True).faces[0]


class Runs:
    """How many faces each run of the network had; may hold it up, or make it fail."""

    def __init__(self, runner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.faces: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.done = threading.Semaphore(0)
        self.breaks = False
        run = runner.run

        def counted(*inputs: Any) -> Any:
            assert self.may_go.wait(10)
            try:
                self.faces.append(len(inputs[0]))
                if self.breaks:
                    raise InferenceError("model gpen_bfr_256 failed", "for the test")
                return run(*inputs)
            finally:
                self.done.release()

        monkeypatch.setattr(runner, "run", counted)


@pytest.fixture
def runs(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(engines.load("gpen_bfr_256"), monkeypatch)


def render(engines: Engines, *, every: int, live: bool = True) -> Render:
    enhance = Enhance(Workshop(engines, Nobody(), live=live))
    return enhance.prepare(EnhanceParams(model="gpen_bfr_256", blend=1.0, every=every))


def shown(work: Render, pixels: Pixels, *faces: Face) -> Picture:
    return work(Picture(pixels.copy(), faces))


def moved(pixels: Pixels, face: Face, x: float, y: float) -> tuple[Pixels, Face]:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return np.asarray(cv2.warpAffine(pixels, matrix, SIZE), np.uint8), face.moved(matrix)


def around(face: Face) -> Any:
    x0, y0, x1, y1 = np.rint(
        face.points[:, :2].min(axis=0).tolist() + face.points[:, :2].max(axis=0).tolist()
    )
    return np.s_[int(y0) : int(y1), int(x0) : int(x1)]


def test_a_face_that_moves_between_two_runs_is_restored_at_its_new_place(
    engines: Engines, face: Face, runs: Runs
) -> None:
    live, whole = render(engines, every=10), render(engines, every=1, live=False)
    shown(live, SCENE, face)
    pixels, there = moved(SCENE, face, 20, 6)

    carried = shown(live, pixels, there)
    assert runs.faces == [1]
    want = shown(whole, pixels, there).pixels
    assert np.abs(carried.pixels.astype(int) - want)[around(there)].mean() < 1.0
    assert np.abs(pixels.astype(int) - want)[around(there)].mean() > 20, "restoring is seen"
    beside = np.ones(SIZE[::-1], bool)
    x0, y0, x1, y1 = there.box
    margin = 0.2 * (x1 - x0)
    beside[int(y0 - margin) : int(y1 + margin), int(x0 - margin) : int(x1 + margin)] = False
    np.testing.assert_array_equal(carried.pixels[beside], pixels[beside])
    assert carried.effect is Effect.RESTORED


def test_who_blinks_between_two_runs_is_not_shown_with_open_eyes(
    engines: Engines, face: Face, runs: Runs
) -> None:
    live = render(engines, every=10)
    opened = shown(live, SCENE, face).pixels
    closed = PERSON.paint(replace(REST, blink=1.0)).copy()

    carried = shown(live, closed, face).pixels
    assert runs.faces == [1]
    for iris in (468, 473):
        x, y = np.rint(face.points[iris, :2]).astype(int)
        eye = np.s_[y - 1 : y + 2, x - 2 : x + 3]
        wrong = np.abs(carried[eye].astype(int) - closed[eye]).mean()
        pasted = np.abs(opened[eye].astype(int) - closed[eye]).mean()
        assert wrong < 10 < 0.3 * pasted, "the lid as the camera sees it"
    x, y = np.rint(face.points[50, :2]).astype(int)
    assert np.abs(carried[y, x].astype(int) - opened[y, x]).max() <= 3, "the cheek is carried on"


def test_every_so_many_frames_all_faces_are_one_run(engines: Engines, face: Face, runs: Runs) -> None:
    live = render(engines, every=4)
    _, other = moved(SCENE, replace(face, id=9), -150, 10)
    for _ in range(9):
        shown(live, SCENE, face, other)

    assert runs.faces == [2, 2, 2], "the first sight, the fourth frame and the eighth"


@pytest.mark.parametrize(
    ("change", "again"),
    [("none", 0), ("another face", 1), ("twice the size", 1), ("out of sight for a frame", 1)],
)
def test_what_cannot_be_carried_on_is_restored_at_once(
    engines: Engines, face: Face, runs: Runs, change: str, again: int
) -> None:
    live = render(engines, every=50)
    shown(live, SCENE, face)
    pixels, there = SCENE, face
    if change == "another face":
        there = replace(face, id=2)
    elif change == "twice the size":
        matrix = np.array([[2, 0, -300], [0, 2, -140]], np.float32)
        pixels, there = np.asarray(cv2.warpAffine(SCENE, matrix, SIZE), np.uint8), face.moved(matrix)
    elif change == "out of sight for a frame":
        shown(live, SCENE, replace(face, id=3))
        runs.faces.pop()
    got = shown(live, pixels, there).pixels

    assert runs.faces == [1] * (1 + again)
    want = shown(render(engines, every=1), pixels, there).pixels
    assert np.abs(got.astype(int) - want).max() <= (3 if not again else 0)


def test_in_the_background_no_frame_waits_for_the_network(engines: Engines, face: Face, runs: Runs) -> None:
    live = render(engines, every=0)
    runs.may_go.clear()

    first, second = shown(live, SCENE, face), shown(live, SCENE, face)
    for picture in (first, second):
        np.testing.assert_array_equal(picture.pixels, SCENE)
        assert picture.effect is Effect.NONE
    runs.may_go.set()
    assert runs.done.acquire(timeout=10)
    want = shown(render(engines, every=1), SCENE, face).pixels
    for _ in range(500):
        got = shown(live, SCENE, face)
        if got.effect is Effect.RESTORED:
            break
        threading.Event().wait(0.01)
    assert np.abs(got.pixels.astype(int) - want).max() <= 3


def test_what_fails_in_the_background_fails_a_frame(engines: Engines, face: Face, runs: Runs) -> None:
    live = render(engines, every=0)
    runs.breaks = True
    shown(live, SCENE, face)
    assert runs.done.acquire(timeout=10)

    def watch() -> None:
        for _ in range(500):
            shown(live, SCENE, face)
            threading.Event().wait(0.01)

    with pytest.raises(InferenceError, match="gpen_bfr_256 failed"):
        watch()


def test_nothing_is_carried_over_a_change_of_the_chain(engines: Engines, face: Face, runs: Runs) -> None:
    known = Registry([Enhance(Workshop(engines, Nobody(), live=True)), View(Workshop(engines, Nobody()))])
    builder = ChainBuilder(known)
    params = {"model": "gpen_bfr_256", "every": 50}
    chain = builder.build([ProcessorSettings("enhance", params=params)])
    sighting = Sighting((face,), detected=True)
    for _ in range(3):
        chain.render(SCENE, sighting)
    assert runs.faces == [1]

    after = builder.changed(chain, (SetProcessor("view", enabled=True),))
    after.render(SCENE, sighting)
    assert runs.faces == [1, 1], "a swap may have been switched on before it"
    chain.render(SCENE, sighting)
    assert runs.faces == [1, 1], "a frame that began with the old chain ends with it"


def test_a_film_is_restored_in_every_frame(engines: Engines, face: Face, runs: Runs) -> None:
    work = render(engines, every=10, live=False)
    for _ in range(3):
        shown(work, SCENE, face)

    assert runs.faces == [1, 1, 1]
    assert isinstance(work, BatchRender)
    assert not isinstance(render(engines, every=10), BatchRender), "live, frames have an order"
