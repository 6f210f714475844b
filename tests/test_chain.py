from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from msgspec import Meta

from faceswapd.core.errors import InferenceError, UsageError
from faceswapd.core.events import Reorder, SetFace, SetProcessor
from faceswapd.core.params import Params
from faceswapd.core.settings import ProcessorSettings
from faceswapd.faces.face import Face, Sighting
from faceswapd.processors.chain import Chain, ChainBuilder
from faceswapd.processors.processor import Effect, Picture, Processor, Render
from faceswapd.processors.registry import Registry
from faceswapd.processors.wearer import UnwearableError

FACES = tuple(
    Face(n, np.zeros(4, np.float32), np.zeros((478, 3), np.float32), 1.0) for n in (1, 2)
)  # fmt: skip
SEEN = Sighting(FACES, detected=True)
PIXELS = np.full((8, 8, 3), 7, np.uint8)


class WearParams(Params, frozen=True):
    face: str = "mask"


class PaintParams(Params, frozen=True):
    value: Annotated[int, Meta(ge=0, le=255)] = 1


class Wear:
    """Treats the first face, spares the rest."""

    name: ClassVar[str] = "wear"
    help: ClassVar[str] = "for tests"
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = True
    every_face: ClassVar[bool] = False
    params_type = WearParams

    def __init__(self) -> None:
        self.prepared: list[WearParams] = []

    def prepare(self, params: WearParams) -> Render:
        if params.face == "nobody":
            raise UsageError("no face is called nobody", "add it")
        self.prepared.append(params)
        return lambda p: Picture(
            p.pixels, p.faces, p.effect | Effect.SWAPPED, p.treated | {1}, p.spared | {f.id for f in p.faces[1:]}
        )  # fmt: skip


class Hide:
    """Treats whoever is there, but overlooks the second face when it is told to."""

    name: ClassVar[str] = "hide"
    help: ClassVar[str] = "for tests"
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = True
    every_face: ClassVar[bool] = True
    params_type = Params

    def __init__(self, overlooks: bool = False) -> None:
        self.overlooks = overlooks

    def prepare(self, params: Params) -> Render:
        treated = {1} if self.overlooks else {1, 2}
        return lambda p: Picture(
            p.pixels, p.faces, p.effect | Effect.ANONYMIZED, p.treated | treated, p.spared
        )


class Paint:
    """Draws into the picture it is given."""

    name: ClassVar[str] = "paint"
    help: ClassVar[str] = "for tests"
    needs_faces: ClassVar[bool] = False
    hides_face: ClassVar[bool] = False
    every_face: ClassVar[bool] = False
    params_type = PaintParams

    def __init__(self) -> None:
        self.prepared: list[PaintParams] = []

    def prepare(self, params: PaintParams) -> Render:
        self.prepared.append(params)

        def render(picture: Picture) -> Picture:
            if params.value == 13:
                raise ZeroDivisionError("of all numbers")
            picture.pixels[0] = params.value
            return picture

        return render


def builder(*processors: Processor[Any]) -> ChainBuilder:
    return ChainBuilder(Registry(processors or (Wear(), Hide(), Paint())))


def build(*settings: ProcessorSettings, by: ChainBuilder | None = None) -> Chain:
    return (by or builder()).build(settings)


def order(chain: Chain) -> list[tuple[str, bool]]:
    return [(s.name, s.enabled) for s in chain.steps]


def test_an_empty_chain_hands_on_the_very_picture() -> None:
    chain = build(ProcessorSettings("paint", enabled=False))

    shown = chain.render(PIXELS, SEEN)

    assert shown.pixels is PIXELS
    assert (chain.tracks, chain.hides, chain.detect_every_frame) == (False, False, False)


def test_steps_work_in_order_on_one_copy() -> None:
    chain = build(ProcessorSettings("paint", params={"value": 200}), ProcessorSettings("hide"))

    shown = chain.render(PIXELS, SEEN)

    assert (PIXELS == 7).all()
    assert (shown.pixels[0] == 200).all()
    assert (shown.pixels[1:] == 7).all()
    assert (shown.effect, shown.treated, shown.faces) == (Effect.ANONYMIZED, frozenset({1, 2}), FACES)


