import itertools

import numpy as np
import pytest

from faceswapd.core.settings import OnNoFace
from faceswapd.faces.face import Face, Sighting
from faceswapd.trust.failclosed import Evidence, Gate, Policy, Showing, may_write, show

HOLD = 400
POLICIES: tuple[OnNoFace, ...] = ("placeholder", "freeze", "passthrough")
LIVE, FREEZE, PLACEHOLDER = Showing.LIVE, Showing.FREEZE, Showing.PLACEHOLDER


def face(number: int, held_ns: int = 0) -> Face:
    return Face(number, np.zeros(4, np.float32), np.zeros((478, 3), np.float32), 1.0, held_ns)


SIGHTS = {
    "nobody": (),
    "one": (face(1),),
    "held": (face(1, HOLD),),
    "held too long": (face(1, HOLD + 1),),
    "two": (face(1), face(2)),
    "one and one held too long": (face(1), face(2, HOLD + 1)),
}
TWO = Sighting(SIGHTS["two"], detected=True)
CASES = list(
    itertools.product(
        (False, True),  # hides
        (False, True),  # every_face
        SIGHTS,
        (False, True),  # detected
        (frozenset[int](), frozenset({1}), frozenset({1, 2})),  # treated
        (frozenset[int](), frozenset({2})),  # spared
        (False, True),  # failed
    )
)


def evidence(case: tuple[bool, bool, str, bool, frozenset[int], frozenset[int], bool]) -> Evidence:
    hides, every_face, sight, detected, treated, spared, failed = case
    return Evidence(hides, every_face, Sighting(SIGHTS[sight], detected), treated, spared, failed)


def expected(e: Evidence, on_no_face: OnNoFace, since: int | None) -> Showing:
    """The rules of the design in prose order, written a second time and without the module's own helpers."""
    frozen = FREEZE if since is not None else PLACEHOLDER
    faces = e.sighting.faces
    safe = all(f.id in e.treated or f.id in e.spared for f in faces)
    looked = e.sighting.detected or (bool(faces) and not e.every_face)
    if e.failed or (e.hides and not (safe and looked)):
        if since is not None and since <= HOLD:
            return FREEZE
        return frozen if on_no_face == "freeze" else PLACEHOLDER
    if not e.hides or any(f.held_ns <= HOLD for f in faces):
        return LIVE
    return {"placeholder": PLACEHOLDER, "freeze": frozen, "passthrough": LIVE}[on_no_face]


@pytest.mark.parametrize("on_no_face", POLICIES)
@pytest.mark.parametrize("since", [None, 0, HOLD, HOLD + 1])
def test_every_combination_live(on_no_face: OnNoFace, since: int | None) -> None:
    for case in CASES:
        e = evidence(case)
        assert show(e, Policy(on_no_face, HOLD), since) is expected(e, on_no_face, since), case


def test_no_combination_shows_a_raw_face_or_a_failure() -> None:
    for case, on_no_face, since in itertools.product(CASES, POLICIES, (None, 0, HOLD + 1)):
        e = evidence(case)
        if show(e, Policy(on_no_face, HOLD), since) is LIVE:
            assert not e.failed
            raw = {f.id for f in e.sighting.faces} - e.treated - e.spared
            assert not (e.hides and raw), case


def test_every_combination_in_a_file() -> None:
    for case in CASES:
        hides, every_face, sight, detected, treated, spared, failed = case
        hidden = {f.id for f in SIGHTS[sight]} <= treated | spared
        looked = detected or (sight != "nobody" and not every_face)
        assert may_write(evidence(case)) is (not failed and (not hides or (hidden and looked))), case


@pytest.mark.parametrize(
    ("what", "e", "on_no_face", "since", "shown"),
    [
        ("a treated face", Evidence(True, True, Sighting((face(1),), True), frozenset({1})), "placeholder", 0, LIVE),
        ("an empty room", Evidence(True, True, Sighting((), True)), "placeholder", 10, PLACEHOLDER),
        ("an empty room", Evidence(True, True, Sighting((), True)), "freeze", 10**9, FREEZE),
        ("an empty room from the start", Evidence(True, True, Sighting((), True)), "freeze", None, PLACEHOLDER),
        ("an empty room", Evidence(True, True, Sighting((), True)), "passthrough", None, LIVE),
        ("a room nobody looked at", Evidence(True, False, Sighting((), False)), "passthrough", None, PLACEHOLDER),
        ("a model error", Evidence(True, failed=True), "passthrough", HOLD, FREEZE),
        ("a lasting model error", Evidence(True, failed=True), "passthrough", HOLD + 1, PLACEHOLDER),
        ("a lasting model error", Evidence(True, failed=True), "freeze", HOLD + 1, FREEZE),
        ("a newcomer", Evidence(True, True, TWO, frozenset({1})), "passthrough", None, PLACEHOLDER),
        ("a spared one", Evidence(True, False, TWO, frozenset({1}), frozenset({2})), "placeholder", None, LIVE),
        ("no processor at all", Evidence(False), "placeholder", None, LIVE),
    ],
)  # fmt: skip
def test_cases_by_name(
    what: str, e: Evidence, on_no_face: OnNoFace, since: int | None, shown: Showing
) -> None:
    assert show(e, Policy(on_no_face, HOLD), since) is shown


def test_a_gate_remembers_for_how_long_nothing_was_live() -> None:
    gate = Gate(Policy("placeholder", HOLD))
    good = Evidence(True, True, Sighting((face(1),), True), frozenset({1}))
    bad = Evidence(True, True, failed=True)

    assert [gate.judge(bad, 0), gate.judge(good, 100), gate.judge(bad, 500), gate.judge(bad, 501)] == [
        PLACEHOLDER, LIVE, FREEZE, PLACEHOLDER,
    ]  # fmt: skip


def test_a_picture_from_before_a_change_is_never_frozen() -> None:
    gate = Gate(Policy("freeze", HOLD))
    raw = Evidence(False, rev=1)
    broken = Evidence(True, True, failed=True, rev=2)

    assert [gate.judge(raw, 0), gate.judge(broken, 1)] == [LIVE, PLACEHOLDER]
