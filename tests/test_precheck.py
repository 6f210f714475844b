import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import detector_standins
import pytest
import standins

from faceswapd.core.errors import ConfigError, FaceswapdError, ModelError, UsageError
from faceswapd.core.settings import ProcessorSettings, Settings
from faceswapd.daemon import config, places
from faceswapd.daemon.cli import main
from faceswapd.daemon.precheck import check_chain
from faceswapd.inference.shelf import Shelf
from faceswapd.processors.library import Library

ASSETS = Path(__file__).parent / "assets"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face and some models."""
    folder = tmp_path_factory.mktemp("home")
    standins.shelf(folder, "inswapper_128", "w600k_r50", "gfpgan_1.4", "xseg_1")
    Library(folder).add(ASSETS / "astronaut.png", "ada", "public-domain")
    return folder


@pytest.fixture
def places_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with an empty configuration; the user's models are a detector and one that tells sex and age."""
    monkeypatch.setattr(places, "data_dir", lambda: tmp_path)
    monkeypatch.setattr(places, "cache_dir", lambda: tmp_path / "cache")
    standins.shelf(tmp_path, "genderage")
    (tmp_path / "reds.onnx").write_bytes(detector_standins.scrfd())
    Shelf(tmp_path / "models").add(tmp_path / "reds.onnx", "reds", "scrfd")
    (tmp_path / "config.toml").touch()
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def check(home: Path, name: str, **params: Any) -> None:
    settings = Settings(processors=(ProcessorSettings(name, params=params),))
    nothing = home / "none.toml"
    nothing.write_text("")
    check_chain(settings, Library(home), home / "models", nothing)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mesh_swap", {}),
        ("mesh_swap", {"face": "ada"}),
        ("neural_swap", {"face": "ada", "occluder": "xseg_1"}),
        ("enhance", {"model": "gfpgan_1.4"}),
        ("anonymize", {}),
    ],
)
def test_what_can_be_built_passes(home: Path, name: str, params: dict[str, Any]) -> None:
    check(home, name, **params)


