from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceswapd.core.errors import ConfigError, UsageError
from faceswapd.core.events import ProcessorState
from faceswapd.core.settings import ProcessorSettings
from faceswapd.daemon.presets import Preset, Presets

CHAIN = (
    ProcessorState("mesh_swap", True, {"face": "mask", "opacity": 0.5, "keep_eyes": True}),
    ProcessorState("view", False, {}),
)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets")
    info = presets.save("On stage", CHAIN, "freeze", False)
    loaded = presets.load("On stage")

    assert (info.name, info.processors, info.face) == ("On stage", ("mesh_swap",), "mask")
    assert presets.list() == (info,)
    assert loaded == Preset(
        (
            ProcessorSettings("mesh_swap", True, {"face": "mask", "opacity": 0.5, "keep_eyes": True}),
            ProcessorSettings("view", False, {}),
        ),
        "freeze",
        False,
    )
    assert [f.name for f in (tmp_path / "presets").iterdir()] == ["On stage.toml"]


def test_an_empty_chain_is_a_preset_too(tmp_path: Path) -> None:
    Presets(tmp_path).save("raw", (), "passthrough", True)

    assert Presets(tmp_path).load("raw").processors == ()


@given(st.text(max_size=20).filter(lambda t: t.isprintable()), st.floats(-1e6, 1e6), st.integers(-9, 9))
def test_every_value_survives(tmp_path_factory: pytest.TempPathFactory, text: str, x: float, n: int) -> None:
    folder = tmp_path_factory.mktemp("p")
    params = {"text": text, "x": x, "n": n, "on": True}
    Presets(folder).save("a", (ProcessorState("p", True, params),), "placeholder", True)

    assert Presets(folder).load("a").processors[0].params == params


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 41, "a\0b"])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="preset name"):
        Presets(tmp_path).save(name, CHAIN, "placeholder", True)


def test_an_unknown_preset_names_the_known(tmp_path: Path) -> None:
    Presets(tmp_path).save("a", (), "placeholder", True)
    with pytest.raises(UsageError, match="known are a"):
        Presets(tmp_path).load("b")


@pytest.mark.parametrize("text", ["x = ", "sauce = 1", "processors = 3", "processors = [{name = 1}]"])
def test_a_file_that_is_no_preset_is_refused_and_not_listed(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.toml"):
        Presets(tmp_path).load("a")

    assert Presets(tmp_path).list() == ()
