"""The protocol as documents, made from the types: OpenRPC with JSON Schema, and a page for people.

python -m faceswapd.control.schema docs/protocol
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from . import methods, protocol, replies
from .methods import METHODS

OPENRPC = "openrpc.json"
PAGE = "methods.md"


def openrpc() -> dict[str, Any]:
    """The OpenRPC 1.3 document of all methods; `x-` fields hold what OpenRPC has no word for."""
    types: list[Any] = [t for m in METHODS.values() for t in (m.params, m.result)]
    types += [replies.EventParams]
    refs, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(id, types), refs, strict=True))
    for schema in components.values():
        if "description" in schema:  # as the class has it, with its indentation
            schema["description"] = " ".join(schema["description"].split())
    components["Step"]["properties"]["params"] = {
        "anyOf": [{"$ref": f"#/components/schemas/{METHODS[name].params.__name__}"} for name in steps()]
    }
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "faceswapd control channel",
            "version": str(protocol.VERSION),
            "description": "JSON-RPC 2.0 over websocket; one message, one JSON text. See docs/control.md.",
            "license": {"name": "MIT"},
        },
        "servers": [{"name": "local", "url": "ws://127.0.0.1:7865"}],
        "methods": [_method(name, by_type, components) for name in METHODS],
        "components": {"schemas": components},
        "x-notifications": {
            "hello": {"$ref": "#/components/schemas/Hello"},
            "event": {"$ref": "#/components/schemas/EventParams"},
        },
        "x-error-codes": protocol.RPC_CODES,
        "x-close-codes": {
            str(code): {"reason": reason, "reconnect": protocol.may_reconnect(code)}
            for code, reason in protocol.CLOSE_CODES.items()
        },
    }


def steps() -> tuple[str, ...]:
    """The methods that a batch may hold."""
    return tuple(name for name, m in METHODS.items() if issubclass(m.params, methods.Change))


def page(document: dict[str, Any]) -> str:
    """The methods, one table each, in Markdown."""
    made = f"Made from the types by `control/schema.py`; the same as data: [{OPENRPC}]({OPENRPC})."
    lines = ["# Methods", "", made, ""]
    for method in document["methods"]:
        lines += [f"## `{method['name']}`", "", method["summary"], ""]
        if method["params"]:
            lines += ["| parameter | type | default | |", "|---|---|---|---|"]
            for param in method["params"]:
                schema = param["schema"]
                default = "required" if param.get("required") else f"`{_json(schema.get('default'))}`"
                lines.append(
                    f"| `{param['name']}` | {_type(schema)} | {default} | {param.get('description', '')} |"
                )
            lines.append("")
        lines += [f"Result: {_type(method['result']['schema'])}", ""]
    lines += ["# Types", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if name in {m.params.__name__ for m in METHODS.values()} - {"PreviewOptions"}:
            continue
        lines += [f"## {name}", "", schema.get("description", ""), ""]
        if schema.get("properties"):
            lines += ["| field | type | |", "|---|---|---|"]
            lines += [
                f"| `{n}` | {_type(s)} | {s.get('description', '')} |"
                for n, s in schema["properties"].items()
            ]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def files() -> dict[str, str]:
    """{file name: text} of everything that is published."""
    document = openrpc()
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
    return {OPENRPC: text, PAGE: page(document)}


def write(folder: Path) -> None:
    """Writes the documents into a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _method(name: str, refs: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    method = METHODS[name]
    params = components[refs[id(method.params)]["$ref"].rsplit("/", 1)[1]]
    required = params.get("required", [])
    return {
        "name": name,
        "summary": method.help,
        "paramStructure": "by-name",
        "params": [
            {"name": n, "required": n in required, "schema": s}
            | ({"description": s["description"]} if "description" in s else {})
            for n, s in params.get("properties", {}).items()
        ],
        "result": {"name": "result", "schema": refs[id(method.result)]},
    }


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(s) for s in schema["anyOf"])
    if "enum" in schema:
        return " ".join(f"`{_json(v)}`" for v in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        items: Any = schema.get("items") or next(iter(schema.get("prefixItems", [])), {})
        return f"array of {_type(items) if isinstance(items, dict) else 'any'}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    low, high = schema.get("minimum"), schema.get("maximum")
    upper = f" to {high}" if high is not None else ""
    bounds = f", {low}{upper}" if upper else f", at least {low}" if low is not None else ""
    return f"{kind}{bounds}" + (" (base64)" if schema.get("contentEncoding") == "base64" else "")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
