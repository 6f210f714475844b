import argparse
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from faceswapd.core.errors import ConfigError, MissingInputError, UsageError
from faceswapd.core.settings import Settings
from faceswapd.daemon.config import load, parse_size
from faceswapd.daemon.options import add_config_option


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(tmp_path: Path) -> None:
    settings = load({}, write(tmp_path / "c.toml", ""), {})

    assert (settings.size, settings.fps, settings.processors[0].name) == ((1280, 720), 30.0, "anonymize")


def test_command_line_wins_over_environment_over_file(tmp_path: Path) -> None:
    file = write(tmp_path / "c.toml", 'source = "file"\noutput = "file"\nfps = 10\n')
    settings = load({"source": "cli"}, file, {"FACESWAPD_SOURCE": "env", "FACESWAPD_FPS": "20"})

    assert (settings.source, settings.fps, settings.outputs) == ("cli", 20.0, ("file",))


def test_nested_environment_keeps_the_rest_of_the_section(tmp_path: Path) -> None:
    file = write(tmp_path / "c.toml", "[inference]\nthreads = 3\n")
    settings = load({}, file, {"FACESWAPD_INFERENCE__ENGINE": "openvino"})

    assert (settings.inference.engine, settings.inference.threads) == ("openvino", 3)


def test_analysis_is_a_word_or_a_section(tmp_path: Path) -> None:
    word = load({}, write(tmp_path / "c.toml", 'analysis = "insightface"'), {})
    section = load({}, write(tmp_path / "c.toml", '[analysis]\ndetector = "det_10g"'), {})

    assert (word.analysis.backend, word.analysis.detector) == ("insightface", "")
    assert (section.analysis.backend, section.analysis.detector) == ("bundled", "det_10g")


def test_processors_as_names_with_parameters_beside_them(tmp_path: Path) -> None:
    file = write(tmp_path / "c.toml", 'processors = ["anonymize", "view"]\n[processor.view]\nmirror = true\n')
    settings = load({}, file, {})

    assert [(p.name, p.params) for p in settings.processors] == [
        ("anonymize", {}),
        ("view", {"mirror": True}),
    ]


def test_none_is_the_explicit_passthrough(tmp_path: Path) -> None:
    assert load({"processors": "none"}, write(tmp_path / "c.toml", ""), {}).processors == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("fps = 'fast'", "fps"),
        ("sauce = 1", "sauce"),
        ("size = '12by7'", "12by7"),
        ("fps = \nsize = 1", "line 1"),
        ("[inference]\nengine = 'coffee'", "inference.engine"),
    ],
)
def test_a_wrong_file_names_the_field_and_itself(tmp_path: Path, text: str, names: str) -> None:
    with pytest.raises(ConfigError, match=r"c\.toml") as error:
        load({}, write(tmp_path / "c.toml", text), {})

    assert names in str(error.value)


def test_a_wrong_option_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fps"):
        load({"fps": 0}, write(tmp_path / "c.toml", ""), {})


def test_the_users_own_file_need_not_be_there_but_has_to_be_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswapd.daemon.config.default_path", lambda: tmp_path / "none" / "c.toml")
    assert load({}, None, {}) == Settings()
    monkeypatch.setattr("faceswapd.daemon.config.default_path", lambda: write(tmp_path / "f", "") / "c.toml")
    assert load({}, None, {}) == Settings()  # a file where the folder would be
    with (
        patch.object(Path, "read_text", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(ConfigError, match="Permission denied: make it a file that you can read"),
    ):
        load({}, None, {})


def test_a_missing_file_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        load({}, tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize("text", ["1280", "0x0", "641x480", "axb", "1280x720x3", "-2x4"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


def test_the_documented_file_is_a_right_one(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    settings = load({}, write(tmp_path / "c.toml", example), {})

    assert settings.outputs == ("auto", "take.mp4")
    assert [p.name for p in settings.processors] == ["mesh_swap", "view"]


@pytest.mark.parametrize("words", ["", " ", "anonymize,", ","])
def test_an_empty_list_of_processors_is_no_way_to_say_none(tmp_path: Path, words: str) -> None:
    file = write(tmp_path / "c.toml", "")
    with pytest.raises(UsageError, match="say none"):
        load({"processors": words}, file, {})
    with pytest.raises(ConfigError, match="say none"):
        load({}, file, {"FACESWAPD_PROCESSORS": words})


@pytest.mark.parametrize(
    "text",
    [
        "hold_s = -1", "hold_s = nan", "hold_s = inf", "for_s = 0", "for_s = -3", "for_s = nan", "fps = nan",
        "[control]\nport = 99999", "[control]\nport = -5", "[record]\nquality = 101", "[record]\nmax_bytes = 0",
    ],
)  # fmt: skip
def test_numbers_out_of_bounds_are_refused_wherever_they_stand(tmp_path: Path, text: str) -> None:
    name = text.split("\n")[-1].split(" ")[0]
    with pytest.raises(ConfigError, match=name):
        load({}, write(tmp_path / "c.toml", text), {})


def test_a_processors_table_reaches_the_chain_whoever_named_it(tmp_path: Path) -> None:
    table = '[processor.anonymize]\nmode = "pixelate"\n'
    default = load({}, write(tmp_path / "a.toml", table), {})
    named = load({"processors": "anonymize,view"}, write(tmp_path / "b.toml", table), {})
    variable = load({}, write(tmp_path / "c.toml", ""), {"FACESWAPD_PROCESSOR__ANONYMIZE__MODE": "pixelate"})

    assert [s.processors[0].params for s in (default, named, variable)] == [{"mode": "pixelate"}] * 3


def test_a_table_of_a_processor_outside_the_chain_waits_switched_off(tmp_path: Path) -> None:
    settings = load({}, write(tmp_path / "c.toml", "[processor.view]\nmirror = true\n"), {})

    assert [(p.name, p.enabled, p.params) for p in settings.processors] == [
        ("anonymize", True, {}),
        ("view", False, {"mirror": True}),
    ]


def test_a_wrong_variable_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"environment \(FACESWAPD_FPS\)"):
        load({}, write(tmp_path / "c.toml", ""), {"FACESWAPD_FPS": "x"})


def test_a_wrong_choice_names_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of auto, openvino, onnxruntime"):
        load({}, write(tmp_path / "c.toml", "[inference]\nengine = 'coffee'"), {})


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_bytes(b"\xff\xfe")])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match=r"c\.toml"):
        load({}, tmp_path / "c.toml", {})


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    """As the number that a container gives a process, which nobody has a name for."""
    nowhere = RuntimeError("could not determine the home directory")
    with (
        patch("platformdirs.user_config_path", side_effect=nowhere),
        pytest.raises(ConfigError, match="no home folder: set HOME"),
    ):
        load({}, None, {})
    parser = argparse.ArgumentParser()
    with patch("platformdirs.user_config_path", side_effect=nowhere):
        add_config_option(parser)
    assert "none, without a home" in " ".join(parser.format_help().split())