@pytest.mark.parametrize(
    ("name", "params", "kind", "says"),
    [
        ("blur", {}, UsageError, "unknown processor 'blur': known are"),
        ("view", {"rotation": 3}, UsageError, "processor view: unknown parameter 'rotation'"),
        ("enhance", {"blend": 7}, UsageError, "processor enhance: blend cannot be 7: 0 to 1"),
        ("mesh_swap", {"face": "nobody"}, UsageError, "no face is called 'nobody': known are mask, ada"),
        ("neural_swap", {"face": "ada+nobody"}, UsageError, "no face is called 'nobody'"),
        ("neural_swap", {}, UsageError, "neural_swap has no face to wear"),
        ("neural_swap", {"face": "mask"}, UsageError, "neural_swap cannot wear 'mask'"),
        ("neural_swap", {"face": "ada", "model": "inswaper"}, UsageError, "no model is called 'inswaper'"),
        ("neural_swap", {"face": "ada", "model": "gfpgan_1.4"}, UsageError, "gfpgan_1.4 is no swapper but an enhancer"),
        ("neural_swap", {"face": "ada", "occluder": "inswapper_128"}, UsageError, "is no mask model but a swapper"),
        ("enhance", {"model": "xseg_1"}, UsageError, "model xseg_1 is no enhancer but a mask model"),
        ("enhance", {"model": "codeformer_fp16"}, ModelError, "is not here"),
        ("enhance_frame", {"model": "gfpgan_1.4"}, UsageError, "gfpgan_1.4 is no frame enhancer but an enhancer"),
        ("restore_expression", {}, ModelError, "model live_portrait_features is not here"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_named(
    home: Path, name: str, params: dict[str, Any], kind: type[FaceswapdError], says: str
) -> None:
    with pytest.raises(kind) as caught:
        check(home, name, **params)

    assert says in str(caught.value)


def test_what_the_configuration_says_wrong_is_its_own_mistake(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('processors = ["view"]\n[processor.view]\nrotation = 3\n')

    with pytest.raises(
        ConfigError, match="configuration: processor view: unknown parameter 'rotation'"
    ) as caught:
        check_chain(config.load({}, file), Library(home), home / "models", file)
    assert caught.value.exit_code == 78
    wrong = config.load({"processors": "blur"}, file)
    with pytest.raises(UsageError, match="unknown processor 'blur'"):
        check_chain(wrong, Library(home), home / "models", file)


def test_nothing_is_opened_before_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    film = tmp_path / "film.mp4"

    words = ["run", "--source", "pattern:", "--output", str(film), "--no-control", "--for", "1"]
    assert main([*words, "--processors", "enhance", "--set", "enhance.model=nix"]) == 64
    assert (
        capsys.readouterr().err.strip() == "faceswapd: no model is called 'nix': see `faceswapd models list`"
    )
    assert not list(tmp_path.glob("film*"))
    out = tmp_path / "out.png"
    words = ["process", str(ASSETS / "astronaut.png"), "-o", str(out), "--processors", "mesh_swap"]
    assert main([*words, "--set", "mesh_swap.face=nobody"]) == 64
    assert "no face is called 'nobody'" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "table", "says"),
    [
        (["--detector", "nix"], 'detector = "nix"', "no model is called 'nix'"),
        (["--detector", "genderage"], 'detector = "genderage"', "is no detector but an attribute model"),
        (["--landmarks", "reds"], 'landmarks = "reds"', "model reds is no landmark model but a detector"),
        (["--attributes", "nix"], 'attributes = "nix"', "no model is called 'nix'"),
        (
            ["--detector", "reds", "--detector-side", "330"],
            'detector = "reds"\ndetector_side = 330',
            "detector_side 330: give a multiple of 32",
        ),
    ],
)
def test_a_wrong_model_of_the_analysis_is_the_mistake_of_whoever_names_it(
    places_of: Path, capsys: pytest.CaptureFixture[str], words: list[str], table: str, says: str
) -> None:
    file = places_of / "config.toml"
    photo = str(ASSETS / "astronaut.png")
    commands = (
        ["run", "--source", "pattern:", "--output", "none", "--no-control", "--for", "1"],
        ["process", photo, "-o", str(places_of / "out.png")],
        ["face", "analyse", photo],
    )
    for command in commands:
        file.write_text("")
        assert main([*command, "--config", str(file), *words]) == 64
        assert says in (said := capsys.readouterr().err)
        assert "configuration" not in said
        file.write_text(f"[analysis]\n{table}\n")
        assert main([*command, "--config", str(file)]) == 78
        assert (said := capsys.readouterr().err).startswith("faceswapd: configuration: ")
        assert says in said
        assert said.count("\n") == 1
    assert not (places_of / "out.png").exists()


def test_a_model_of_the_analysis_that_is_not_here_is_told_before_the_camera_is_opened(
    places_of: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--source", "nowhere.mp4", "--output", "none", "--no-control"]

    assert main([*words, "--detector", "yunet", "--config", str(places_of / "config.toml")]) == 78
    assert "faceswapd models pull yunet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--detector", "nix"], 64, "no model is called 'nix': see `faceswapd models list`"),
        (["--landmarks", "genderage"], 64, "model genderage is no landmark model but an attribute model"),
        (["--detector", "yunet"], 78, "model yunet is not here: faceswapd models pull yunet"),
        (["--detector-side", "320"], 64, "--detector-side is for a detector of yours only"),
        (["--analysis-pack", "buffalo_s"], 64, "--analysis-pack is for insightface only"),
        (["--detector", "reds", "--detector-side", "4096"], 64, "--detector-side: must be at most 2048"),
    ],
)
def test_the_bench_checks_what_it_is_told_and_no_configuration(
    places_of: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    (places_of / "broken.toml").write_text('[analysis]\ndetector = "nix"\n')
    monkeypatch.setattr(config, "default_path", lambda: places_of / "broken.toml")

    assert main(["bench", "--only", "passthrough", "--seconds", "0.1", *words]) == code
    said = capsys.readouterr().err
    assert said.startswith(f"faceswapd: {says}")
    assert said.count("\n") == 1