@pytest.mark.parametrize(
    ("name", "tracks", "hides", "every"),
    [("wear", True, True, False), ("hide", True, True, True), ("paint", False, False, False)],
)
def test_only_steps_that_are_on_count(name: str, tracks: bool, hides: bool, every: bool) -> None:
    on, off = build(ProcessorSettings(name)), build(ProcessorSettings(name, enabled=False))

    assert (on.tracks, on.hides, on.detect_every_frame) == (tracks, hides, every)
    assert (off.tracks, off.hides, off.detect_every_frame) == (False, False, False)


def test_a_face_is_spared_only_if_every_step_that_hides_spares_it() -> None:
    alone = build(ProcessorSettings("wear"))
    overlooked = build(
        ProcessorSettings("wear"), ProcessorSettings("hide"), by=builder(Wear(), Hide(overlooks=True))
    )

    assert alone.render(PIXELS, SEEN).spared == {2}
    assert overlooked.render(PIXELS, SEEN).spared == set()
    assert overlooked.render(PIXELS, SEEN).treated == {1}


def test_frames_in_a_batch_are_what_they_are_one_by_one() -> None:
    chain = build(ProcessorSettings("wear"), ProcessorSettings("hide"), ProcessorSettings("paint"))
    frames = [(np.full((8, 8, 3), n, np.uint8), s) for n, s in ((7, SEEN), (8, Sighting((), detected=True)))]

    for (pixels, sighting), picture in zip(frames, chain.render_many(frames), strict=True):
        alone = chain.render(pixels, sighting)
        np.testing.assert_array_equal(picture.pixels, alone.pixels)
        assert (picture.effect, picture.treated) == (alone.effect, alone.treated)
        assert picture.spared == alone.spared
        assert pixels[0, 0, 0] in (7, 8), "the frame is only read"
    assert chain.render_many([]) == []


