"""`faceswapd ctl`: the command line as a remote control."""

import argparse
import asyncio
import base64
import shlex
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, RenderableType

from ..control.client import Client, connect, user_error
from ..control.methods import MAX_FACE
from ..control.protocol import Preview, RpcError
from ..control.replies import ProcessorList
from ..core.errors import FaceswapdError, MissingInputError, UsageError
from ..core.events import ProcessorInfo, State, Stats
from ..core.params import read_texts
from . import latency, tables
from .completion import completion
from .ctl_options import TOPICS, ctl_parser

CHUNK = 32 * 1024
"""Bytes of a picture in one message: 64 KiB is the most the server takes, and base64 adds a third."""
_RECORD = {
    "start": "record.start",
    "stop": "record.stop",
    "save": "record.save_last",
    "status": "record.status",
}
ON = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}

Action = Callable[[Client, argparse.Namespace], Awaitable[tuple[Any, RenderableType]]]
"""Does it and returns the result twice: as data for --json, and for people."""


def main(argv: list[str]) -> int:
    """Runs one command against the daemon; returns the exit code."""
    try:
        options = ctl_parser().parse_args(argv)
        return asyncio.run(_run(options))
    except SystemExit as done:  # --help
        return int(done.code or 0)
    except KeyboardInterrupt:
        return 130
    except FaceswapdError as error:
        Console(stderr=True, highlight=False).print(f"faceswapd: {error}", markup=False, soft_wrap=True)
        return error.exit_code


async def _run(options: argparse.Namespace) -> int:
    console = Console(highlight=False)
    if options.command == "completion":
        from .cli import command_line  # here, because it comes here for `ctl`

        console.out(completion(command_line(), ctl_parser(), options.shell))
        return 0
    try:
        secret = _secret(options.token_file) if options.token_file else None
        async with await connect(options.url, secret=secret) as remote:
            if options.command == "watch":
                await _watch(remote, options, console)
                return 0
            data, view = await ACTIONS[options.command](remote, options)
    except RpcError as refused:
        raise user_error(refused) from None
    if options.json:
        console.out(msgspec.json.format(msgspec.json.encode(data)).decode())
    elif view:
        console.print(view, soft_wrap=isinstance(view, str), markup=False)
    return 0


async def _status(remote: Client, _: argparse.Namespace) -> tuple[Any, RenderableType]:
    state = await remote.state()
    return state, tables.status(state)


async def _stats(remote: Client, _: argparse.Namespace) -> tuple[Any, RenderableType]:
    stats: Stats = await remote.stats()
    return stats, tables.stats(stats)


async def _latency(remote: Client, _: argparse.Namespace) -> tuple[Any, RenderableType]:
    now = latency.delay(await remote.stats())
    return now, latency.words(now)


