"""A swapper live: in every frame where it has time, else its faces bent to the frames between."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import standins
from test_enhance_live import PERSON, SCENE, Runs, moved, shown

from faceswapd.capture.motion import REST
from faceswapd.core.effect import Effect
from faceswapd.core.errors import InferenceError
from faceswapd.core.frame import Frame, Pixels
from faceswapd.core.settings import InferenceSettings
from faceswapd.faces.face import Face
from faceswapd.inference.engines import Engines
from faceswapd.processors.neural_swap import NeuralSwap
from faceswapd.processors.processor import BatchRender, Picture, Workshop
from faceswapd.processors.swapping import LiveSwapping, NeuralSwapParams, Swapping
from faceswapd.processors.track_faces import FaceTracker

MODEL = "inswapper_128"
PHOTO = np.asarray(cv2.imread(str(Path(__file__).parent.parent / "capture/assets/portrait.jpg")), np.uint8)
LONG, NONE = 10**12, 1


class Wardrobe:
    def photo(self, _: str) -> Pixels:
        return PHOTO


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("models")
    settings = InferenceSettings(engine="onnxruntime", precision="fp32", provider="cpu")
    shelf = standins.shelf(folder, *standins.SWAPPERS, *standins.OTHERS)
    engines = Engines(settings, cache=folder / "engines.json", shelf=shelf)
    yield engines
    engines.close()


@pytest.fixture(scope="module")
def face(engines: Engines) -> Face:
    return FaceTracker(engines).track(Frame(0, 0, SCENE), every_frame=True).faces[0]


@pytest.fixture
def runs(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(engines.load(MODEL), monkeypatch)


def live(engines: Engines, budget_ns: int = LONG, **params: Any) -> LiveSwapping:
    swap = NeuralSwap(Workshop(engines, Wardrobe(), live=True, budget_ns=budget_ns))
    work = swap.prepare(NeuralSwapParams(face="ada", model=MODEL, **params))
    assert isinstance(work, LiveSwapping)
    return work


def settle(work: LiveSwapping) -> None:
    """What was begun behind the frames is over."""
    work._thread.submit(int).result()


def test_where_there_is_time_every_frame_is_the_networks_own(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines)
    whole = NeuralSwap(Workshop(engines, Wardrobe())).prepare(NeuralSwapParams(face="ada", model=MODEL))
    for n in range(4):
        pixels, there = moved(SCENE, face, 5.0 * n, 0)
        picture = shown(work, pixels, there)
        np.testing.assert_array_equal(picture.pixels, shown(whole, pixels, there).pixels)
    assert runs.faces == [1] * 8


def test_where_there_is_none_no_frame_waits_for_the_network_and_every_face_is_worn_on(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines, NONE)
    first = shown(work, SCENE, face)
    assert runs.faces == [1]
    runs.may_go.clear()
    for n in range(5):  # the network is held up
        pixels, there = moved(SCENE, face, 4.0 * n, 2.0)
        picture = shown(work, pixels, there)
        assert picture.treated == {face.id}
        assert picture.effect is Effect.SWAPPED
        x, y = np.rint(there.points[1, :2]).astype(int)
        at = np.rint(face.points[1, :2]).astype(int)
        np.testing.assert_allclose(picture.pixels[y, x].astype(int), first.pixels[at[1], at[0]], atol=6)
    runs.may_go.set()
    settle(work)
    assert runs.faces == [1, 1]


def test_light_that_changes_while_the_network_works_is_on_the_worn_face(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines, NONE)
    first = shown(work, SCENE, face)
    runs.may_go.clear()
    x, y = np.rint(face.points[1, :2]).astype(int)
    for light in (0.8, 0.6, 0.5, 0.7, 1.0):
        dim = np.asarray(np.rint(SCENE * light), np.uint8)
        picture = shown(work, dim, face)
        np.testing.assert_allclose(picture.pixels[y, x].astype(int), first.pixels[y, x] * light, atol=4)
    runs.may_go.set()
    settle(work)


def test_what_the_network_makes_behind_the_frames_is_what_is_bent_next(
    engines: Engines, face: Face, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = live(engines, NONE)
    before = shown(work, SCENE, face).pixels
    shown(work, 255 - SCENE, face)  # the network is shown something else
    settle(work)
    after = shown(work, SCENE, face).pixels
    x, y = np.rint(face.points[1, :2]).astype(int)
    assert np.abs(after[y, x].astype(int) - before[y, x]).max() > 20
    settle(work)


def test_a_face_that_has_just_come_or_has_turned_waits(engines: Engines, face: Face, runs: Runs) -> None:
    work = live(engines, NONE, every=50)
    shown(work, SCENE, face)
    newcomer = replace(face.moved(np.array([[1, 0, 150], [0, 1, 0]], np.float32)), id=face.id + 1)
    picture = shown(work, SCENE, face, newcomer)
    assert runs.faces == [1, 1]
    assert picture.treated == {face.id, newcomer.id}
    points = face.points.copy()
    middle = points[:, 0].mean()
    points[:, 0] = middle + 0.6 * (points[:, 0] - middle)  # as seen from its side
    picture = shown(work, SCENE, replace(face, points=points), newcomer)
    assert runs.faces == [1, 1, 1]
    assert picture.treated == {face.id, newcomer.id}


def test_who_is_there_after_a_cut_waits_and_wears_nothing_of_who_was_there_before(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines, every=50)
    shown(work, SCENE, face)
    somebody = replace(face, appearance=face.appearance + 1)
    other = 255 - SCENE
    whole = NeuralSwap(Workshop(engines, Wardrobe())).prepare(NeuralSwapParams(face="ada", model=MODEL))

    picture = shown(work, other, somebody)
    assert runs.faces == [1, 1]
    np.testing.assert_array_equal(picture.pixels, shown(whole, other, somebody).pixels)


def test_what_the_network_made_before_a_cut_comes_too_late(engines: Engines, face: Face, runs: Runs) -> None:
    work = live(engines, NONE)
    shown(work, SCENE, face)
    late = work._work.looks(Picture(SCENE.copy(), (face,)))
    somebody = replace(face, appearance=face.appearance + 1)
    shown(work, 255 - SCENE, somebody)
    kept = work._kept[face.id]
    assert kept.appearance == somebody.appearance

    work._swapped(late, Picture(SCENE.copy(), (face,)), 1)  # begun behind the first frame
    assert work._kept[face.id] is kept


def test_a_held_face_is_the_last_one_seen_and_the_network_learns_nothing_there(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines, NONE)
    first = shown(work, SCENE, face)
    kept, wall = work._kept[face.id], np.full_like(SCENE, 90)
    for held_ms in (33, 66, 100):
        picture = shown(work, wall, replace(face, held_ns=held_ms * 1_000_000))
        x, y = np.rint(face.points[1, :2]).astype(int)
        np.testing.assert_allclose(picture.pixels[y, x].astype(int), first.pixels[y, x], atol=2)
        assert picture.treated == {face.id}
    settle(work)
    assert runs.faces == [1]
    assert work._kept[face.id] is kept

    # One of whom nothing fits any longer is hidden by what the network makes of the wall, until it is seen again.
    points = face.points.copy()
    points[:, 0] = points[:, 0].mean() + 0.6 * (points[:, 0] - points[:, 0].mean())
    turned = replace(face, points=points)
    for _ in range(2):
        shown(work, wall, replace(turned, held_ns=1))
    assert runs.faces == [1, 1]
    shown(work, SCENE, turned)
    assert runs.faces == [1, 1, 1]
    settle(work)


def test_every_so_many_frames_all_faces_are_one_run(engines: Engines, face: Face, runs: Runs) -> None:
    work = live(engines, every=3)
    for _ in range(7):
        shown(work, SCENE, face)
    assert runs.faces == [1, 1, 1]  # the first, the third, the sixth
    once = live(engines, every=60)
    other = replace(face, id=face.id + 1)
    shown(once, SCENE, face, other)
    assert runs.faces[3:] == [2]


def test_a_blink_is_not_kept_in_the_place_of_open_eyes(engines: Engines, face: Face, runs: Runs) -> None:
    work = live(engines, every=2)
    shown(work, SCENE, face)
    kept = work._kept[face.id]
    pixels = PERSON.paint(replace(REST, blink=1.0)).copy()
    shut = replace(FaceTracker(engines).track(Frame(0, 0, pixels), every_frame=True).faces[0], id=face.id)
    shown(work, pixels, shut)
    assert runs.faces == [1, 1]
    assert work._kept[face.id] is kept
    shown(work, SCENE, face)
    shown(work, SCENE, face)
    assert work._kept[face.id] is not kept


def test_the_network_is_run_in_every_frame_again_once_it_has_time(engines: Engines) -> None:
    work = live(engines, 1000)
    for took_ns, quick in [(500, True), (920, True), (2000, True), (5000, False), (650, False)]:
        work._took(took_ns)
        assert work._quick is quick, took_ns
    for _ in range(30):
        work._took(600)
    assert work._quick


def test_what_fails_behind_the_frames_hides_one(engines: Engines, face: Face, runs: Runs) -> None:
    work = live(engines, NONE)
    shown(work, SCENE, face)
    runs.breaks = True
    shown(work, SCENE, face)
    settle(work)
    runs.breaks = False
    with pytest.raises(InferenceError, match="for the test"):
        shown(work, SCENE, face)
    settle(work)
    assert shown(work, SCENE, face).treated == {face.id}
    settle(work)  # or it would be counted in the test after this one


def test_who_is_out_of_sight_is_forgotten_and_nothing_outlives_a_change(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines, every=50)
    shown(work, SCENE, face)
    shown(work, SCENE)
    shown(work, SCENE, face)
    assert runs.faces == [1, 1]
    anew = work.anew()
    shown(anew, SCENE, face)
    assert runs.faces == [1, 1, 1]


def test_the_wearers_own_identity_is_seen_in_what_nobody_has_drawn_on(
    engines: Engines, face: Face, runs: Runs
) -> None:
    work = live(engines, NONE, strength=0.7)
    for _ in range(3):
        picture = work(Picture(SCENE.copy(), (face,)))
        assert picture.treated == {face.id}
        settle(work)


def test_films_and_every_frame_are_the_networks_own(engines: Engines) -> None:
    def prepared(is_live: bool, every: int) -> object:
        swap = NeuralSwap(Workshop(engines, Wardrobe(), live=is_live))
        return swap.prepare(NeuralSwapParams(face="ada", model=MODEL, every=every))

    for work in (prepared(False, 0), prepared(False, 5), prepared(True, 1)):
        assert isinstance(work, Swapping)
        assert isinstance(work, BatchRender)
    assert isinstance(prepared(True, 0), LiveSwapping)