def test_a_failing_step_is_named() -> None:
    chain = build(ProcessorSettings("paint", params={"value": 13}))

    with pytest.raises(InferenceError, match=r"processor paint failed.*of all numbers") as caught:
        chain.render(PIXELS, SEEN)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([ProcessorSettings("blurr")], "unknown processor 'blurr': known are wear, hide, paint"),
        ([ProcessorSettings("hide"), ProcessorSettings("hide")], "stands in the chain twice"),
        ([ProcessorSettings("paint", params={"value": 300})], "processor paint: value cannot be .*0 to 255"),
        ([ProcessorSettings("paint", False, {"valu": 3})], "processor paint: unknown parameter 'valu'"),
        ([ProcessorSettings("wear", False, {"face": "nobody"})], "no face is called nobody"),
    ],
)
def test_what_does_not_exist_is_refused_also_when_off(
    settings: list[ProcessorSettings], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build(*settings)


def test_a_toggle_makes_a_new_chain_with_the_same_renders() -> None:
    paint = Paint()
    by = builder(Wear(), paint)
    old = build(ProcessorSettings("wear", enabled=False), ProcessorSettings("paint"), by=by)

    new = by.changed(old, (SetProcessor("wear", toggle=True), SetProcessor("paint", params={"value": 1})))

    assert order(old) == [("wear", False), ("paint", True)]
    assert order(new) == [("wear", True), ("paint", True)]
    assert new.rev == old.rev + 1
    assert [s.render for s in new.steps] == [s.render for s in old.steps]
    assert paint.prepared == [PaintParams(1)]


def test_changed_parameters_prepare_only_their_own_step() -> None:
    wear, paint = Wear(), Paint()
    by = builder(wear, paint)
    old = build(ProcessorSettings("wear"), ProcessorSettings("paint"), by=by)

    new = by.changed(old, (SetProcessor("paint", params={"value": 9}),))

    assert (new.render(PIXELS, SEEN).pixels[0] == 9).all()
    assert (old.render(PIXELS, SEEN).pixels[0] == 1).all()
    assert (len(wear.prepared), len(paint.prepared)) == (1, 2)


def test_a_newcomer_takes_its_natural_place() -> None:
    by = builder()
    chain = build(ProcessorSettings("paint"), by=by)

    chain = by.changed(chain, (SetProcessor("hide", enabled=True), SetProcessor("wear")))
    assert order(chain) == [("wear", False), ("hide", True), ("paint", True)]

    chain = by.changed(build(ProcessorSettings("wear"), by=by), (SetProcessor("paint", toggle=True),))
    assert order(chain) == [("wear", True), ("paint", True)]


def test_the_order_can_be_said() -> None:
    by = builder()
    chain = build(ProcessorSettings("wear"), ProcessorSettings("paint"), by=by)

    assert order(by.changed(chain, (Reorder(("paint", "wear")),))) == [("paint", True), ("wear", True)]
    with pytest.raises(UsageError, match="name each of wear, paint once"):
        by.changed(chain, (Reorder(("paint",)),))


def test_one_wrong_command_changes_nothing() -> None:
    by = builder()
    old = build(ProcessorSettings("hide"), by=by)

    with pytest.raises(UsageError, match="nobody"):
        by.changed(old, (SetProcessor("hide", enabled=False), SetFace("nobody")))
    with pytest.raises(UsageError, match="both toggled and set"):
        by.changed(old, (SetProcessor("hide", enabled=False, toggle=True),))

    assert order(old) == [("hide", True)]
    assert old.rev == 0


def test_a_face_is_worn_by_the_step_that_wears_faces() -> None:
    by = builder()
    absent, off = (
        build(ProcessorSettings("hide"), by=by),
        build(ProcessorSettings("wear", enabled=False), by=by),
    )

    assert (absent.face, off.face) == ("", "mask")
    worn = by.changed(absent, (SetFace("ada"),))
    assert (worn.face, order(worn)) == ("ada", [("wear", False), ("hide", True)])
    assert by.changed(off, (SetFace("ada"),)).face == "ada"
    with pytest.raises(UsageError, match="no processor wears faces"):
        builder(Paint()).changed(Chain(), (SetFace("ada"),))


class Picky(Wear):
    """Cannot wear the mask."""

    name: ClassVar[str] = "picky"

    def prepare(self, params: WearParams) -> Render:
        if params.face == "mask":
            raise UnwearableError("picky cannot wear 'mask'", "wear it by wear")
        return super().prepare(params)


def test_a_face_that_one_step_cannot_wear_is_worn_by_another_or_nothing_changes() -> None:
    by = builder(Wear(), Picky())
    ada = {"face": "ada"}

    def faces(chain: Chain) -> list[tuple[str, object]]:
        return [(s.name, s.params["face"]) for s in chain.states]

    both = build(ProcessorSettings("wear", params=ada), ProcessorSettings("picky", False, ada), by=by)
    assert faces(by.changed(both, (SetFace("mask"),))) == [("wear", "mask"), ("picky", "ada")]
    on = by.changed(both, (SetProcessor("picky", enabled=True),))
    with pytest.raises(UsageError, match="picky cannot wear 'mask': wear it by wear"):
        by.changed(on, (SetFace("mask"),))
    assert faces(on) == [("wear", "ada"), ("picky", "ada")]
    alone = build(ProcessorSettings("picky", False, ada), by=by)
    with pytest.raises(UsageError, match="picky cannot wear 'mask'"):
        by.changed(alone, (SetFace("mask"),))


def test_the_state_tells_the_whole_chain() -> None:
    chain = build(ProcessorSettings("wear", enabled=False), ProcessorSettings("paint", params={"value": 4}))

    assert [(s.name, s.enabled, s.params) for s in chain.states] == [
        ("wear", False, {"face": "mask"}),
        ("paint", True, {"value": 4}),
    ]
