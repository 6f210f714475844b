from collections.abc import Callable
from typing import Any

import pytest
from fakes import FakeModels

from faceswapd.core.errors import ConfigError, UsageError
from faceswapd.core.frame import Pixels
from faceswapd.processors import registry as module
from faceswapd.processors.processor import Workshop
from faceswapd.processors.registry import Registry, registry
from faceswapd.processors.view import View


class NoWardrobe:
    def photo(self, name: str) -> Pixels:
        raise UsageError(f"no face is called {name}")


WORKSHOP = Workshop(FakeModels(), NoWardrobe())


class Foreign(View):
    name = "foreign"


class Entry:
    """What `importlib.metadata` knows of an installed processor."""

    def __init__(self, made_by: Callable[[Workshop], Any]) -> None:
        self.name, self.value, self.dist = "foreign", "package:Foreign", None
        self.made_by = made_by

    def load(self) -> Callable[[Workshop], Any]:
        return self.made_by


def broken(workshop: Workshop) -> Any:
    raise OSError("its weights are missing")


def test_the_house_offers_its_processors_in_their_natural_order() -> None:
    assert registry(WORKSHOP).names == (
        "mesh_swap",
        "neural_swap",
        "restore_expression",
        "enhance",
        "enhance_frame",
        "anonymize",
        "view",
        "annotate",
    )


def test_every_processor_and_parameter_is_described() -> None:
    infos = registry(WORKSHOP).infos()

    assert {i.name for i in infos if i.hides_face} == {"mesh_swap", "neural_swap", "anonymize"}
    for info in infos:
        assert info.help
        assert "\n" not in info.help
        for parameter in info.params:
            assert parameter.help, f"{info.name}.{parameter.name} has no help"
            if parameter.type in ("int", "float"):
                assert None not in (parameter.min, parameter.max, parameter.step), parameter.name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown processor 'vew': known are view$"):
        Registry([View(WORKSHOP)])["vew"]


def test_a_name_belongs_to_one_processor() -> None:
    with pytest.raises(ConfigError, match="two processors are called view"):
        Registry([View(WORKSHOP), View(WORKSHOP)])


def test_other_packages_add_processors_after_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "entry_points", lambda group: [Entry(Foreign)])

    assert registry(WORKSHOP).names[-2:] == ("annotate", "foreign")


def test_a_package_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "entry_points", lambda group: [Entry(broken)])

    with pytest.raises(ConfigError, match=r"package:Foreign cannot be loaded: its weights are missing"):
        registry(WORKSHOP)
