"""How a candidate is chosen, with runners that are a number: what they add to what goes in."""

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from faceswapd.core.errors import ConfigError, InferenceError
from faceswapd.inference import settling as module
from faceswapd.inference.choices import Choice, Timed
from faceswapd.inference.contracts import Contract, TensorSpec
from faceswapd.inference.engine import Runner, Tensor
from faceswapd.inference.menu import Menu
from faceswapd.inference.quantise import Ranges
from faceswapd.inference.referring import Content
from faceswapd.inference.served import SAMPLES, Served, Stage, offer
from faceswapd.inference.settling import confirm, settle
from faceswapd.inference.tuning import Sample

EXACT = Choice("onnxruntime", "cpu", "fp32")
OTHER = Choice("openvino", "cpu", "fp32")
HALF = Choice("openvino", "cpu", "bf16")
EIGHTH = Choice("openvino", "cpu", "int8")
CONTRACT = Contract(
    "net",
    "swapper",
    (TensorSpec("in", (None, 2), "pictures"),),
    (TensorSpec("out", (None, 2), "pictures", peak=1.0),),
)


class Adds:
    """A runner that is off by `error`, and by `far` where what goes in is above 1."""

    model, engine = "net", "net"

    def __init__(self, error: float, far: float = 0.0) -> None:
        self.error, self.far = error, far
        self.closed = False

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return ((inputs[0] + self.error + self.far * (inputs[0] > 1)).astype(np.float32),)

    def close(self) -> None:
        self.closed = True


class Kitchen:
    """int8 is off by `careless`; where the ranges do not hold what goes in, by a lot."""

    def __init__(self, errors: Mapping[Choice, float], careless: float = 0.0) -> None:
        self.errors, self.careless = errors, careless
        self.made: list[tuple[Choice, Ranges | None]] = []
        self.runners: dict[Choice, Adds] = {}

    def make(
        self, choice: Choice, contract: Contract, content: Content, ranges: Ranges | None = None
    ) -> Runner:
        assert (contract, content) == (CONTRACT, b"file")
        self.made.append((choice, ranges))
        if choice not in self.errors:
            raise ConfigError(f"{choice} is not there")
        if choice.precision != "int8":
            return self.runners.setdefault(choice, Adds(self.errors[choice]))
        assert ranges, "int8 is nothing without ranges"
        return Adds(
            self.errors[choice] + (self.careless if "last" in ranges else 0),
            0.5 if ranges["first"][1] < 2 else 0,
        )

    def ranges(
        self, choice: Choice, contract: Contract, content: Content, samples: Sequence[Sample]
    ) -> Ranges:
        most = max(float(s[0].max()) for s in samples)
        return {"first": (0.0, most), "last": (0.0, 1.0)}

    def careful(self, choice: Choice, content: Content, ranges: Ranges) -> Ranges:
        return {"first": ranges["first"]}


def samples(level: float) -> list[Sample]:
    return [(np.full((1, 2), level + n / 100, np.float32),) for n in range(SAMPLES)]


def served(
    *candidates: Choice,
    asked: frozenset[Choice] = frozenset(),
    choice: Choice = EXACT,
    runner: Runner | None = None,
    stage: Stage = "settling",
    timed: Timed | None = None,
    primed: bool = False,
    level: float = 0.5,
) -> Served:
    one = Served(
        CONTRACT,
        Menu((EXACT, *candidates), asked),
        "key",
        choice,
        runner or Adds(0),
        stage,
        timed,
        lambda _: None,
    )
    if primed:
        one.offer(samples(level))
    else:
        for sample in samples(level):
            for _ in range(5):
                one.run(*sample)
    assert one.claim()
    return one


@pytest.fixture(autouse=True)
def speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """int8 before bf16 before OpenVINO before ONNX Runtime."""
    ms = {EXACT: 40.0, OTHER: 30.0, HALF: 20.0, EIGHTH: 10.0}
    monkeypatch.setattr(module, "medians_ms", lambda runners, *_: {c: ms[c] for c in runners})


def test_the_fastest_that_stays_near_fp32_is_chosen() -> None:
    kitchen = Kitchen({OTHER: 1e-6, HALF: 0.5, EIGHTH: 0.01})
    verdict = settle(served(OTHER, HALF, EIGHTH), b"file", kitchen, threading.Event())

    assert verdict is not None
    assert verdict.timed.choice == EIGHTH
    assert verdict.timed.confirmed
    assert verdict.timed.refused == {str(HALF): "out is within 6.0 dB, asked are 35"}
    assert list(verdict.timed.ms) == [str(c) for c in (EXACT, OTHER, EIGHTH)]
    assert verdict.timed.ranges.keys() == {"first", "last"}


def test_who_is_far_behind_is_let_go_of_before_the_next_is_made() -> None:
    """The one that serves goes on serving, and what is asked for may be slow."""
    for asked in (frozenset[Choice](), frozenset({OTHER})):
        kitchen = Kitchen({OTHER: 0.0, HALF: 0.0, EIGHTH: 0.0})
        one = served(OTHER, HALF, EIGHTH, asked=asked)
        verdict = settle(one, b"file", kitchen, threading.Event())

        assert verdict is not None
        assert kitchen.runners[OTHER].closed == (not asked)
        assert kitchen.runners[HALF].closed
        assert not isinstance(one.runner, Adds) or not one.runner.closed
        assert list(verdict.timed.ms.values()) == [40.0, 30.0, 20.0, 10.0]
        assert verdict.timed.choice == (OTHER if asked else EIGHTH)


