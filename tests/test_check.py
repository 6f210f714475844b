from typing import Any

import pytest
from control_fakes import FakeCommands

from faceswapd.control.check import check
from faceswapd.control.protocol import RpcError
from faceswapd.core.events import SetProcessor

KNOWN = FakeCommands().processors()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"strength": 0},
        {"strength": 1},
        {"strength": 0.25},
        {"mode": "pixelate"},
        {"cells": 64},
        {"soft": False},
    ],
)
def test_what_fits(params: dict[str, Any]) -> None:
    check(SetProcessor("anonymize", params=params), KNOWN, "$.params")


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"strength": 1.01}, "out_of_range", "strength"),
        ({"strength": -1}, "out_of_range", "strength"),
        ({"strength": "much"}, "wrong_type", "strength"),
        ({"strength": True}, "wrong_type", "strength"),
        ({"cells": 2.5}, "wrong_type", "cells"),
        ({"cells": 1}, "out_of_range", "cells"),
        ({"cells": False}, "wrong_type", "cells"),
        ({"soft": 1}, "wrong_type", "soft"),
        ({"mode": "melt"}, "out_of_range", "mode"),
        ({"mode": 3}, "wrong_type", "mode"),
        ({"cells": 8, "nix": 1}, "unknown_name", "nix"),
    ],
)
def test_what_does_not_names_the_field(params: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(RpcError) as caught:
        check(SetProcessor("anonymize", params=params), KNOWN, "$.params")

    assert (caught.value.code, caught.value.path) == (code, f"$.params.params.{field}")
    assert field in caught.value.message


def test_an_unknown_processor_lists_the_known() -> None:
    with pytest.raises(RpcError) as caught:
        check(SetProcessor("nix"), KNOWN, "$.params")

    assert (caught.value.path, caught.value.hint) == ("$.params.name", "one of anonymize, mesh_swap")