async def _get(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    value = find(await remote.call("state.get"), options.path)
    return value, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def find(state: dict[str, Any], path: str) -> Any:
    """The value at a dotted path; a processor's name stands for it, its parameters for themselves."""
    here: Any = {**state, **{p["name"]: {**p["params"], **p} for p in state["processors"]}}
    for key in path.split("."):
        try:
            here = here[int(key)] if isinstance(here, list) else here[key]
        except (KeyError, IndexError, ValueError, TypeError):
            known = ", ".join(here) if isinstance(here, dict) else "nothing below it"
            raise UsageError(f"no {key!r} in {path!r}", known) from None
    return here


async def _change(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    words = [options.command, *(getattr(options, "names", None) or [])]
    words += [w for w in (getattr(options, "name", None), getattr(options, "to", None)) if w]
    words += getattr(options, "values", None) or []
    (change,) = await _changes(remote, [words])
    state = await remote.ask(change["method"], State, **change["params"])
    return state, tables.changed(state, words)


async def _batch(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    try:
        asked = [shlex.split(text) for text in options.changes]
    except ValueError as error:
        raise UsageError(f"a change cannot be read: {error}", "close what was quoted") from None
    changes = await _changes(remote, asked)
    state = await remote.ask("batch", State, changes=changes)
    return state, tables.status(state)


async def _changes(remote: Client, asked: Sequence[list[str]]) -> list[dict[str, Any]]:
    """Changes as people write them, as the protocol has them."""
    infos: tuple[ProcessorInfo, ...] = ()
    if any(words[:1] == ["set"] for words in asked):
        infos = (await remote.ask("processor.list", ProcessorList)).processors
    state = await remote.state()
    return [change(words, infos, state) for words in asked]


def change(words: list[str], infos: tuple[ProcessorInfo, ...], state: State) -> dict[str, Any]:
    """`set NAME KEY=VALUE...`, `toggle NAME`, `privacy on`, ... as a method with parameters."""
    match words:
        case ["set", name, *assignments] if assignments:
            return {
                "method": "processor.set",
                "params": {"name": name, **_assigned(name, assignments, infos)},
            }
        case ["toggle", name]:
            return {"method": "processor.toggle", "params": {"name": name}}
        case ["reorder", *names] if names:
            return {"method": "processor.reorder", "params": {"names": names}}
        case [("privacy" | "freeze") as what, to] if to in ("on", "off", "toggle"):
            now = state.privacy if what == "privacy" else state.frozen
            return {"method": f"{what}.set", "params": {"on": not now if to == "toggle" else to == "on"}}
        case [("face" | "preset") as what, "set" | "apply", name]:
            return {"method": "face.set" if what == "face" else "preset.apply", "params": {"name": name}}
    raise UsageError(f"no change: {shlex.join(words)!r}", "write it as after `faceswapd ctl`")


def _assigned(name: str, assignments: list[str], infos: tuple[ProcessorInfo, ...]) -> dict[str, Any]:
    texts: dict[str, str] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UsageError(f"{assignment!r} is no KEY=VALUE", "write it as opacity=0.8")
        texts[key] = text
    change: dict[str, Any] = {}
    if "enabled" in texts:
        text = texts.pop("enabled")
        if text.lower() not in ON:
            raise UsageError(f"enabled: {text!r} is neither on nor off", "write enabled=on or enabled=off")
        change["enabled"] = ON[text.lower()]
    info = next((i for i in infos if i.name == name), None)
    if texts:
        change["params"] = read_texts(info.params if info else (), texts)
    return change


async def _processors(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    infos = tables.named((await remote.ask("processor.list", ProcessorList)).processors, options.name)
    return infos, tables.processors(infos, await remote.state())


async def _hold(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + options.for_s if options.for_s is not None else float("inf")
    until = "Ctrl-C" if options.for_s is None else f"{options.for_s:g} s are over, or Ctrl-C"
    said = False
    try:
        while True:
            state = await remote.ask("hold", State, name=options.name, lease_s=2.0)
            if not said:  # what goes to a program is the state at the end
                Console(stderr=True, highlight=False).print(f"{options.name} is held until {until}")
                said = True
            if loop.time() >= end_s:
                break
            await asyncio.sleep(min(0.7, max(0.0, end_s - loop.time())))
    finally:
        state = await remote.ask("hold", State, name=options.name, on=False)
    return state, ""


async def _face(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    if options.what == "list":
        faces = (await remote.call("face.list"))["faces"]
        return faces, tables.rows(faces, "name", "consent", "added", "bundled")
    name = _named(options)
    if options.what == "set":
        state = await remote.ask("face.set", State, name=name)
        return state, tables.worn(state)
    if options.what == "remove":
        return await remote.call("face.remove", name=name), f"removed {name}"
    if options.photo is None or options.consent is None:
        raise UsageError(
            "face add: a photo and the basis of consent are needed", "add --photo FILE --consent BASIS"
        )
    return await upload(remote, name, _read(options.photo), options.consent), f"added {name}"


async def upload(remote: Client, name: str, picture: bytes, consent: str) -> Any:
    """Sends a picture in chunks; returns what the server says of the last one."""
    told = None
    for offset in range(0, len(picture), CHUNK):
        data = base64.b64encode(picture[offset : offset + CHUNK]).decode()
        told = await remote.call(
            "face.add", name=name, consent=consent, data=data, offset=offset, total=len(picture)
        )
    return told


async def _preset(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    if options.what == "list":
        presets = (await remote.call("preset.list"))["presets"]
        return presets, tables.rows(presets, "name", "processors", "face")
    if options.what == "apply":
        state = await remote.ask("preset.apply", State, name=_named(options))
        return state, tables.status(state)
    return await remote.call("preset.save", name=_named(options)), f"saved {options.name}"


async def _camera(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    if options.what == "list":
        cameras = (await remote.call("camera.list"))["cameras"]
        return cameras, tables.rows(cameras, "name", "path", "selected")
    state = await remote.ask("camera.select", State, name=_named(options))
    return state, f"source {state.source}"


async def _output(remote: Client, _: argparse.Namespace) -> tuple[Any, RenderableType]:
    outputs = (await remote.call("output.list"))["outputs"]
    return outputs, tables.rows(outputs, "name", "kind", "fps", "problem")


async def _record(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    match options.what:
        case "pause" | "resume":
            told = await remote.call("record.pause", paused=options.what == "pause")
        case "start" | "save" if options.path:
            told = await remote.call(_RECORD[options.what], path=options.path)
        case _:
            told = await remote.call(_RECORD[options.what])
    if told["films"] and (options.what == "save" or not told["recording"]):
        return told, f"saved {told['path']}"
    if not told["recording"]:
        return told, "nothing was recorded: no picture came" if options.what == "stop" else "not recording"
    return told, ("paused " if told["paused"] else "recording ") + told["path"]


async def _snapshot(remote: Client, options: argparse.Namespace) -> tuple[Any, RenderableType]:
    if options.file.suffix.lower() not in (".jpg", ".jpeg"):
        raise UsageError(f"{options.file}", "a snapshot is a JPEG: end its name with .jpg")
    told = await remote.call("snapshot.get")
    picture = base64.b64decode(told.pop("jpeg"))
    try:
        with options.file.open("xb") as file:
            file.write(picture)
    except FileExistsError:
        raise UsageError(f"{options.file} exists", "choose another name") from None
    except OSError as error:
        raise MissingInputError(f"{options.file}: {error.strerror}", "choose another place") from None
    told["file"] = str(options.file)
    return told, f"{options.file}: {told['width']}x{told['height']}, {len(picture)} bytes"


async def _token(remote: Client, _: argparse.Namespace) -> tuple[Any, RenderableType]:
    return await remote.call("token.rotate"), "a new token is in place"


async def _pair(remote: Client, _: argparse.Namespace) -> tuple[Any, RenderableType]:
    link = await remote.call("pair.link")
    return link, str(link["url"])


async def _watch(remote: Client, options: argparse.Namespace, console: Console) -> None:
    for topic in set(options.topics) - set(TOPICS):
        raise UsageError(f"no topic {topic!r}", f"known are {', '.join(TOPICS)}")
    told = await remote.call("subscribe", topics=options.topics, interval_s=options.interval)
    for topic, entry in told["topics"].items():
        line = {"topic": topic, "seq": entry["seq"], "rev": told["rev"], "data": entry["data"]}
        console.out(msgspec.json.encode(line).decode())
    async for event in remote.events():
        if not isinstance(event, Preview):
            console.out(msgspec.json.encode(event).decode())


ACTIONS: dict[str, Action] = {
    "status": _status, "get": _get, "processors": _processors, "hold": _hold, "face": _face, "preset": _preset,
    "camera": _camera, "output": _output, "record": _record, "snapshot": _snapshot, "stats": _stats,
    "latency": _latency, "batch": _batch, "token": _token, "pair": _pair,
    **dict.fromkeys(("set", "toggle", "reorder", "privacy", "freeze"), _change),
}  # fmt: skip
"""What each command does; `watch` and `completion` go their own ways."""


def _named(options: argparse.Namespace) -> str:
    if not options.name:
        raise UsageError(f"{options.command} {options.what}: which one?", "give its name")
    return str(options.name)


def _secret(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingInputError(f"token file {file}: {error}", "copy it from the daemon's machine") from None


def _read(photo: Path) -> bytes:
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise MissingInputError(f"{photo}: {error.strerror}", "give a picture file") from None
    if not 0 < len(data) <= MAX_FACE:
        raise UsageError(f"{photo}: {len(data)} bytes", f"a picture of 1 to {MAX_FACE} bytes")
    return data