def test_int8_that_strays_is_tried_with_fewer_convolutions() -> None:
    verdict = settle(served(EIGHTH), b"file", Kitchen({EIGHTH: 0.01}, careless=0.3), threading.Event())

    assert verdict is not None
    assert verdict.timed.choice == EIGHTH
    assert verdict.timed.ranges.keys() == {"first"}


def test_what_is_asked_for_serves_although_it_is_slower() -> None:
    kitchen = Kitchen({HALF: 0.01, EIGHTH: 0.01})
    verdict = settle(served(HALF, EIGHTH, asked=frozenset({HALF})), b"file", kitchen, threading.Event())

    assert verdict is not None
    assert verdict.timed.choice == HALF


def test_a_candidate_that_cannot_be_made_is_one_that_is_refused() -> None:
    verdict = settle(served(OTHER, HALF), b"file", Kitchen({OTHER: 0.0}), threading.Event())

    assert verdict is not None
    assert verdict.timed.choice == OTHER
    assert verdict.timed.refused == {str(HALF): f"{HALF} is not there"}


def test_what_was_chosen_on_the_portrait_has_to_be_confirmed() -> None:
    kitchen = Kitchen({OTHER: 0.0, EIGHTH: 0.01})
    reduced = settle(served(EIGHTH, primed=True), b"file", kitchen, threading.Event())
    exact = settle(served(OTHER, primed=True), b"file", kitchen, threading.Event())

    assert reduced is not None
    assert not reduced.timed.confirmed
    assert exact is not None
    assert exact.timed.confirmed, "fp32 is fp32"


CHOSEN = Timed(
    "net",
    EIGHTH,
    {str(c): ms for c, ms in ((EXACT, 40.0), (OTHER, 30.0), (HALF, 20.0), (EIGHTH, 10.0))},
    {"first": (0.0, 1.0), "last": (0.0, 1.0)},
    confirmed=False,
)


def confirming(level: float, runner: Runner, *candidates: Choice) -> Served:
    return served(*candidates, choice=EIGHTH, runner=runner, stage="confirming", timed=CHOSEN, level=level)


def test_what_also_holds_for_real_work_is_confirmed() -> None:
    runner = Adds(0.01)
    verdict = confirm(confirming(0.5, runner, EIGHTH), b"file", Kitchen({EXACT: 0.0}))

    assert verdict.runner is runner
    assert verdict.timed.confirmed
    assert verdict.timed.choice == EIGHTH


def test_int8_is_calibrated_anew_with_what_real_work_shows() -> None:
    kitchen = Kitchen({EXACT: 0.0, EIGHTH: 0.01})
    verdict = confirm(confirming(3.0, Adds(0.01, far=0.5), OTHER, EIGHTH), b"file", kitchen)

    assert verdict.timed.choice == EIGHTH
    assert verdict.timed.confirmed
    assert verdict.timed.ranges["first"][1] == pytest.approx(3.04)


@pytest.mark.parametrize(("half", "instead"), [(0.01, HALF), (0.4, OTHER)])
def test_what_strays_on_real_work_gives_way_to_the_next_that_does_not(half: float, instead: Choice) -> None:
    kitchen = Kitchen({EXACT: 0.0, OTHER: 0.0, HALF: half, EIGHTH: 0.4})
    verdict = confirm(confirming(3.0, Adds(0.4), OTHER, HALF, EIGHTH), b"file", kitchen)

    assert verdict.timed.choice == instead
    assert verdict.timed.confirmed
    assert verdict.timed.refused == {str(EIGHTH): "out is within 8.0 dB, asked are 35"}
    assert verdict.timed.ranges == {}


@pytest.mark.parametrize("fails", ["the run", "the calibration", "what else there is"])
def test_what_strays_serves_no_longer_whatever_else_fails(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Ranges:
        raise InferenceError("model net failed")

    kitchen, runner = Kitchen({EXACT: 0.0, EIGHTH: 0.4}), Adds(0.4)
    one = confirming(3.0, runner, OTHER, HALF, EIGHTH)
    if fails == "the run":
        monkeypatch.setattr(runner, "run", broken)
    if fails == "the calibration":
        monkeypatch.setattr(kitchen, "ranges", broken)
    verdict = confirm(one, b"file", kitchen)

    assert verdict.timed.choice == EXACT
    assert verdict.timed.confirmed
    assert str(EIGHTH) in verdict.timed.refused


def test_made_up_samples_are_taken_once_and_only_where_nothing_is_known() -> None:
    made: list[int] = []

    def make() -> list[Sample]:
        made.append(1)
        return samples(0.5)

    ready: list[Served] = []
    one = Served(CONTRACT, Menu((EXACT, OTHER)), "key", EXACT, Adds(0), "settling", None, ready.append)
    for _ in range(3):
        offer(one, make)
    offer(Adds(0), make)
    assert ready == [one]
    assert one.primed
    assert one.claim()
    assert not one.claim()
    one.go_on("confirming")
    offer(one, make)

    assert made == [1]
    assert not one.sampled, "these have to be real"
    for sample in samples(0.1):
        for _ in range(5):
            one.run(*sample)
    assert one.sampled
    assert one.settled, "its choice serves while it is being confirmed"
