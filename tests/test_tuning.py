import threading
from collections.abc import Callable

import numpy as np
import pytest
from fakes import FakeRunner

from faceswapd.inference.contracts import CONTRACTS, Contract, TensorSpec
from faceswapd.inference.engine import Tensor
from faceswapd.inference.tuning import medians_ms, psnr_db, strays

SAMPLES = [(np.full((1, 2), n, np.float32),) for n in range(3)]
CONTRACT = Contract(
    "m",
    "test",
    (TensorSpec("x", (1, 2), ""),),
    (TensorSpec("judged", (1, 2), "", tolerance=0.1), TensorSpec("free", (1, 2), "")),
)


def shifted(judged: float, free: float = 0.0) -> FakeRunner:
    return FakeRunner("m", lambda x: (x + judged, x + free))


def test_runners_take_turns_on_the_same_samples() -> None:
    seen: list[tuple[str, float]] = []

    def logging(name: str) -> Callable[[Tensor], tuple[Tensor, ...]]:
        def work(x: Tensor) -> tuple[Tensor, ...]:
            seen.append((name, float(x[0, 0])))
            return (x,)

        return work

    runners = {n: FakeRunner(n, logging(n)) for n in "ab"}
    ms = medians_ms(runners, SAMPLES, threading.Event(), rounds=3)

    assert list(ms) == ["a", "b"]
    assert seen == [(name, float(n)) for n in (1, 2, 0, 1, 2) for name in "ab"], "two rounds warm up"


class Stopwatch:
    """Time that passes as a test says."""

    now_s = 100.0

    def perf_counter(self) -> float:
        return self.now_s


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    watch = Stopwatch()
    monkeypatch.setattr("faceswapd.inference.tuning.time", watch)
    return watch


def test_the_median_is_in_milliseconds_and_forgives_one_slow_run(stopwatch: Stopwatch) -> None:
    calls: list[int] = []

    def work(x: Tensor) -> tuple[Tensor, ...]:
        calls.append(1)
        stopwatch.now_s += 0.2 if len(calls) == 5 else 0.005
        return (x,)

    ms = medians_ms({"a": FakeRunner("m", work)}, SAMPLES, threading.Event(), rounds=7)

    assert ms["a"] == pytest.approx(5)


def test_who_is_far_behind_runs_three_rounds_and_still_has_a_median(stopwatch: Stopwatch) -> None:
    runs = {"near": 0, "far": 0}

    def slow(name: str, seconds: float) -> Callable[[Tensor], tuple[Tensor, ...]]:
        def work(x: Tensor) -> tuple[Tensor, ...]:
            runs[name] += 1
            stopwatch.now_s += seconds
            return (x,)

        return work

    runners = {"near": FakeRunner("m", slow("near", 0.001)), "far": FakeRunner("m", slow("far", 0.05))}
    ms = medians_ms(runners, SAMPLES, threading.Event(), rounds=7)

    assert runs == {"near": 9, "far": 5}, "two rounds warm up"
    assert ms == pytest.approx({"near": 1, "far": 50})


def test_stopping_ends_it_between_two_runs_without_a_result() -> None:
    stop, ran = threading.Event(), []

    def first(x: Tensor) -> tuple[Tensor, ...]:
        stop.set()
        return (x,)

    def second(x: Tensor) -> tuple[Tensor, ...]:
        ran.append(x)
        return (x,)

    runners = {"a": FakeRunner("m", first), "b": FakeRunner("m", second)}

    assert medians_ms(runners, SAMPLES, stop) == {}
    assert not ran


@pytest.mark.parametrize(
    ("judged", "free", "says"),
    [
        (0.0, 0.0, ""),
        (0.09, 0.0, ""),
        (-0.09, 50.0, ""),
        (0.11, 0.0, "judged moves by 0.11, allowed 0.1"),
        (float("nan"), 0.0, "judged moves by nan"),
    ],
)
def test_outputs_are_judged_by_their_own_tolerance(judged: float, free: float, says: str) -> None:
    assert strays(CONTRACT, shifted(0), shifted(judged, free), SAMPLES).startswith(says)
    assert bool(strays(CONTRACT, shifted(0), shifted(judged, free), SAMPLES)) == bool(says)


def test_differences_of_both_signs_do_not_cancel() -> None:
    swinging = FakeRunner("m", lambda x: (x + np.array([[1, -1]], np.float32), x))

    assert strays(CONTRACT, shifted(0), swinging, SAMPLES).startswith("judged moves by 1")


def test_every_bundled_model_has_something_to_be_judged_by() -> None:
    assert all(any(o.tolerance is not None for o in c.outputs) for c in CONTRACTS.values())


@pytest.mark.parametrize(
    ("off", "says"), [(0.0, ""), (0.017, ""), (0.018, "judged is within 34.9 dB, asked are 35")]
)
def test_pictures_are_judged_by_their_noise(off: float, says: str) -> None:
    contract = Contract("m", "test", CONTRACT.inputs, (TensorSpec("judged", (1, 2), "", peak=1.0),))
    exact, other = (FakeRunner("m", lambda x, off=off: (x + off,)) for off in (0.0, off))

    assert strays(contract, exact, other, SAMPLES) == says


def test_a_picture_without_numbers_strays() -> None:
    contract = Contract("m", "test", CONTRACT.inputs, (TensorSpec("judged", (1, 2), "", peak=1.0),))

    exact, broken = FakeRunner("m", lambda x: (x,)), FakeRunner("m", lambda x: (x * np.float32("nan"),))
    assert "nan dB" in strays(contract, exact, broken, SAMPLES)
    assert psnr_db(0.0, 1.0) == float("inf")
    assert psnr_db(0.01, 2.0) == pytest.approx(26.0206, abs=1e-3)
