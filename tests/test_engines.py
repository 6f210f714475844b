import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import standins

from faceswapd.core.errors import ConfigError, InferenceError, ModelError
from faceswapd.core.settings import InferenceSettings
from faceswapd.inference import settling as module
from faceswapd.inference.choices import Choice
from faceswapd.inference.contracts import CONTRACTS
from faceswapd.inference.engine import Runner, Tensor
from faceswapd.inference.engines import Engines
from faceswapd.inference.openvino import OpenVino
from faceswapd.inference.ov_core import ov_core
from faceswapd.inference.served import Served, offer
from faceswapd.inference.shelf import Shelf
from faceswapd.inference.store import Store

pytest.importorskip("onnxruntime", reason="no ONNX Runtime is installed")

MODEL = "blaze_short"
MATTE = "selfie256"
FACE = np.random.default_rng(0).uniform(0, 1, (1, 256, 256, 3)).astype(np.float32)
PICTURE = np.random.default_rng(0).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)

Make = Callable[..., Engines]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Engines] = []

    def engines(
        *,
        store: Store | None = None,
        changed: Callable[[], None] = lambda: None,
        live: bool = True,
        **settings: Any,
    ) -> Engines:
        cache = tmp_path / "engines.json"
        made.append(
            Engines(InferenceSettings(**settings), cache=cache, store=store, changed=changed, live=live)
        )
        return made[-1]

    yield engines
    for one in made:
        one.close()


@pytest.fixture
def openvino_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest("openvino", monkeypatch)


