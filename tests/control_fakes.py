"""A daemon without pixels: what the control channel is tested against."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pytest
from msgspec import Meta, structs

from faceswapd.control.server import ControlServer
from faceswapd.core.abilities import Consent, PresetInfo
from faceswapd.core.errors import BadInputError, UsageError
from faceswapd.core.events import (
    ApplyPreset,
    Command,
    Commands,
    FaceInfo,
    ProcessorInfo,
    ProcessorState,
    Reorder,
    SetFace,
    SetFreeze,
    SetPrivacy,
    SetProcessor,
    State,
    Stats,
)
from faceswapd.core.frame import Frame
from faceswapd.core.meter import Quantiles
from faceswapd.core.params import Params, changed, describe
from faceswapd.core.settings import ControlSettings


class BlurParams(Params, frozen=True):
    mode: Literal["blur", "pixelate"] = "blur"
    strength: Annotated[float, Meta(ge=0, le=1, extra_json_schema={"step": 0.05})] = 0.5
    cells: Annotated[int, Meta(ge=2, le=64)] = 8
    soft: bool = True


class SwapParams(Params, frozen=True):
    opacity: Annotated[float, Meta(ge=0, le=1)] = 1.0


KINDS: dict[str, type[Params]] = {"anonymize": BlurParams, "mesh_swap": SwapParams}

START = State(
    rev=1, phase="live", source="fake", outputs=("memory:",), size=(1280, 720), fps=30.0,
    processors=(
        ProcessorState("anonymize", True, msgspec.to_builtins(BlurParams())),
        ProcessorState("mesh_swap", False, msgspec.to_builtins(SwapParams())),
    ),
    face="mask", on_no_face="placeholder", showing="live", engine={}, version="0.0.test",
)  # fmt: skip


@dataclass(eq=False)
class FakeCommands:
    """Obeys, and keeps what it was told. `slow` is awaited before every change but privacy and freeze."""

    now: State = START
    told: list[tuple[Command, ...]] = field(default_factory=list)
    slow: Callable[[], Awaitable[object]] | None = None

    def state(self) -> State:
        return self.now

    def stats(self) -> Stats:
        return Stats(100, 29.97, Quantiles(9, 12, 15), {"render": Quantiles(5, 6, 7)}, {"stale": 2}, 1.0,
                     Quantiles(0.1, 0.2, 0.3), 3.4)  # fmt: skip

    def processors(self) -> tuple[ProcessorInfo, ...]:
        return tuple(ProcessorInfo(n, f"does {n}", describe(k), hides_face=True) for n, k in KINDS.items())

    def faces(self) -> tuple[FaceInfo, ...]:
        return (FaceInfo("mask", "synthetic", "2026-01-01", bundled=True),)

    async def execute(self, commands: tuple[Command, ...]) -> State:
        if self.slow and not isinstance(commands[0], SetPrivacy | SetFreeze):
            await self.slow()
        state = self.now
        for command in commands:
            state = self.after(state, command)
        self.told.append(commands)
        self.now = structs.replace(state, rev=self.now.rev + 1)
        return self.now

    def after(self, state: State, command: Command) -> State:
        match command:
            case SetProcessor(name, enabled, toggle, params):
                return structs.replace(
                    state,
                    processors=tuple(
                        ProcessorState(
                            p.name,
                            (not p.enabled) if toggle else p.enabled if enabled is None else enabled,
                            msgspec.to_builtins(changed(msgspec.convert(p.params, KINDS[name]), params)),
                        )
                        if p.name == name
                        else p
                        for p in state.processors
                    ),
                )
            case SetFace(name):
                if name not in [f.name for f in self.faces()]:
                    raise UsageError(f"no face {name!r}", "see `faceswapd face list`")
                return structs.replace(state, face=name)
            case SetPrivacy(on):
                return structs.replace(state, privacy=on)
            case SetFreeze(on):
                return structs.replace(state, frozen=on)
            case Reorder(names):
                by_name = {p.name: p for p in state.processors}
                if sorted(names) != sorted(by_name):
                    raise UsageError("not the processors of the chain", ", ".join(by_name))
                return structs.replace(state, processors=tuple(by_name[n] for n in names))
            case ApplyPreset(name):
                if name != "party":
                    raise UsageError(f"no preset {name!r}", "see `faceswapd ctl preset list`")
                return structs.replace(state, on_no_face="freeze")


class AbleCommands(FakeCommands):
    """A daemon that can do more."""

    def __init__(self) -> None:
        super().__init__()
        self.frame: Frame | None = Frame(7, 123456789, np.full((720, 1280, 3), 90, np.uint8))
        self.pictures: dict[str, bytes] = {}
        self.saved: list[str] = ["party"]

    def shown(self) -> Frame | None:
        return self.frame

    def faces(self) -> tuple[FaceInfo, ...]:
        return (*super().faces(), *(FaceInfo(n, "self", "2026-02-02") for n in self.pictures))

    async def add_face(self, name: str, picture: bytes, consent: Consent) -> FaceInfo:
        if not picture.startswith(b"\xff\xd8"):
            raise BadInputError(f"{name}: no picture", "send a JPEG or PNG")
        self.pictures[name] = picture
        return FaceInfo(name, consent, "2026-02-02")

    async def remove_face(self, name: str) -> None:
        if name not in self.pictures:
            raise UsageError(f"no face {name!r}")
        del self.pictures[name]

    async def face_picture(self, name: str) -> bytes:
        if name not in self.pictures:
            raise UsageError(f"no face {name!r}")
        return self.pictures[name]

    def presets(self) -> tuple[PresetInfo, ...]:
        return tuple(PresetInfo(n) for n in self.saved)

    async def save_preset(self, name: str) -> PresetInfo:
        self.saved.append(name)
        return PresetInfo(name)


@contextlib.asynccontextmanager
async def serving(
    folder: Path, commands: Commands | None = None, **settings: Any
) -> AsyncIterator[tuple[ControlServer, Commands]]:
    """A server on a free port of loopback."""
    commands = commands or AbleCommands()
    server = ControlServer(commands, ControlSettings(**{"port": 0, **settings}), folder)
    await server.start()
    try:
        yield server, commands
    finally:
        await server.close()


def run(test: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    """Runs a test to its end, within 20 s."""
    uvloop = pytest.importorskip("uvloop") if loop == "uvloop" else None
    factory = uvloop.new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(test, 20))
