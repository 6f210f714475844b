from pathlib import Path

import pytest

from faceswapd.core.errors import ConfigError, UsageError
from faceswapd.daemon.config import load


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sorce = 'x'", "c.toml: unknown field 'sorce': did you mean source?"),
        ("outptu = 'x'", "c.toml: unknown field 'outptu': did you mean output?"),
        ("[procesor.view]\nzoom = 2", "c.toml: unknown field 'procesor': did you mean processor?"),
        ("[inference]\nzzz = 1", "inference: unknown field 'zzz': known are engine, provider, precision, threads"),
        ("fps = 'thirty'", "c.toml: fps: a number is needed, not a text in quotes: write it as fps = 30.0"),
        ("fps = 0", "c.toml: fps: must be above 0: write it as fps = 30.0"),
        ("[control]\nport = 70000", "c.toml: control.port: must be at most 65535: write it as port = 7865"),
        ("loop = 1", "c.toml: loop: true or false is needed, not a whole number: write it as loop = false"),
        ("[record]\nmax_bytes = true", "c.toml: record.max_bytes: a whole number is needed, not true or false: see "),
        ("on_no_face = 'hide'", "on_no_face: 'hide' is not known: one of placeholder, freeze, passthrough"),
        ("processors = [{naem = 'view'}]", "c.toml: processors[0]: unknown field 'naem': see "),
        ("size = [1, 2, 3]", "c.toml: size: Expected `array` of length 2, got 3: see "),
    ],
)  # fmt: skip
def test_a_slip_in_the_file_is_told_in_words_with_its_remedy(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load({}, file, {})

    assert told in str(error.value)


def test_on_the_command_line_an_option_is_named_and_no_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("", encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load({"fps": 0}, file, {})

    assert str(error.value) == "--fps: must be above 0: see `faceswapd run --help`"