def fastest(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def medians(runners: Mapping[Choice, Runner], *_: object) -> dict[Choice, float]:
        return {choice: 1.0 if choice.engine == engine else 2.0 for choice in runners}

    monkeypatch.setattr(module, "medians_ms", medians)


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def use(runner: Runner, runs: int = 40, picture: Tensor = PICTURE) -> None:
    for _ in range(runs):
        runner.run(picture)


def test_auto_serves_with_the_first_engine_that_is_ready(make: Make) -> None:
    engines = make()
    runner = engines.load(MODEL)

    assert runner.model == MODEL
    assert runner.engine == "onnxruntime CPU fp32"
    assert engines.serving() == {MODEL: "onnxruntime CPU fp32"}
    assert engines.problems == ()


def test_a_model_is_loaded_once_also_by_many_threads(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = make()
    reads: list[str] = []
    got: list[Runner] = []
    read = Store.read

    def counted(store: Store, model: str) -> bytes:
        reads.append(model)
        return read(store, model)

    monkeypatch.setattr(Store, "read", counted)
    threads = [threading.Thread(target=lambda: got.append(engines.load(MODEL))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert reads == [MODEL]
    assert len({id(r) for r in got}) == 1


def test_nothing_is_timed_before_it_was_asked_for(make: Make, tmp_path: Path) -> None:
    engines = make()
    use(engines.load(MODEL))

    assert "tune_0" not in {t.name for t in threading.enumerate()}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tune_first", [True, False])
@pytest.mark.usefixtures("openvino_wins")
def test_the_fastest_takes_over_and_is_remembered(make: Make, tune_first: bool) -> None:
    changes: list[dict[str, str]] = []

    def changed() -> None:
        changes.append(engines.serving())

    engines: Engines = make(changed=changed)
    runner = engines.load(MODEL)
    before = runner.run(PICTURE)
    if tune_first:
        engines.tune()
    use(runner)
    engines.tune()

    assert until(lambda: runner.engine == "openvino CPU fp32")
    for ours, theirs in zip(before, runner.run(PICTURE), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert until(lambda: changes[-1] == {MODEL: "openvino CPU fp32"})

    engines.close()
    again = make()
    assert again.load(MODEL).engine == "openvino CPU fp32", "the next start uses it at once"
    again.tune()
    use(again.load(MODEL))
    assert "tune_0" not in {t.name for t in threading.enumerate()}, "and does not time it again"


def test_what_serves_goes_on_where_the_gain_is_noise(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        module,
        "medians_ms",
        lambda runners, *_: {c: 0.95 if c.engine == "openvino" else 1.0 for c in runners},
    )
    engines = make()
    runner = engines.load(MODEL)
    engines.tune()
    use(runner)

    assert until((tmp_path / "engines.json").exists)
    assert runner.engine == "onnxruntime CPU fp32"


@pytest.mark.usefixtures("openvino_wins")
def test_an_engine_that_computes_something_else_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "strays", lambda *_: "regressors moves by 3, allowed 0.01")
    engines = make()
    runner = engines.load(MODEL)
    engines.tune()
    use(runner)

    assert until((tmp_path / "engines.json").exists)
    assert runner.engine == "onnxruntime CPU fp32"


@pytest.mark.usefixtures("openvino_wins")
def test_runs_are_never_interrupted_by_the_change(make: Make) -> None:
    engines = make()
    runner = engines.load(MODEL)
    engines.tune()
    stop, failed = threading.Event(), []

    def work() -> None:
        while not stop.is_set():
            try:
                runner.run(PICTURE)
            except InferenceError as error:
                failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    swapped = until(lambda: runner.engine == "openvino CPU fp32")
    stop.set()
    for thread in threads:
        thread.join()

    assert swapped
    assert not failed


@pytest.mark.usefixtures("openvino_wins")
def test_a_model_is_settled_once_its_engine_will_not_change(make: Make) -> None:
    engines, asked = make(), make(engine="onnxruntime")
    runner = engines.load(MODEL)
    asked.load(MODEL)
    assert asked.settled
    assert not engines.settled

    engines.tune()
    use(runner)

    assert until(lambda: engines.settled)
    assert runner.engine == "openvino CPU fp32"


def test_timing_that_fails_leaves_what_serves(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def medians(*_: object) -> dict[Choice, float]:
        tried.set()
        raise InferenceError("out of memory")

    monkeypatch.setattr(module, "medians_ms", medians)
    engines = make()
    runner = engines.load(MODEL)
    engines.tune()
    use(runner)

    assert tried.wait(20)
    engines._tuner.shutdown(wait=True)  # type: ignore[union-attr]
    assert runner.engine == "onnxruntime CPU fp32"
    use(runner, 1)


def test_closing_ends_the_timing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def medians(_: object, __: object, stop: threading.Event, *___: object) -> dict[Choice, float]:
        begun.set()
        assert stop.wait(20)
        return {}

    monkeypatch.setattr(module, "medians_ms", medians)
    engines = make()
    engines.tune()
    use(engines.load(MODEL))
    assert begun.wait(20)

    engines.close()

    assert not [t for t in threading.enumerate() if t.name.startswith("tune")]


def test_the_real_timing_settles_on_one_of_the_engines(make: Make, tmp_path: Path) -> None:
    engines = make()
    runner = engines.load(MODEL)
    engines.tune()
    use(runner)

    assert until((tmp_path / "engines.json").exists)
    text = (tmp_path / "engines.json").read_text()
    assert "onnxruntime cpu fp32" in text
    assert "openvino cpu fp32" in text
    assert "bf16" not in text, "detectors stay in fp32"


@pytest.mark.parametrize(
    ("settings", "engine"),
    [
        ({"engine": "onnxruntime"}, "onnxruntime CPU fp32"),
        ({"engine": "openvino", "precision": "fp32"}, "openvino CPU fp32"),
        ({"engine": "auto", "provider": "cpu"}, "onnxruntime CPU fp32"),
    ],
)
def test_an_engine_asked_for_is_the_one_that_serves(
    make: Make, settings: dict[str, str], engine: str
) -> None:
    assert make(**settings).load(MODEL).engine == engine


def test_bf16_asked_for_leaves_the_detectors_in_fp32(make: Make) -> None:
    assert make(precision="bf16").load(MODEL).engine == "onnxruntime CPU fp32"


def test_a_precision_that_the_processor_would_imitate_is_an_error(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenVino, "native", ("fp32",))

    with pytest.raises(ConfigError, match=r"precision bf16 was asked for, .* \(openvino cpu\)"):
        make(precision="bf16").load(MATTE)


@pytest.fixture
def bf16_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor with the instructions; OpenVINO computes in fp32 where they are not."""
    monkeypatch.setattr(OpenVino, "native", ("fp32", "bf16", "int8"))


@pytest.mark.usefixtures("bf16_is_there")
def test_a_precision_asked_for_serves_once_it_is_proven_even_if_it_is_slower(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fastest("onnxruntime", monkeypatch)
    engines = make(precision="bf16")
    runner = engines.load(MATTE)
    assert runner.engine == "onnxruntime CPU fp32", "until it is proven"
    engines.tune()
    use(runner, picture=FACE)

    assert until(lambda: runner.engine == "openvino CPU bf16")
    assert engines.problems == ()
    engines.close()
    assert make(precision="bf16").load(MATTE).engine == "openvino CPU bf16", "the next start uses it at once"
    assert make(precision="fp32").load(MATTE).engine == "onnxruntime CPU fp32"


@pytest.mark.usefixtures("bf16_is_there")
def test_a_precision_asked_for_that_strays_is_refused_loudly(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "strays", lambda *_: "activation_10 moves by 3, allowed 0.005")
    engines: Engines = make(precision="bf16", changed=lambda: told.append(engines.problems))
    runner = engines.load(MATTE)
    engines.tune()
    use(runner, picture=FACE)

    says = (
        f"model {MATTE} stays on onnxruntime CPU fp32, cpu bf16 is refused: "
        "activation_10 moves by 3, allowed 0.005",
    )
    assert until(lambda: engines.problems == says)
    assert told[-1] == says, "the state is told"
    engines.close()
    again = make(precision="bf16")
    assert again.load(MATTE).engine == "onnxruntime CPU fp32"
    assert again.problems == says, "also at the next start, which does not judge anew"


@pytest.mark.usefixtures("openvino_wins")
def test_for_a_film_a_model_is_settled_before_its_first_run_or_never(make: Make) -> None:
    engines, other = make(live=False), make(live=False)
    runner, unprimed = engines.load(MATTE), other.load(MATTE)
    waited: list[str] = []

    def first_run() -> None:
        offer(runner, lambda: [(FACE,)] * 6)
        waited.append(runner.engine)

    threads = [threading.Thread(target=first_run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    use(unprimed, picture=FACE)

    assert {engine.split()[0] for engine in waited} == {"openvino"}, "both threads waited for it"
    assert unprimed.engine == "onnxruntime CPU fp32", "not in the middle of a film"
    use(runner, picture=FACE)
    assert runner.engine == waited[0]


@pytest.mark.usefixtures("bf16_is_there")
def test_a_film_that_is_not_made_as_was_asked_says_so(make: Make) -> None:
    engines = make(live=False, precision="bf16")
    engines.load(MATTE)

    assert engines.problems == (
        f"model {MATTE} stays on onnxruntime CPU fp32, cpu bf16 is refused: "
        "was not judged on this machine yet, which a live run does",
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"provider": "tpu"}, "unknown execution provider 'tpu'"),
        ({"engine": "openvino", "provider": "cuda"}, "openvino does not run on execution provider cuda"),
        (
            {"engine": "onnxruntime", "provider": "openvino:gpu"},
            "onnxruntime does not run on execution provider",
        ),
        (
            {"engine": "onnxruntime", "precision": "bf16"},
            "bf16 is not there on execution provider cpu in engine onn",
        ),
        (
            {"provider": "cuda", "precision": "bf16"},
            "bf16 is not there on execution provider cuda: it is there on t",
        ),
        ({"provider": "cpu", "precision": "fp16"}, "fp16 is not there on execution provider cpu"),
        ({"threads": -2}, "-2 execution threads"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_once(
    make: Make, settings: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        make(**settings)


def test_a_provider_asked_for_and_not_got_is_an_error(make: Make) -> None:
    engines = make(provider="rocm")

    with pytest.raises(ConfigError, match="execution provider rocm is not in the installed ONNX Runtime"):
        engines.load(MODEL)
    assert engines.serving() == {}


def test_a_provider_may_stand_in_for_another_only_where_both_are_named_and_says_so(make: Make) -> None:
    engines = make(provider="rocm,cpu")

    assert engines.load(MODEL).engine == "onnxruntime CPU fp32"
    assert engines.plan.provider.name == "rocm"
    assert len(engines.problems) == 1
    assert "execution provider rocm is not in the installed ONNX Runtime" in engines.problems[0]


def test_it_stands_in_also_for_models_that_are_never_timed(tmp_path: Path) -> None:
    shelf = standins.shelf(tmp_path, "w600k_r50")
    engines = Engines(InferenceSettings(provider="rocm,cpu"), cache=tmp_path / "engines.json", shelf=shelf)
    runner = engines.load("w600k_r50")

    assert (runner.engine, engines.settled) == ("onnxruntime CPU fp32", True)
    engines.close()


def test_a_device_of_openvino_that_is_not_there_is_one_error(make: Make) -> None:
    engines = make(provider="openvino:npu")
    if "NPU" in ov_core().available_devices:
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match="OpenVINO finds no device NPU, only CPU"):
        engines.load(MODEL)


def test_auto_goes_on_with_the_other_engine_and_says_so(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    engines = make()

    assert engines.load(MODEL).engine == "openvino CPU fp32"
    assert engines.problems == ("ONNX Runtime is not installed: uv sync, or pip install 'faceswapd[cpu]'",)


def test_a_model_that_an_engine_cannot_load_is_no_fault_of_the_engine(tmp_path: Path) -> None:
    newer = onnx.load_from_string(standins.standin("gfpgan_1.4"))
    newer.opset_import[0].version = 99  # ONNX Runtime refuses what is newer than itself, OpenVINO tries it
    file = tmp_path / "newer.onnx"
    file.write_bytes(newer.SerializeToString())
    shelf = standins.shelf(tmp_path, "hyperswap_1a_256")
    shelf.add(file, "newer", "enhancer_512")
    engines = Engines(cache=tmp_path / "engines.json", shelf=shelf)

    held = engines.load("newer"), engines.load("hyperswap_1a_256")
    assert held[0].engine.startswith("openvino CPU")
    assert held[1].engine == "onnxruntime CPU fp32"
    [problem] = engines.problems
    assert problem.startswith("model newer: ONNX Runtime cannot load it on cpu")
    assert problem.endswith("choose another engine or provider, or another model")
    engines.close()


def test_live_a_model_of_the_users_is_let_go_of_when_nobody_holds_it(tmp_path: Path) -> None:
    told: list[list[str]] = []
    shelf = standins.shelf(tmp_path, "hyperswap_1a_256")
    engines = Engines(
        cache=tmp_path / "engines.json", shelf=shelf, changed=lambda: told.append(list(engines.serving()))
    )
    engines.load(MODEL)
    held = engines.load("hyperswap_1a_256")
    assert engines.load("hyperswap_1a_256") is held
    del held

    assert told == [[MODEL], [MODEL, "hyperswap_1a_256"], [MODEL]]
    assert engines.load("hyperswap_1a_256").engine == "onnxruntime CPU fp32", "it can be loaded again"
    engines.close()

    files = Engines(cache=tmp_path / "engines.json", shelf=shelf, live=False)
    files.load("hyperswap_1a_256")
    assert list(files.serving()) == ["hyperswap_1a_256"], "the report of a film names it at the end"
    files.close()


def test_a_file_that_was_exchanged_does_not_decide_how_the_one_before_is_served(tmp_path: Path) -> None:
    shelf, file = Shelf(tmp_path / "models"), tmp_path / "x.onnx"
    file.write_bytes(standins.standin("hyperswap_1a_256"))
    shelf.add(file, "mine", "hyperswap_256")
    engines = Engines(cache=tmp_path / "engines.json", shelf=shelf)
    runner = engines.load("mine")
    assert isinstance(runner, Served)
    shelf.remove("mine")
    file.write_bytes(standins.swapper(256, "arcface_128", standins.UNIT_GREEN))
    shelf.add(file, "mine", "hyperswap_256")
    before = runner.runner
    engines.tune()
    sample = np.ones((1, 3, 256, 256), np.float32), np.ones((1, 3, 1, 1), np.float32)
    runner.offer([sample] * 6)

    assert until(lambda: runner.settled)
    assert runner.runner is before
    assert not (tmp_path / "engines.json").exists(), "nothing is remembered of it"
    engines.close()


def test_the_plan_is_that_of_the_provider(make: Make) -> None:
    assert make(provider="directml").plan.workers == 1
    assert make(threads=3).plan.workers == 3


def test_an_unknown_model_and_a_broken_file_are_model_errors_that_leave_nothing(
    make: Make, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="model nose is not here: faceswapd models add FILE --name nose"):
        make().load("nose")

    folder = tmp_path / "weights"
    folder.mkdir()
    for entry in Store().entries:
        (folder / entry.path.name).write_bytes(b"\0" * entry.size)
    (folder / "manifest.toml").write_bytes((Store().entry(MODEL).path.parent / "manifest.toml").read_bytes())
    engines = make(store=Store(folder))
    with pytest.raises(ModelError, match="wrong SHA-256"):
        engines.load(MODEL)
    assert engines.serving() == {}


def test_models_take_no_options(make: Make) -> None:
    with pytest.raises(TypeError, match="takes no options: batch"):
        make().load(MODEL, batch=4)


def test_every_bundled_model_loads(make: Make) -> None:
    engines = make()
    for model in CONTRACTS:
        engines.load(model)

    assert list(engines.serving()) == list(CONTRACTS)
