from typing import Annotated, Literal

import pytest
from msgspec import Meta

from faceswapd.core.errors import UsageError
from faceswapd.core.params import ParamInfo, Params, changed, describe, read_texts


class Paint(Params, frozen=True):
    opacity: Annotated[
        float, Meta(ge=0, le=1, description="How much.", extra_json_schema={"step": 0.05, "unit": ""})
    ] = 1.0
    mode: Literal["a", "b"] = "a"
    times: Annotated[int, Meta(ge=1, le=9, extra_json_schema={"unit": "px"})] = 2
    on: bool = True
    name: str = ""


def test_a_declaration_describes_itself() -> None:
    opacity, mode, times, on, name = describe(Paint)

    assert opacity == ParamInfo("opacity", "float", 1.0, "How much.", 0, 1, 0.05)
    assert (mode.type, mode.enum) == ("str", ("a", "b"))
    assert (times.type, times.min, times.max, times.unit) == ("int", 1, 9, "px")
    assert (on.type, on.default, name.default) == ("bool", True, "")


def test_changes_keep_the_rest() -> None:
    assert changed(Paint(times=3), {"opacity": 0.5}) == Paint(times=3, opacity=0.5)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"opacity": 2}, ["opacity cannot be 2: 0 to 1"]),
        ({"opacity": "much"}, ["opacity cannot be 'much': 0 to 1"]),
        ({"mode": "c"}, ["mode cannot be 'c': one of a, b"]),
        ({"color": 1}, ["unknown parameter 'color'", "mode, name, on, opacity, times"]),
        ({"times": 2.5}, ["times cannot be 2.5: 1 to 9, a whole number"]),
    ],
)
def test_a_wrong_change_names_the_field_and_its_range(changes: dict[str, object], names: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        changed(Paint(), changes)

    for text in names:
        assert text in str(error.value)


def test_text_becomes_the_fields_types() -> None:
    texts = {"opacity": "0.5", "on": "off", "times": "3", "name": "1", "mode": "b"}

    assert read_texts(describe(Paint), texts) == {
        "opacity": 0.5,
        "on": False,
        "times": 3,
        "name": "1",
        "mode": "b",
    }


def test_text_that_is_no_number() -> None:
    with pytest.raises(UsageError, match="times: 'many' is no whole number"):
        read_texts(describe(Paint), {"times": "many"})
