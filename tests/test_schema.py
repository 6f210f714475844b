"""The published schema is current, and the channel keeps to it: every method, right and wrong input."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from control_fakes import AbleCommands
from test_service import Desk, at

from faceswapd.control import protocol, schema
from faceswapd.control.methods import METHODS
from faceswapd.control.session import Call, Session
from faceswapd.core.abilities import CameraInfo, OutputInfo, RecordStatus
from faceswapd.core.events import State

PUBLISHED = Path(__file__).parent.parent / "docs" / "protocol"
DOCUMENT = json.loads((PUBLISHED / schema.OPENRPC).read_text("utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
BY_NAME = {m["name"]: m for m in DOCUMENT["methods"]}


def test_what_is_published_is_current() -> None:
    for name, text in schema.files().items():
        assert (PUBLISHED / name).read_text("utf-8") == text, (
            "run: python -m faceswapd.control.schema docs/protocol"
        )


def test_every_method_close_code_and_error_code_is_published() -> None:
    assert list(BY_NAME) == list(METHODS)
    assert set(DOCUMENT["x-close-codes"]) == {str(c) for c in protocol.CLOSE_CODES}
    assert DOCUMENT["x-error-codes"] == protocol.RPC_CODES
    assert "enum" in json.dumps(SCHEMAS["Step"]["properties"]["method"])


class Everything(AbleCommands):
    """A daemon with every ability."""

    async def cameras(self) -> tuple[CameraInfo, ...]:
        return (CameraInfo("cam", "/dev/video0", selected=True),)

    async def select_camera(self, name: str) -> State:
        return await self.execute(())

    def outputs(self) -> tuple[OutputInfo, ...]:
        return (OutputInfo("memory:", "memory", 30.0),)

    def record_status(self) -> RecordStatus:
        return RecordStatus(recording=False)

    async def start_recording(self, path: str) -> RecordStatus:
        return RecordStatus(recording=True, path=path or "film.mkv")

    async def pause_recording(self, paused: bool) -> RecordStatus:
        return RecordStatus(recording=True, path="film.mkv", paused=paused)

    async def save_last(self, path: str) -> RecordStatus:
        return RecordStatus(recording=False, path=path or "last.mkv", seconds=5.0)

    async def stop_recording(self) -> RecordStatus:
        return RecordStatus(recording=False, path="film.mkv", seconds=1.0)


RIGHT: dict[str, dict[str, Any]] = {
    "processor.set": {"name": "anonymize", "enabled": True, "params": {"strength": 0.25}, "if_rev": 1},
    "processor.toggle": {"name": "anonymize"},
    "processor.reorder": {"names": ["mesh_swap", "anonymize"]},
    "face.set": {"name": "mask"},
    "face.add": {"name": "me", "consent": "self", "data": "/9j/", "offset": 0, "total": 3},
    "face.remove": {"name": "old"},
    "face.picture": {"name": "old"},
    "preset.apply": {"name": "party"},
    "preset.save": {"name": "work"},
    "camera.select": {"name": "cam"},
    "record.start": {"path": "film.mkv"},
    "record.pause": {"paused": True},
    "record.save_last": {"path": "last.mkv"},
    "privacy.set": {"on": True},
    "freeze.set": {"on": True},
    "hold": {"name": "mesh_swap", "on": True, "lease_s": 1},
    "batch": {"changes": [{"method": "privacy.set", "params": {"on": True}}], "if_rev": 1},
    "snapshot.get": {"width": 64, "height": 64, "quality": 50},
    "subscribe": {"topics": ["state", "stats", "faces", "log", "preview"], "interval_s": 1,
                  "preview": {"width": 64, "height": 64, "fps": 1, "quality": 50}},
    "unsubscribe": {"topics": ["state"]},
}  # fmt: skip
"""What cannot be guessed from the schema: names of things that exist."""


def desk() -> Desk:
    commands = Everything()
    commands.pictures["old"] = b"\xff\xd8"
    return Desk(commands)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    return dict(SCHEMAS[part["$ref"].rsplit("/", 1)[1]]) if "$ref" in part else part


def conforms(value: Any, part: dict[str, Any]) -> bool:
    """JSON Schema, as far as the published document uses it."""
    part = resolved(part)
    if "anyOf" in part:
        return any(conforms(value, p) for p in part["anyOf"])
    if "enum" in part:
        return value in part["enum"]
    kind = part.get("type")
    if kind is None:
        return True
    if kind == "object":
        known, extra = part.get("properties", {}), part.get("additionalProperties", True)
        return (
            isinstance(value, dict)
            and all(k in value for k in part.get("required", []))
            and all(
                conforms(v, known[k])
                if k in known
                else conforms(v, extra)
                if isinstance(extra, dict)
                else extra
                for k, v in value.items()
            )
        )
    if kind == "array":
        items = part.get("items", True)
        return (
            isinstance(value, list)
            and part.get("minItems", 0) <= len(value) <= part.get("maxItems", 10**9)
            and all(conforms(v, p) for v, p in zip(value, part.get("prefixItems", []), strict=False))
            and (not isinstance(items, dict) or all(conforms(v, items) for v in value))
        )
    if kind in ("integer", "number"):
        number = isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
        return number and part.get("minimum", value) <= value <= part.get("maximum", value)
    if kind == "string":
        return isinstance(value, str) and part.get("minLength", 0) <= len(value) <= part.get(
            "maxLength", 10**9
        )
    return isinstance(value, bool) if kind == "boolean" else value is None


@pytest.mark.parametrize("name", [n for n in BY_NAME if n not in ("hello", "auth", "pair")])
def test_right_input_gives_a_result_as_published(name: str) -> None:
    here = desk()

    async def test() -> None:
        result = await here.ask(name, **RIGHT.get(name, {}))
        plain = json.loads(msgspec.json.encode(result))
        assert conforms(plain, BY_NAME[name]["result"]["schema"]), plain

    at(here, test)


def wrong_values(part: dict[str, Any]) -> list[Any]:
    """Values that a schema excludes, of every kind and just outside of every bound."""
    part = resolved(part)
    tries: list[Any] = [None, True, 3, 2.5, "text", "", [], ["x"], {}, {"x": 1}]
    tries += [part[k] + d for k, d in (("minimum", -1), ("maximum", 1)) if k in part]
    tries += ["x" * (part["maxLength"] + 1)] if "maxLength" in part else []
    tries += [["x"] * (part["maxItems"] + 1)] if "maxItems" in part else []
    return [v for v in tries if not conforms(v, part)]


def asked(name: str, params: Any) -> bytes | Call:
    message = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
    (item,) = Session("", (), None).receive(json.dumps(message).encode()).items
    return item


@pytest.mark.parametrize("name", list(BY_NAME))
def test_wrong_input_is_refused_with_the_field(name: str) -> None:
    """At the door already, so that nothing can have changed."""
    right = RIGHT.get(name, {"nonce": "a" * 64, "mac": "b" * 64} if name == "auth" else {})
    refusals = [({**right, "surprise": 1}, "$.params.surprise")]
    for param in BY_NAME[name]["params"]:
        field = f"$.params.{param['name']}"
        refusals += [({**right, param["name"]: value}, field) for value in wrong_values(param["schema"])]
        if param["required"]:
            refusals.append(({k: v for k, v in right.items() if k != param["name"]}, field))
    for params, field in refusals:
        item = asked(name, params)
        assert isinstance(item, bytes), (name, params)
        error = json.loads(item)["error"]
        assert error["code"] == -32602, (name, params, error)
        assert error["data"]["code"] in ("unknown_field", "wrong_type", "out_of_range", "missing_field")
        assert error["data"]["path"].startswith(field), (params, error)
